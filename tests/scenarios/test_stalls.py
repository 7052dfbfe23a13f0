"""Stalls as they are: what held the loop, where and why, on both loops, by a watchdog that sleeps when they do."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from loopscope import LoopscopeInstrumentor, runtime
from loopscope.capture.glances import Glance, Glances
from loopscope.capture.life import enter
from loopscope.model import BLOCKING, COLLECTOR, GIL, PYTHON, UNSCHEDULED, Look, Step, TaskLife, clock
from loopscope.origin import is_ours
from loopscope.pipeline.frames import function_of, innermost
from tests.support import LOOPS, Main

THRESHOLD = 0.05
#: a machine that is busy elsewhere keeps the threads from running: once is no proof
TRIES = 4


@dataclass
class Seen:
    """What a run told: stalled steps as (function, causes of looks, functions of their stacks), and callbacks."""

    steps: list[tuple[TaskLife, Step]] = field(default_factory=list)
    callbacks: list[Look] = field(default_factory=list)
    runtime: runtime.Runtime | None = None
    result: Any = None

    def causes(self) -> set[str | None]:
        """Of all stalled steps."""
        return {look.cause for _, step in self.steps for look in step.looks or ()}

    def stacks(self) -> list[list[str]]:
        """The functions of each stack that was read in a step, outermost first."""
        return [
            [frame.code.co_name for frame in look.stack]
            for _, step in self.steps for look in step.looks or () if look.stack
        ]  # fmt: skip


def watch(main: Main, loop: str = "asyncio", **options: Any) -> Seen:
    """Run it with loopscope on."""
    seen = Seen()
    instrumentor = LoopscopeInstrumentor()
    instrumentor.instrument(span_exporter=InMemorySpanExporter(), **{"stall_threshold": THRESHOLD, **options})
    try:
        seen.runtime = current = runtime.current()
        assert current is not None
        stalls = current.pipeline.stalls
        stepped, looked = stalls.stepped, stalls.looked

        def keep_step(life: TaskLife, step: Step) -> None:
            stepped(life, step)
            if step.looks:
                seen.steps.append((life, step))

        def keep_look(look: Look) -> None:
            looked(look)
            if look.task == 0:
                seen.callbacks.append(look)

        stalls.stepped, stalls.looked = keep_step, keep_look  # type: ignore[method-assign]
        seen.result = LOOPS[loop](main())
    finally:
        instrumentor.uninstrument()
    return seen


def until(holds: Callable[[], Seen], right: Callable[[Seen], bool]) -> Seen:
    """The first of some runs that is right, else the last one."""
    for _ in range(TRIES):
        seen = holds()
        if right(seen):
            break
    return seen


def sleep() -> None:
    """Block."""
    time.sleep(0.15)


def compute() -> int:
    """Compute in Python."""
    start, used, number = time.perf_counter(), time.thread_time(), 0
    while time.perf_counter() < start + 0.2:
        number += 1
    SHARES.append((time.thread_time() - used) / (time.perf_counter() - start))
    return number


def native() -> int:
    """One call in C that keeps the GIL, for some tenths of a second."""
    return len(sorted(NUMBERS))


def receive() -> None:
    """Wait for bytes that never come."""
    one, other = socket.socketpair()
    with one, other:
        one.settimeout(0.15)
        with contextlib.suppress(TimeoutError):
            one.recv(1)


def collect() -> None:
    """Collect a heap of cycles."""
    gc.collect()


#: which part of its time `compute` had a processor, by run
SHARES: list[float] = []

NUMBERS: list[str] = []


@pytest.fixture
def numbers() -> Iterator[None]:
    """What takes long to sort."""
    NUMBERS[:] = [str(number * 7919 % 1_000_003) for number in range(600_000)]
    yield
    NUMBERS.clear()


@pytest.fixture
def heap() -> Iterator[None]:
    """Many objects for the collector to look at."""
    gc.disable()
    kept = [[[]] for _ in range(1_500_000)]
    yield
    kept.clear()
    gc.enable()


def holding(function: Callable[[], Any]) -> Main:
    """A task whose second step calls this."""

    async def main() -> None:
        await asyncio.sleep(0.02)
        function()
        await asyncio.sleep(0.01)

    return main


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("function", "cause"), [(sleep, BLOCKING), (receive, BLOCKING), (compute, PYTHON)])
def test_a_step_that_holds_the_loop(loop: str, function: Callable[[], Any], cause: str) -> None:
    """It is the one stall, with its stack from the task's coroutine to the innermost function, and its cause."""

    def right(seen: Seen) -> bool:
        stacks = seen.stacks()
        return (
            seen.causes() == {cause}
            and bool(stacks)
            and all(stack[:2] == ["main", function.__name__] for stack in stacks)
        )

    seen = until(lambda: watch(holding(function), loop), right)
    if cause == PYTHON and SHARES[-1] < 0.6:  # busy elsewhere indeed
        assert seen.causes() <= {PYTHON, UNSCHEDULED}
    else:
        assert seen.causes() == {cause}
    ((life, step),) = seen.steps
    assert (life.place.qualname.split(".")[-1], step.index) == ("main", 1)
    for look in step.looks or ():
        assert look.since == step.start and THRESHOLD * 1e9 <= look.time - look.since <= step.end - step.start
        assert (look.task, look.step, look.loop, look.thread) == (life.id, 1, step.where.loop, step.where.thread)
        frame = innermost(look.stack)
        assert frame is not None
        assert function_of(frame) == function.__name__
        assert function.__code__.co_firstlineno < frame.line < function.__code__.co_firstlineno + 9
        assert [frame.code.co_name for frame in look.stack[:2]] == ["main", function.__name__]
    assert 1 <= len(step.looks or ()) <= 3


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_what_follows_a_first_step_within_another(caplog: pytest.LogCaptureFixture) -> None:
    """Only what the outer step does afterwards counts for it, and is told of it."""

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        for after in (0.03, 0.15):
            await asyncio.sleep(0.02)
            asyncio.create_task(eager())
            time.sleep(after)

    async def eager() -> None:
        sleep()

    def right(seen: Seen) -> bool:
        return {stack[-1] for stack in seen.stacks()} == {"sleep", "main"} and seen.causes() == {BLOCKING}

    def once() -> Seen:
        caplog.clear()
        return watch(main)

    seen = until(once, right)
    assert right(seen), seen.stacks()
    assert [(life.place.qualname.split(".")[-1], step.index) for life, step in seen.steps] == [
        ("eager", 0), ("eager", 0), ("main", 2)
    ]  # fmt: skip
    told = [float(found[1]) for found in re.finditer(r"main held the event loop for ([0-9.]+) s", caplog.text)]
    assert len(told) == 1 and 0.15 <= told[0] < 0.25


