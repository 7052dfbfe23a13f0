"""What a request becomes: spans, bytes of a span on the wire, and CPU of the service's process.

A busy process sends many traces at once, one that samples little a trace at a time: that makes a span dearer.

Run it: python -m tests.benchmarks.sizes
"""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Iterable, Sequence

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import Tracer

from loopscope import LoopscopeInstrumentor
from tests.benchmarks.export import ALL, apart
from tests.benchmarks.sink import Sink

REQUESTS, QUERIES, REPEATS = 400, 3, 6


async def query(connections: asyncio.Semaphore) -> None:
    """As it were."""
    async with connections:
        await asyncio.sleep(0.001)


async def handle(tracer: Tracer, connections: asyncio.Semaphore) -> None:
    """A request, under a server span: some queries one after the other, and two at once."""
    with tracer.start_as_current_span("GET /"):
        for _ in range(QUERIES):
            await query(connections)
        await asyncio.gather(query(connections), query(connections))


async def serve(tracer: Tracer) -> None:
    """Requests, ten at a time, with a pool that is too small."""
    connections = asyncio.Semaphore(5)
    for _ in range(REQUESTS // 10):
        await asyncio.gather(*(handle(tracer, connections) for _ in range(10)))


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
    keeper, provider = Keeper(), TracerProvider()
    LoopscopeInstrumentor().instrument(tracer_provider=provider, span_exporter=keeper, **ALL)
    asyncio.run(serve(provider.get_tracer("service")))
    LoopscopeInstrumentor().uninstrument()
    return keeper.requests


def by_trace(requests: Iterable[ExportTraceServiceRequest]) -> list[ExportTraceServiceRequest]:
    """The same, each trace by itself."""
    traces: dict[bytes, ExportTraceServiceRequest] = {}
    for request in requests:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    if span.trace_id not in traces:
                        traces[span.trace_id] = one = ExportTraceServiceRequest()
                        one.resource_spans.add(resource=resource.resource).scope_spans.add(scope=scope.scope)
                    traces[span.trace_id].resource_spans[0].scope_spans[0].spans.append(span)
    return list(traces.values())


def names(requests: Iterable[ExportTraceServiceRequest]) -> list[str]:
    """Of all spans."""
    return [
        span.name
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def cpu(url: str | None, sampled: bool) -> float:
    """Microseconds of the process's CPU for a request, with loopscope on if there is somewhere to send to."""
    provider = TracerProvider(sampler=ALWAYS_ON if sampled else ALWAYS_OFF)
    tracer = provider.get_tracer("service")
    if url is not None:
        exporter = OTLPSpanExporter(endpoint=url)
        LoopscopeInstrumentor().instrument(tracer_provider=provider, span_exporter=exporter, **ALL)
    asyncio.run(serve(tracer))  # what is imported and started once
    time.sleep(1.5)
    began = time.process_time()
    asyncio.run(serve(tracer))
    time.sleep(1.5)  # until the last of the spans have left
    return (time.process_time() - began) / REQUESTS * 1e6


def added(url: str, sampled: bool) -> float:
    """What loopscope adds to it: the least of some runs over the least of as many without, one after the other."""
    pairs = [[float(apart(f"sizes.cpu({at!r}, {sampled})")) for at in (url, None)] for _ in range(REPEATS)]
    on, off = map(min, zip(*pairs, strict=True))
    return on - off


def measure() -> dict[str, float]:
    """All of it."""
    many = recorded()
    spans = names(many)
    found = {
        "spans of a request": len(spans) / REQUESTS,
        "spans of a request that are no steps": sum(not name.startswith("step") for name in spans) / REQUESTS,
    }
    for how, requests in (("", many), (", a trace at a time", by_trace(many))):
        bodies = [request.SerializeToString() for request in requests]
        found[f"bytes of a span{how}"] = sum(map(len, bodies)) / len(spans)
        found[f"bytes of a span, gzip{how}"] = sum(len(gzip.compress(body)) for body in bodies) / len(spans)
    with Sink() as sink:
        url = f"{sink.url}/v1/traces"
        found["microseconds of a sampled request"] = added(url, True)
        found["microseconds of a request sampled out"] = added(url, False)
    return found


def report() -> None:
    """Print it."""
    for name, value in measure().items():
        print(f"{name:<44} {value:8.1f}")


if __name__ == "__main__":
    report()
