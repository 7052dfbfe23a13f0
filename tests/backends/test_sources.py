"""A real Jaeger and a trace file of the same run give the same Timeline, by id and by the address of the page."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path

import pytest

from loopscope.recording import file, jaegerjson
from loopscope.recording.errors import SourceError
from loopscope.recording.load import load
from loopscope.settings import Backends
from tests.ground.jaeger import Jaeger
from tests.processes.program import run, switched_on

#: everything that can stand in a trace: requests, links, an executor's run, a delay, an exception, several tasks
PROGRAM = """
import asyncio, time
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("shop")

async def victim():
    await asyncio.sleep(0.01)
    with tracer.start_as_current_span("SELECT", kind=trace.SpanKind.CLIENT):
        await asyncio.sleep(0.002)

async def parse_report():
    time.sleep(0.05)
    raise ValueError("no report")

async def request():
    with tracer.start_as_current_span("GET /report", kind=trace.SpanKind.SERVER):
        await asyncio.gather(victim(), parse_report(), asyncio.to_thread(time.sleep, 0.02), return_exceptions=True)

async def main():
    await asyncio.gather(request(), asyncio.sleep(0.01))

asyncio.run(main())
"""


def test_jaeger_and_the_trace_file_tell_the_same(jaeger: Jaeger, tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    more = {"OTEL_PYTHON_LOOPSCOPE_TRACE_FILE": str(path), "OTEL_SERVICE_NAME": "sources"}
    assert run(PROGRAM, switched_on(jaeger.http, "http", **more)).code == 0
    of_file = file.read(str(path)).spans
    traces = list(dict.fromkeys(span.trace_id for span in of_file))
    assert len(traces) == 2
    deadline = time.monotonic() + 10
    while sum(len(jaeger.trace(trace)) for trace in traces) < len(of_file) + 2 and time.monotonic() < deadline:
        time.sleep(0.05)

    whole = load(traces, Backends(jaeger=jaeger.query))
    assert sorted(span.name for span in whole.foreign if span.kind != "executor") == ["GET /report", "SELECT"]
    assert {whole.tasks[span.task].qualname for span in whole.foreign if span.task} >= {"request", "victim"}
    assert {edge.kind for edge in whole.edges} >= {"woken_by", "delayed_by", "created_by"}

    # the application's own spans are not in the trace file; all else is
    told = load([str(path)])
    assert (told.tasks, told.steps, told.edges) == (whole.tasks, whole.steps, whole.edges)
    assert told.foreign == [one for one in whole.foreign if one.kind == "executor"]
    assert all("under a span that is not here" in sentence for sentence in told.missing) and whole.missing == []

    # by the page's address, and by a document that its page saved
    assert load([f"{jaeger.query}/trace/{traces[0]}?uiFind=x", f"{jaeger.query}/trace/{traces[1]}"]) == whole
    saved = tmp_path / "saved.json"
    saved.write_text(json.dumps(jaegerjson.write(of_file)))
    assert load([str(saved)]) == told

    # what the page itself asks for: microseconds, links without attributes
    documents = []
    for trace in traces:
        with urllib.request.urlopen(f"{jaeger.query}/api/traces/{trace}") as answer:
            documents.append(answer.read().decode())
    saved.write_text("\n".join(documents))
    coarse = load([str(saved)])
    assert set(coarse.edges) == set(whole.edges)
    assert {(s.task, s.index): (s.outcome, s.awaiting) for s in coarse.steps} == {
        (s.task, s.index): (s.outcome, s.awaiting) for s in whole.steps
    }

    with pytest.raises(SourceError, match="has no trace " + "ab" * 16):
        load(["ab" * 16], Backends(jaeger=jaeger.query))
