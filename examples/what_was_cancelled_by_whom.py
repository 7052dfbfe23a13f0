"""What was cancelled, and by whom?

    python examples/what_was_cancelled_by_whom.py

Of three tasks two are cancelled in code, one by a timeout. Their spans say so, and this program prints what they say:

    stubborn: returned, asked by main, swallowed, at what_was_cancelled_by_whom.py:38: no reason
    tidy: cancelled, asked by main, took 50 ms, at what_was_cancelled_by_whom.py:37: shutting down
    late: cancelled, asked by timeout, took 0.08 ms ...

So `tidy` is why a shutdown takes long, and `stubborn` goes on as if nobody had asked.
"""

import asyncio
import contextlib
from pathlib import Path

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from loopscope import LoopscopeInstrumentor


async def work(tidying: float, heeds: bool = True) -> None:
    try:
        await asyncio.sleep(9)
    except asyncio.CancelledError:
        await asyncio.sleep(tidying)
        if heeds:
            raise


async def main() -> None:
    tidy = asyncio.create_task(work(0.05), name="tidy")
    stubborn = asyncio.create_task(work(0.01, heeds=False), name="stubborn")
    late = asyncio.create_task(asyncio.sleep(9), name="late")
    await asyncio.sleep(0)
    tidy.cancel("shutting down")
    stubborn.cancel()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(late, 0.1)


spans = InMemorySpanExporter()
LoopscopeInstrumentor().instrument(span_exporter=spans)
asyncio.run(main())
LoopscopeInstrumentor().uninstrument()

for span in spans.get_finished_spans():
    told = {name.removeprefix("asyncio.task."): value for name, value in span.attributes.items()}
    if "cancel.latency" in told:  # not of who survived it, as `main` does its timeout from Python 3.12 on
        parts = [told["state"], f"asked by {told['cancel.requested_by']}"]
        parts.append("swallowed" if "cancel.swallowed" in told else f"took {told['cancel.latency'] * 1000:.2f} ms")
        if "cancel.place" in told:
            parts.append(f"at {Path(told['cancel.place']).name}: {told.get('cancel.message', 'no reason')}")
        print(f"{told['name']}: {', '.join(parts)}")
