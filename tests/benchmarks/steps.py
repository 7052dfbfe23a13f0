"""What a step costs on the loop's thread: added to an empty `sleep(0)` step, as a ratio to a bare uvloop step.

Bare and instrumented runs are interleaved in one process; CPU time of the loop's thread; the minimum of many.
Run it: python -m tests.benchmarks.steps
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any

import uvloop

from loopscope.capture.buffer import Buffer
from loopscope.capture.core import Core
from loopscope.capture.gate import Gate
from loopscope.capture.life import FIRST
from loopscope.pipeline.spans.application import Application

STEPS = 20_000
REPEATS = 15


async def spin() -> None:
    """Empty steps."""
    for _ in range(STEPS):
        await asyncio.sleep(0)


def one(new_loop: Callable[[], Any]) -> float:
    """Nanoseconds of the thread's CPU time per step."""
    loop = new_loop()
    gc.collect()
    gc.disable()
    try:
        began = time.thread_time_ns()
        loop.run_until_complete(spin())
        return (time.thread_time_ns() - began) / STEPS
    finally:
        gc.enable()
        loop.close()


def recorded(new_loop: Callable[[], Any], wanted: bool) -> float:
    """The same with every step recorded into a buffer, or with the task excluded."""
    buffer = Buffer(STEPS * 2)
    core = Core(buffer, lambda name: wanted, lambda: None)
    seen = Application(buffer.put_vital, 0)
    core.current, core.current_in, core.describe = seen.current, seen.current_in, seen.describe
    core.deaf = not seen.heard
    gate = Gate(core)
    gate.install()
    try:
        took = one(new_loop)
    finally:
        gate.remove()
    steps = sum(record[0] == 1 for record in buffer.queue)
    assert steps == (STEPS if wanted else FIRST) + 1, steps
    return took


def measure(repeats: int = REPEATS) -> dict[str, float]:
    """Nanoseconds and ratios."""
    found: dict[str, float] = {}
    loops: dict[str, Callable[[], Any]] = {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}
    for _ in range(repeats):
        for name, new_loop in loops.items():
            for kind, took in (
                ("bare", one(new_loop)),
                ("recorded", recorded(new_loop, True)),
                ("not recorded", recorded(new_loop, False)),
            ):
                key = f"{name} {kind}"
                found[key] = min(found.get(key, took), took)
    bare = found["uvloop bare"]
    for name in loops:
        for kind in ("recorded", "not recorded"):
            found[f"{name} {kind}, added / bare uvloop step"] = (found[f"{name} {kind}"] - found[f"{name} bare"]) / bare
    return found


def report() -> None:
    """Print them."""
    for key, value in measure().items():
        print(f"{key:<50} {value:10.2f}")


if __name__ == "__main__":
    report()
