"""Where do my tasks wait?

    python examples/where_do_my_tasks_wait.py

Ten orders want one of four connections, then the ledger, one at a time. Each step's span says what it waited for,
where that was made, and how many waited with it; this program counts:

    asyncio.Semaphore.acquire, made at where_do_my_tasks_wait.py:31: 6 waits, up to 6 at once
    asyncio.Lock.acquire, made at where_do_my_tasks_wait.py:32: 9 waits, up to 6 at once

So the pool is a queue only at the start, but nine orders of ten stand in the line for the ledger.
In a backend the same is a search for `asyncio.wait.place`, or the metric `asyncio.wait.time` by it.
"""

import asyncio
from pathlib import Path

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from loopscope import LoopscopeInstrumentor


async def order(connections: asyncio.Semaphore, ledger: asyncio.Lock) -> None:
    async with connections:
        await asyncio.sleep(0.02)
    async with ledger:
        await asyncio.sleep(0.01)


async def main() -> None:
    connections = asyncio.Semaphore(4)
    ledger = asyncio.Lock()
    await asyncio.gather(*(order(connections, ledger) for _ in range(10)))


spans = InMemorySpanExporter()
LoopscopeInstrumentor().instrument(span_exporter=spans)
asyncio.run(main())
LoopscopeInstrumentor().uninstrument()

waits: dict[tuple[str, str], list[int]] = {}
for span in spans.get_finished_spans():
    if "asyncio.wait.place" in span.attributes:
        made = Path(span.attributes["asyncio.wait.place"]).name
        waits.setdefault((span.attributes["asyncio.step.awaiting"], made), []).append(
            span.attributes["asyncio.wait.waiters"]
        )
for (awaiting, made), waiters in waits.items():
    print(f"{awaiting}, made at {made}: {len(waiters)} waits, up to {max(waiters)} at once")
