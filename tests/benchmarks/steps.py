"""What a step costs on the loop's thread, by core: added to an empty step, as a ratio to a bare uvloop step.

A step ends in `sleep(0)` ("yields"), or waits for a future that the next one sets ("waits").
Bare and instrumented runs are interleaved in one process; CPU time of the loop's thread; the minimum of many. Records are
thrown away every so often, as the background thread takes them: memory that is ever new would be a cost of its own.
Run it: python -m tests.benchmarks.steps
"""

from __future__ import annotations

import ast
import asyncio
import gc
import time
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from loopscope.capture import cores
from loopscope.capture.buffer import Buffer
from loopscope.capture.core import Core
from loopscope.capture.life import FIRST
from tests.benchmarks.export import apart
from tests.native.records import gated

STEPS, TURN = 20_000, 500
REPEATS = 15

#: what is called every TURN steps
Drain = Callable[[], None]
Program = Callable[[Drain], Coroutine[Any, Any, None]]


def nothing() -> None:
    """For a bare run."""


async def yields(drain: Drain) -> None:
    """Empty steps."""
    for step in range(STEPS):
        await asyncio.sleep(0)
        if not step % TURN:
            drain()


async def waits(drain: Drain) -> None:
    """Two tasks that wake each other."""
    loop = asyncio.get_running_loop()
    turns = [loop.create_future(), loop.create_future()]

    async def player(mine: int) -> None:
        for step in range(STEPS // 2):
            if not step % TURN:
                drain()
            turn = turns[mine] = loop.create_future()
            if not turns[1 - mine].done():
                turns[1 - mine].set_result(None)
            await turn
        if not turns[1 - mine].done():
            turns[1 - mine].set_result(None)

    await asyncio.gather(player(0), player(1))


PROGRAMS: dict[str, Program] = {"yields": yields, "waits": waits}
LOOPS: dict[str, Callable[[], Any]] = {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


def available() -> dict[str, type[Core]]:
    """The cores that can be loaded here, by name."""
    chosen = (cores.choose(name).core for name in (cores.PYTHON, cores.NATIVE))
    return {core.name: core for core in chosen}


def one(new_loop: Callable[[], Any], program: Program, drain: Drain = nothing) -> float:
    """Nanoseconds of the thread's CPU time per step."""
    loop = new_loop()
    gc.collect()
    gc.disable()
    try:
        began = time.thread_time_ns()
        loop.run_until_complete(program(drain))
        return (time.thread_time_ns() - began) / STEPS
    finally:
        gc.enable()
        loop.close()


def recorded(new_loop: Callable[[], Any], program: Program, kind: type[Core], wanted: bool) -> float:
    """The same with every step recorded into a buffer, or with the tasks excluded."""
    buffer, records = Buffer(STEPS * 2), 0

    def drain() -> None:
        nonlocal records
        records += len(buffer.queue)
        buffer.queue.clear()

    with gated(kind, buffer, lambda name: wanted) as core:
        took = one(new_loop, program, drain)
    drain()
    assert core.errors == 0 and (records > STEPS if wanted else records < 3 * FIRST), (core.errors, records)
    return took


def measure(repeats: int = REPEATS, programs: tuple[str, ...] = tuple(PROGRAMS)) -> dict[str, float]:
    """Nanoseconds, and the ratios: each core in a process of its own, for the native one changes the other's cells."""
    found: dict[str, float] = {}
    for core in available():
        told = ast.literal_eval(apart(f"steps.of({core!r}, {repeats}, {programs!r})", core))
        found |= {key: min(value, found.get(key, value)) for key, value in told.items()}
    return found


def of(core: str, repeats: int, programs: tuple[str, ...]) -> dict[str, float]:
    """The same of one core, in this process."""
    found: dict[str, float] = {}

    def note(key: str, took: float) -> None:
        found[key] = min(found.get(key, took), took)

    kind = cores.choose(core).core
    measured = [(loop, name) for loop in LOOPS for name in programs]
    for _ in range(repeats):
        for loop, name in measured:
            note(f"{loop} {name} bare", one(LOOPS[loop], PROGRAMS[name]))
            for what, wanted in (("recorded", True), ("not recorded", False)):
                note(f"{loop} {name} {what} by {core}", recorded(LOOPS[loop], PROGRAMS[name], kind, wanted))
    bare = found[f"uvloop {programs[0]} bare"]
    for loop, name in measured:
        for what in ("recorded", "not recorded"):
            added = found[f"{loop} {name} {what} by {core}"] - found[f"{loop} {name} bare"]
            found[ratio(loop, name, what, core)] = added / bare
    return found


def ratio(loop: str, name: str, what: str, core: str) -> str:
    """The key of a ratio in what `measure` gives."""
    return f"{loop} {name} {what} by {core}, added / bare uvloop step"


def report() -> None:
    """Print them."""
    for key, value in measure().items():
        print(f"{key:<72} {value:10.2f}")


if __name__ == "__main__":
    report()