@pytest.mark.parametrize("loop", LOOPS)
def test_native_code_that_keeps_the_gil(loop: str, numbers: None) -> None:
    """The watchdog itself comes late, and tells so: where the thread was when it let the GIL go."""

    def right(seen: Seen) -> bool:
        return seen.causes() == {GIL} and all(stack[:2] == ["main", "native"] for stack in seen.stacks())

    seen = until(lambda: watch(holding(native), loop), right)
    assert seen.causes() == {GIL}
    assert len(seen.steps) == 1
    assert right(seen), seen.stacks()


@pytest.mark.parametrize("loop", LOOPS)
def test_native_code_on_another_thread_that_keeps_the_gil(loop: str, numbers: None) -> None:
    """It gets the GIL while the loop looks at its selector, with nothing running: timers are due meanwhile."""

    async def main() -> None:
        running = asyncio.get_running_loop()
        await running.run_in_executor(None, int)  # the thread is there: to start one lets the GIL go within the step
        await asyncio.gather(
            running.run_in_executor(None, native), *(asyncio.sleep(0.005 * number) for number in range(100))
        )

    def causes(seen: Seen) -> set[str]:
        assert seen.runtime is not None
        return {cause for _, cause in seen.runtime.pipeline.stalls.by_place}

    assert GIL in causes(until(lambda: watch(main, loop), lambda seen: GIL in causes(seen)))


