"""How large a span is on the wire: bytes of OTLP/HTTP requests over spans, plain and by gzip.

Run it: python -m tests.benchmarks.sizes
"""

from __future__ import annotations

import asyncio

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from loopscope import LoopscopeInstrumentor
from tests.ground.receiver import Receiver

REQUESTS, QUERIES = 200, 3


async def query(connections: asyncio.Semaphore) -> None:
    """As it were."""
    async with connections:
        await asyncio.sleep(0.001)


async def handle(connections: asyncio.Semaphore) -> None:
    """A request: some queries one after the other, and two at once."""
    for _ in range(QUERIES):
        await query(connections)
    await asyncio.gather(query(connections), query(connections))


async def serve() -> None:
    """Requests, ten at a time, with a pool that is too small."""
    connections = asyncio.Semaphore(5)
    for _ in range(REQUESTS // 10):
        await asyncio.gather(*(handle(connections) for _ in range(10)))


def measure(compression: Compression) -> tuple[float, float]:
    """Bytes a span, and spans a request."""
    with Receiver() as receiver:
        exporter = OTLPSpanExporter(endpoint=f"{receiver.http}/v1/traces", compression=compression)
        LoopscopeInstrumentor().instrument(span_exporter=exporter)
        asyncio.run(serve())
        LoopscopeInstrumentor().uninstrument()
        calls = receiver.requests()
    spans = sum(call.spans for call in calls)
    return sum(call.size for call in calls) / spans, spans / REQUESTS


def report() -> None:
    """Print them."""
    for compression in (Compression.NoCompression, Compression.Gzip):
        size, spans = measure(compression)
        print(f"{compression.value:<5} {size:6.1f} bytes a span, {spans:.1f} spans a request of {2 + QUERIES} queries")


if __name__ == "__main__":
    report()
