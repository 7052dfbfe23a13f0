"""A small service with planted problems, for some seconds. Usage: python planted.py SECONDS [healthy]"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

HEALTHY = "healthy" in sys.argv
tracer = trace.get_tracer("shop")


async def parse_report() -> None:
    """The culprit: it computes on."""
    until = time.perf_counter() + 0.08
    while time.perf_counter() < until:
        sum(range(1000))


async def request(number: int) -> None:
    """A request, which waits ten milliseconds for its database, and longer if somebody holds the loop."""
    with tracer.start_as_current_span(f"GET /item/{number % 3}", kind=trace.SpanKind.SERVER):
        await asyncio.sleep(0.01)


async def customer(lock: asyncio.Lock) -> None:
    """One of a convoy."""
    async with lock:
        await asyncio.sleep(0.005)


async def consume(queue: asyncio.Queue[int]) -> None:
    """A slow consumer."""
    while True:
        await queue.get()
        await asyncio.sleep(0.005)


async def stubborn() -> None:
    """It does not heed a cancellation."""
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(10)


async def problems(number: int, lock: asyncio.Lock, queue: asyncio.Queue[int], pool: ThreadPoolExecutor) -> None:
    """One round of them all."""
    loop = asyncio.get_running_loop()
    jobs = [loop.run_in_executor(pool, time.sleep, 0.01) for _ in range(3)]
    held = asyncio.create_task(stubborn(), name="stubborn")
    convoy = [asyncio.create_task(customer(lock)) for _ in range(5)]
    if number % 5 == 0:
        convoy.append(asyncio.create_task(parse_report(), name="report"))
    for item in range(4):
        await queue.put(item)
    held.cancel()
    await asyncio.gather(held, *jobs, *convoy)


async def main(seconds: float) -> None:
    """Rounds of requests and problems."""
    until, number = time.monotonic() + seconds, 0
    lock: asyncio.Lock = asyncio.Lock()
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=2)
    consumer = asyncio.create_task(consume(queue), name="consumer")
    with ThreadPoolExecutor(1) as pool:
        while time.monotonic() < until:
            tasks = [asyncio.create_task(request(number), name=f"request-{number}")]
            if not HEALTHY:
                tasks.append(asyncio.create_task(problems(number, lock, queue, pool), name="problems"))
            await asyncio.gather(*tasks)
            number += 1
    consumer.cancel()


if __name__ == "__main__":
    provider = TracerProvider()
    exporter = OTLPSpanExporter(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=200))
    trace.set_tracer_provider(provider)
    asyncio.run(main(float(sys.argv[1])))
    provider.shutdown()