@pytest.mark.parametrize("loop", LOOPS)
def test_the_garbage_collector(loop: str, heap: None) -> None:
    """A forced collection of a big heap."""
    seen = until(lambda: watch(holding(collect), loop), lambda seen: seen.causes() == {COLLECTOR})
    assert seen.causes() == {COLLECTOR}
    assert len(seen.steps) == 1
    for stack in seen.stacks():
        assert stack[:2] == ["main", "collect"]
        assert "_told" not in stack, "our hook on the collector is not shown"


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("way", ["call_soon", "call_later", "call_soon_threadsafe"])
def test_a_callback_that_holds_the_loop(loop: str, way: str) -> None:
    """It is named, and found for the time in which it held the thread."""

    def blocks() -> None:
        sleep()

    async def main() -> None:
        running = asyncio.get_running_loop()
        await asyncio.sleep(0.01)
        if way == "call_soon":
            running.call_soon(blocks)
        elif way == "call_later":
            running.call_later(0.01, blocks)
        else:
            threading.Thread(target=running.call_soon_threadsafe, args=(blocks,)).start()
        await asyncio.sleep(0.2)

    seen = until(lambda: watch(main, loop), lambda seen: {look.cause for look in seen.callbacks} == {BLOCKING})
    assert {look.cause for look in seen.callbacks} == {BLOCKING}
    assert seen.steps == []
    assert {(look.task, look.step) for look in seen.callbacks} == {(0, -1)}
    for look in seen.callbacks:
        assert [frame.code.co_name for frame in look.stack] == ["blocks", "sleep"]
    assert seen.runtime is not None
    stalls = seen.runtime.pipeline.stalls
    assert stalls.stalls == 1
    first = seen.callbacks[0]
    frame = stalls.callback_at(first.thread, first.since, first.time)
    assert frame is not None and function_of(frame) == "sleep"


@pytest.mark.parametrize("loop", LOOPS)
def test_callbacks_that_do_not(loop: str) -> None:
    """Each is short, and the next one's frame stands where the last one's stood."""

    async def main() -> None:
        running, end = asyncio.get_running_loop(), time.perf_counter() + 0.5
        done = running.create_future()

        def tick() -> None:
            time.sleep(0.02)
            if time.perf_counter() > end:
                done.set_result(None)
            else:
                running.call_soon(tick)

        running.call_soon(tick)
        await done

    seen = watch(main, loop)
    assert seen.callbacks == []
    assert seen.runtime is not None
    assert seen.runtime.watchdog.wakes >= 5


@pytest.mark.parametrize("loop", LOOPS)
def test_none_is_missed(loop: str) -> None:
    """One that ended just before the look is told by its record."""

    async def main() -> None:
        for _ in range(5):
            await asyncio.sleep(0.01)
            time.sleep(THRESHOLD + 0.001)

    seen = watch(main, loop)
    assert [step.index for _, step in seen.steps] == [1, 2, 3, 4, 5]
    assert all(len(step.looks or ()) == 1 for _, step in seen.steps)
    assert seen.runtime is not None
    assert seen.runtime.pipeline.stalls.stalls == 5


@pytest.mark.parametrize("core", ["python", "native"])
def test_what_a_hook_of_ours_calls(core: str) -> None:
    """Debug mode takes a traceback for each task: it is the application's function that makes too many of them."""

    async def child() -> None:
        pass

    async def main() -> None:
        asyncio.get_running_loop().set_debug(True)
        tasks = [asyncio.create_task(child()) for _ in range(3_000)]
        asyncio.get_running_loop().set_debug(False)
        await asyncio.wait(tasks)

    seen = until(lambda: watch(main, core=core), lambda seen: len(seen.stacks()) > 1)
    stacks = [look.stack for _, step in seen.steps for look in step.looks or () if look.stack]
    assert len(stacks) > 1
    for stack in stacks:
        assert not any(is_ours(frame.code.co_filename) for frame in stack)
        frame = innermost(stack)
        assert frame is not None and frame.code.co_name in ("main", "<listcomp>")


def test_looks_double_their_distance() -> None:
    """And there are six at most."""
    seen = until(
        lambda: watch(holding(lambda: time.sleep(0.5)), stall_threshold=0.01),
        lambda seen: len(seen.steps) == 1 and len(seen.steps[0][1].looks or ()) == 6,
    )
    ((_, step),) = seen.steps
    held = [(look.time - look.since) / 1e6 for look in step.looks or ()]
    assert len(held) == 6
    for number, milliseconds in enumerate(held):
        assert 10 << number <= milliseconds < 20 << number


