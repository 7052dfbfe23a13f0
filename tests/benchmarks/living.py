"""What a step costs while many tasks live and wait, and what reading the start-up file costs a Python without loopscope."""

from __future__ import annotations

import asyncio
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
