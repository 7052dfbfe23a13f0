"""deploy/scale: its files are valid, and spans go all the way through a real Kafka, by trace, sampled by what is in them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from loopscope import LoopscopeInstrumentor
from tests.ground import jaeger, kafka
from tests.ground.configured import DEPLOY, collector, rewritten
from tests.ground.ports import free_ports
from tests.ground.receiver import ReceivedSpan, Receiver

SCALE = DEPLOY / "scale"
COLLECTORS = ("ingest", "gateway", "jaeger-ingester", "jaeger-query", "tempo-writer")
#: traces that nothing is wrong with
DULL = 40


@pytest.fixture(scope="module")
def binary() -> Path:
    try:
        return jaeger.build()
    except jaeger.Unavailable as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("name", COLLECTORS)
def test_a_collectors_file_is_valid(binary: Path, name: str) -> None:
    config = str(SCALE / f"{name}.yaml")
    done = subprocess.run([binary, "validate", f"--config={config}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1000:]


def test_a_wrong_one_is_not(binary: Path, tmp_path: Path) -> None:
    config = tmp_path / "wrong.yaml"
    config.write_text(rewritten(SCALE / "ingest.yaml", {"partition_traces_by_id": "partition_traces"}))
    done = subprocess.run([binary, "validate", f"--config={config}"], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "partition_traces" in done.stderr


@pytest.fixture
def arrived(binary: Path) -> Iterator[tuple[str, Receiver, str]]:
    """Where to send spans, what takes them in Tempo's place, and the address of Jaeger's API."""
    with ExitStack() as stack:
        try:
            broker = stack.enter_context(kafka.kafka("spans", "kept")).address
        except kafka.Unavailable as why:
            pytest.skip(str(why))
        receiver = stack.enter_context(Receiver())
        http, grpc, query, query_grpc = (f"127.0.0.1:{port}" for port in free_ports(4))

        def run(config: str, **variables: str) -> None:
            stack.enter_context(collector(config, **variables))

        gateway = rewritten(SCALE / "gateway.yaml", {"decision_wait: 10s": "decision_wait: 2s"})
        for _ in range(2):
            run(gateway, KAFKA=broker)
        writer = (SCALE / "tempo-writer.yaml").read_text()
        run(writer, KAFKA=broker, TEMPO=f"127.0.0.1:{receiver.grpc_port}")
        run(in_memory(), KAFKA=broker, QUERY=query, QUERY_GRPC=query_grpc)
        run((SCALE / "ingest.yaml").read_text(), KAFKA=broker, OTLP_HTTP=http, OTLP_GRPC=grpc)
        yield f"http://{http}", receiver, f"http://{query}"


def in_memory() -> str:
    """Jaeger's ingester and its query in one process, for there is no OpenSearch here."""
    ingester, query = (yaml.safe_load((SCALE / f"jaeger-{name}.yaml").read_text()) for name in ("ingester", "query"))
    ingester["extensions"]["jaeger_query"] = query["extensions"]["jaeger_query"]
    ingester["extensions"]["jaeger_storage"]["backends"]["main"] = {"memory": {"max_traces": 1000}}
    ingester["service"]["extensions"].append("jaeger_query")
    return json.dumps(ingester)


async def dull() -> None:
    """Nothing is wrong with it."""
    await asyncio.sleep(0.001)


async def held() -> None:
    """It holds the loop, then has two more tasks."""
    await asyncio.sleep(0.001)
    time.sleep(0.15)
    await asyncio.gather(dull(), dull())


def send(endpoint: str) -> None:
    """A trace with a stall in it, and many without."""
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")
    LoopscopeInstrumentor().instrument(span_exporter=exporter)
    try:
        asyncio.run(held())
        for _ in range(DULL):
            asyncio.run(dull())
    finally:
        LoopscopeInstrumentor().uninstrument()


def whole(spans: list[ReceivedSpan]) -> bool:
    """Whether the trace with the stall is there: three tasks and seven steps."""
    stalled = {span.trace_id for span in spans if any(event.name == "asyncio.stall" for event in span.events)}
    return len(stalled) == 1 and sum(span.trace_id in stalled for span in spans) == 10


def test_a_stalled_trace_arrives_whole_and_few_others(arrived: tuple[str, Receiver, str]) -> None:
    endpoint, receiver, query = arrived
    send(endpoint)
    spans = receiver.wait(whole, timeout=60)
    time.sleep(3)  # for what is decided after it
    traces = Counter(span.trace_id for span in receiver.spans())
    assert len(traces) <= 1 + DULL // 4, traces
    (stalled,) = {span.trace_id for span in spans if span.name == "task held"}
    reader = jaeger.Jaeger()
    reader.query = query
    found = reader.wait_for(stalled, 10, timeout=20)
    assert sorted(span.name for span in found) == sorted(s.name for s in receiver.spans() if s.trace_id == stalled)


async def long() -> None:
    """It holds the loop, then takes so many steps that they are more than Kafka has in one message."""
    time.sleep(0.15)
    for _ in range(4000):
        await asyncio.sleep(0)


def test_a_large_trace_arrives_whole(arrived: tuple[str, Receiver, str]) -> None:
    endpoint, receiver, _ = arrived
    exporter = InMemorySpanExporter()
    LoopscopeInstrumentor().instrument(span_exporter=exporter, max_steps_per_task_span=10_000)
    asyncio.run(long())
    LoopscopeInstrumentor().uninstrument()
    sent = exporter.get_finished_spans()
    OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces").export(sent)  # all at once
    assert len(sent) > 4000
    receiver.wait(lambda spans: len(spans) == len(sent), timeout=60)