def test_without_stacks() -> None:
    """Looks and causes all the same."""
    seen = until(lambda: watch(holding(sleep), stacks=False), lambda seen: seen.causes() == {BLOCKING})
    assert (seen.causes(), seen.stacks()) == ({BLOCKING}, [])


@pytest.mark.parametrize("loop", LOOPS)
def test_the_watchdog_sleeps_while_loops_are_idle(loop: str) -> None:
    """Not one wake in half a second; then it is there again."""

    def idle() -> tuple[int, int]:
        current = runtime.current()
        assert current is not None
        time.sleep(4 * THRESHOLD)
        before = current.watchdog.wakes
        time.sleep(0.5)
        return before, current.watchdog.wakes

    async def main() -> tuple[int, int]:
        counted = await asyncio.get_running_loop().run_in_executor(None, idle)
        sleep()
        return counted

    seen = until(lambda: watch(main, loop), lambda seen: seen.causes() == {BLOCKING})
    before, after = seen.result
    assert after == before
    assert seen.causes() == {BLOCKING}


@pytest.mark.parametrize("loop", LOOPS)
def test_the_watchdog_wakes_as_often_as_the_threshold_asks(loop: str) -> None:
    """While short steps follow each other."""

    async def main() -> tuple[int, int]:
        current = runtime.current()
        assert current is not None
        before, end, steps = current.watchdog.wakes, time.perf_counter() + 0.5, 0
        while time.perf_counter() < end:
            await asyncio.sleep(0)
            steps += 1
        return current.watchdog.wakes - before, steps

    seen = watch(main, loop)
    wakes, steps = seen.result
    assert wakes <= 2 * 0.5 / THRESHOLD + 2
    assert steps > 1000
    assert seen.steps == []


@pytest.mark.parametrize("loop", LOOPS)
def test_a_glance_in_the_watchdogs_place(loop: str) -> None:
    """Where the watchdog is overdue, another thread that wakes keeps the stack of what holds the loop; else not."""
    told: list[Glance | None] = []

    async def main() -> None:
        current = runtime.current()
        assert current is not None
        for due in (clock(), clock() + 10**10):
            glances = Glances(current.core, int(THRESHOLD * 1e9), True)
            glances.due = due
            thread = threading.Timer(2 * THRESHOLD, glances.take)
            thread.start()
            time.sleep(4 * THRESHOLD)
            told.extend((glances.of(enter()), glances.of(enter())))
            thread.join()

    watch(main, loop)
    seen, *others = told
    assert seen is not None and (seen.step, len(others)) == (0, 3) and set(others) == {None}
    assert [frame.code.co_name for frame in seen.stack] == ["main"]
    assert seen.time - seen.since >= THRESHOLD * 1e9


def test_nothing_is_left() -> None:
    """No thread, no hook on the collector, no mark on a frame."""
    hooks = list(gc.callbacks)
    hooked: list[int] = []

    async def main() -> list[str]:
        await asyncio.sleep(0.01)
        hooked.append(len(gc.callbacks) - len(hooks))
        return [thread.name for thread in threading.enumerate()]

    seen = watch(main)
    assert "loopscope-watchdog" in seen.result
    assert "loopscope-watchdog" not in {thread.name for thread in threading.enumerate()}
    assert gc.callbacks == hooks
    far = watch(main, stall_threshold=1e9)
    assert "loopscope-watchdog" not in far.result
    assert hooked == [1, 0]


def test_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """It stops and is told once; the application goes on."""
    from loopscope.capture import watchdog

    def broken(*_: Any) -> Any:
        raise ValueError("of ours")

    monkeypatch.setattr(watchdog.Watchdog, "_look", broken)

    async def main() -> str:
        sleep()
        await asyncio.sleep(0.01)
        return "went on"

    seen = watch(main)
    assert seen.result == "went on"
    assert seen.runtime is not None and seen.runtime.core.errors == 1
    assert [record.levelname for record in caplog.records].count("ERROR") == 1


def test_a_stack_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the look has none."""
    from loopscope.capture import private

    def broken() -> Any:
        raise RuntimeError("theirs")

    monkeypatch.setattr(private, "current_frames", broken)
    seen = watch(holding(sleep))
    assert (len(seen.steps), seen.stacks()) == (1, [])
    assert None not in seen.causes()
