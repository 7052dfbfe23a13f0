"""What a step costs while many tasks live and wait, what memory these take, and what reading the start-up file costs a
Python without loopscope.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import shutil
import site
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from loopscope import LoopscopeInstrumentor, runtime
from tests.benchmarks.export import ALL

STEPS = 20_000
#: tasks that live before it is measured what more of them take
FORMER = 5_000
PTH = Path(__file__).parents[2] / "src" / "loopscope_autostart.pth"


class Nowhere(SpanExporter):
    """Takes spans, and forgets them."""

    def export(self, spans: Any) -> SpanExportResult:
        """See SpanExporter."""
        return SpanExportResult.SUCCESS


def cost(count: int, on: bool) -> float:
    """Microseconds of the process's CPU a step, beside so many tasks that wait."""

    async def main() -> float:
        never = asyncio.get_running_loop().create_future()
        waiting = [asyncio.ensure_future(_wait(never)) for _ in range(count)]
        await asyncio.sleep(0.1)
        runtime.flush()
        began = time.process_time()
        for _ in range(STEPS):
            await asyncio.sleep(0)
        runtime.flush()
        took = time.process_time() - began
        never.set_result(None)
        await asyncio.wait(waiting)
        return took / STEPS * 1e6

    if on:
        LoopscopeInstrumentor().instrument(span_exporter=Nowhere(), buffer_size=1 << 20, **ALL)
    return uvloop.new_event_loop().run_until_complete(main())


def memory(count: int, on: bool) -> float:
    """Bytes of the process's memory a task that lives and waits, beside some thousands that were there before."""

    async def main() -> float:
        never = asyncio.get_running_loop().create_future()
        waiting = await _grow(never, FORMER)
        before = _resident()
        waiting += await _grow(never, count)
        took = _resident() - before
        never.set_result(None)
        await asyncio.wait(waiting)
        return took / count

    if on:
        LoopscopeInstrumentor().instrument(span_exporter=Nowhere(), **ALL)
    return uvloop.new_event_loop().run_until_complete(main())


async def _grow(never: asyncio.Future[None], count: int) -> list[asyncio.Task[None]]:
    """So many tasks more, a thousand at a time; once all that is known of them has come where it stays."""
    made = []
    for _ in range(count // 1_000):
        made += [asyncio.ensure_future(_wait(never)) for _ in range(1_000)]
        await asyncio.sleep(0.02)
        runtime.flush()
    gc.collect()
    await asyncio.sleep(0.5)
    return made


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def _wait(never: asyncio.Future[None]) -> None:
    await never


def start() -> float:
    """Milliseconds in which `site` reads the start-up file, the variable being unset."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(PTH, folder)
        took = []
        for _ in range(200):
            began = time.perf_counter()
            site.addpackage(folder, PTH.name, set())  # type: ignore[attr-defined]
            took.append(time.perf_counter() - began)
    return min(took) * 1e3
