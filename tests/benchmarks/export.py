"""What export costs: a span downstream of the step against the stock way, a flood, and a timer's lateness meanwhile."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from loopscope import LoopscopeInstrumentor, runtime

#: settings with which every step has its span
ALL: dict[str, Any] = {
    **dict.fromkeys(("max_steps_per_task_span", "max_spans_per_trace", "max_spans_per_second"), 10_000_000),
    "max_cpu_share": 1,
}


#: spans that are sent before it is measured what they cost
WARM = 1_000


async def paced(rate: int, seconds: float) -> int:
    """Steps at a steady rate, by many short-lived turns; how many were taken."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    taken = 0
    while (now := loop.time()) < began + seconds:
        due = int((now - began) * rate)
        while taken < due:
            taken += 1
            await asyncio.sleep(0)
        taken += 1
        await asyncio.sleep(0.001)
    return taken


async def lateness(seconds: float) -> list[float]:
    """How late a 1 ms timer fires, each time, in milliseconds."""
    loop = asyncio.get_running_loop()
    late = []
    until = loop.time() + seconds
    while (now := loop.time()) < until:
        due = now + 0.001
        await asyncio.sleep(0.001)
        late.append((loop.time() - due) * 1e3)
    return late


def flood(url: str, rate: int, seconds: float) -> dict[str, float]:
    """Export `rate` step spans a second: spans sent and lost, CPU of the process."""
    LoopscopeInstrumentor().instrument(span_exporter=OTLPSpanExporter(endpoint=url), **ALL)
    cpu, wall = time.process_time(), time.perf_counter()
    taken = asyncio.run(paced(rate, seconds))
    active = runtime.current()
    assert active is not None
    LoopscopeInstrumentor().uninstrument()
    counts = active.statistics()
    return {
        "steps": taken + 1,
        "exported": counts["spans.exported"],
        "records dropped": counts["records.dropped"],
        "spans dropped": sum(counts["spans.dropped"].values()),
        "coalesced": counts["spans.coalesced"],
        "cpu share": (time.process_time() - cpu) / (time.perf_counter() - wall),
    }


async def steps(count: int) -> None:
    """So many steps."""
    for _ in range(count):
        await asyncio.sleep(0)


def ours(url: str, spans: int) -> float:
    """CPU microseconds of the whole process per step span, from step to arrival. What is loaded once, is before."""
    cpu = time.process_time()
    asyncio.run(steps(spans))
    bare = time.process_time() - cpu
    for count in (WARM, spans):
        LoopscopeInstrumentor().instrument(span_exporter=OTLPSpanExporter(endpoint=url), **ALL)
        cpu = time.process_time()
        asyncio.run(steps(count))
        LoopscopeInstrumentor().uninstrument()
    return (time.process_time() - cpu - bare) / spans * 1e6


def stock(url: str, spans: int) -> float:
    """The same by `start_span` and `end`, a BatchSpanProcessor that drops nothing, and the stock exporter."""
    attributes = {"asyncio.step.index": 1, "asyncio.step.outcome": "yielded", "thread.id": 1, "a": "b", "c": 0.5}
    for count in (WARM, spans):
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=url), max_queue_size=count + 1, max_export_batch_size=512)
        )
        tracer = provider.get_tracer("stock")
        cpu = time.process_time()
        for _ in range(count):
            tracer.start_span("step run", attributes=attributes).end()
        provider.force_flush()
        provider.shutdown()
    return (time.process_time() - cpu) / spans * 1e6


def share(url: str | None, rate: int, seconds: float) -> float:
    """The share of a core that `rate` steps a second take, on defaults with spans sent to this URL, or bare."""
    if url is not None:
        LoopscopeInstrumentor().instrument(span_exporter=OTLPSpanExporter(endpoint=url))
    cpu, wall = time.process_time(), time.perf_counter()
    asyncio.run(paced(rate, seconds))
    if url is not None:
        LoopscopeInstrumentor().uninstrument()
    return (time.process_time() - cpu) / (time.perf_counter() - wall)


def timer(url: str | None, seconds: float, rate: int = 2_000) -> float:
    """p99 lateness of a timer in milliseconds beside so many steps a second, bare or while their spans are exported."""

    async def main() -> list[float]:
        load = asyncio.create_task(paced(rate, seconds))
        late = await lateness(seconds)
        await load
        return late

    if url is not None:
        LoopscopeInstrumentor().instrument(span_exporter=OTLPSpanExporter(endpoint=url), **ALL)
    late = sorted(asyncio.run(main()))
    if url is not None:
        LoopscopeInstrumentor().uninstrument()
    return late[int(len(late) * 0.99)]


def apart(call: str, core: str = "auto") -> str:
    """The result of one of these, or of those in other modules here, in a process of its own, with this core."""
    module = call.partition(".")[0]
    code = f"from tests.benchmarks import {module}; print({call})"
    environment = {**os.environ, "OTEL_PYTHON_LOOPSCOPE_CORE": core}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.splitlines()[-1]
