"""What the tiers of deploy/scale cost: CPU of each for 10,000 spans, and bytes of a span in Kafka.

Run it: python -m tests.benchmarks.collectors
"""

from __future__ import annotations

import asyncio
import os
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from loopscope import LoopscopeInstrumentor
from tests.benchmarks.sink import Sink
from tests.benchmarks.sizes import serve
from tests.ground.configured import DEPLOY, collector, rewritten
from tests.ground.kafka import kafka
from tests.ground.ports import free_ports

#: spans that are sent at least, and spans a second at most: all tiers share the machine with the sender
SPANS, RATE = 100_000, 5_000
TIERS = ("ingest", "gateway", "writer")
#: what marks a tier's command line
MARK = "tier"


class Keeper(SpanExporter):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See SpanExporter."""
        self.requests.append(encode_spans(spans))
        return SpanExportResult.SUCCESS


def recorded() -> list[ExportTraceServiceRequest]:
    """What a service with loopscope sends."""
    keeper = Keeper()
    LoopscopeInstrumentor().instrument(span_exporter=keeper)
    asyncio.run(serve())
    LoopscopeInstrumentor().uninstrument()
    return keeper.requests


def spans_of(request: ExportTraceServiceRequest) -> Iterator[object]:
    """All of its spans."""
    return (span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans)


def send(address: str, requests: list[ExportTraceServiceRequest]) -> int:
    """Send them again and again, each time as other traces; how many spans that were."""
    sent, began = 0, time.monotonic()
    while sent < SPANS:
        new = int.from_bytes(os.urandom(16), "big")
        for request in requests:
            copy = ExportTraceServiceRequest()
            copy.CopyFrom(request)
            for span in spans_of(copy):
                span.trace_id = (int.from_bytes(span.trace_id, "big") ^ new).to_bytes(16, "big")  # type: ignore[attr-defined]
                sent += 1
            post = urllib.request.Request(address, copy.SerializeToString(), {"Content-Type": "application/x-protobuf"})
            with urllib.request.urlopen(post):
                pass
            time.sleep(max(0.0, began + sent / RATE - time.monotonic()))
    return sent


def cpu(name: str) -> float:
    """Seconds of CPU that the processes have used whose command line has this text."""
    ticks = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if name.encode() in (process / "cmdline").read_bytes():
                ticks += sum(map(int, (process / "stat").read_text().rsplit(")", 1)[1].split()[11:13]))
        except OSError:
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def start(stack: ExitStack, tier: str, config: str, **variables: str) -> None:
    """A tier, known by its name on its command line."""
    stack.enter_context(collector(config, f"--set=service::telemetry::resource::{MARK}={tier}", **variables))


def report() -> None:
    """Run the tiers, send, and print. The writer is given all spans, so that it has as much to do as the others."""
    requests, scale = recorded(), DEPLOY / "scale"
    with ExitStack() as stack:
        broker = stack.enter_context(kafka("spans", "kept"))
        sink = stack.enter_context(Sink())
        http, grpc = (f"127.0.0.1:{port}" for port in free_ports(2))
        start(stack, "gateway", (scale / "gateway.yaml").read_text(), KAFKA=broker.address)
        writer = rewritten(
            scale / "tempo-writer.yaml",
            {"topic: kept": "topic: spans", "  otlp:": "  otlphttp:\n    compression: none", "[otlp]": "[otlphttp]"},
        )
        start(stack, "writer", writer, KAFKA=broker.address, TEMPO=sink.url)
        start(
            stack, "ingest", (scale / "ingest.yaml").read_text(), KAFKA=broker.address, OTLP_HTTP=http, OTLP_GRPC=grpc
        )
        before = {tier: cpu(f"{MARK}={tier}") for tier in TIERS}
        sent = send(f"http://{http}/v1/traces", requests)
        time.sleep(15)  # until they have decided, and sent on
        for tier in TIERS:
            used = cpu(f"{MARK}={tier}") - before[tier]
            print(f"{tier:<8} {used / sent * 10_000:.2f} s of CPU for 10,000 spans")
        arrived = sum(sink.counts().values())
        stored = sum(file.stat().st_size for file in broker.data.glob("spans-*/*.log"))
        print(f"{sent} spans sent, {arrived} arrived; a span in Kafka: {stored / sent:.0f} bytes")


if __name__ == "__main__":
    report()
