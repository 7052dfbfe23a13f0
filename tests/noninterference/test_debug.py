"""Debug mode's logs, source tracebacks, and the tracebacks of exceptions."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import re
import sys
import time
import traceback

import pytest

import loopscope
from tests.noninterference.both import Log, both, handler, plain
from tests.scenarios.tasks import blocker, quick
from tests.support import LOOPS

OURS = os.path.dirname(loopscope.__file__)


def frames(stack: object) -> list[str]:
    """One line for each of the innermost frames, of which debug mode keeps ten, ours among them."""
    assert isinstance(stack, list)
    return [f"{os.path.basename(frame.filename)}:{frame.lineno} {frame.name}" for frame in stack[-5:]]


class Watch(logging.Handler):
    """Writes asyncio's log messages of the slow things below, without durations."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        message = plain(record.getMessage()).split(" took ")[0]
        if "program() " not in message:  # a busy machine makes the program itself slow
            self._log.append(message)


def test_slow_callbacks(caplog: pytest.LogCaptureFixture) -> None:
    """uvloop's debug mode has no such log."""

    async def program(log: Log) -> None:
        watch = Watch(log)
        logging.getLogger("asyncio").addHandler(watch)
        loop = asyncio.get_running_loop()
        loop.slow_callback_duration = 0.01
        try:
            await asyncio.create_task(blocker(0.02), name="slow")
            loop.call_later(0, time.sleep, 0.02)
            loop.call_soon_threadsafe(time.sleep, 0.02)
            await asyncio.sleep(0.001)
            await asyncio.create_task(quick())
            task = asyncio.create_task(quick())
            task.add_done_callback(lambda _: time.sleep(0.02))
            await task
            await asyncio.sleep(0.001)
        finally:
            logging.getLogger("asyncio").removeHandler(watch)

    with caplog.at_level(logging.CRITICAL, "loopscope"):
        log = both(program, debug=True, steps=5)
    threadsafe = "_ThreadSafeHandle" if sys.version_info >= (3, 14) else "Handle"
    assert [re.split(r" name=|/tasks.py| at | created ", line)[0] for line in log] == [
        "Executing <Task finished",
        f"Executing <{threadsafe} sleep(0.02)",
        "Executing <TimerHandle when=N sleep(0.02)",
        "Executing <Handle test_slow_callbacks.<locals>.program.<locals>.<lambda>(<Task finishe...",
    ]


@pytest.mark.parametrize("loop", LOOPS)
def test_source_tracebacks(loop: str) -> None:
    """Of handles and tasks, as their own attribute and as an exception handler is given it."""

    async def program(log: Log) -> None:
        running, failed = asyncio.get_running_loop(), asyncio.Event()
        running.set_exception_handler(lambda _, context: log.extend(frames(context.get("source_traceback"))))

        def fail() -> None:
            failed.set()
            raise ValueError("no")

        for schedule in (
            lambda: running.call_soon(fail),
            lambda: running.call_later(0.001, fail),
            lambda: running.call_at(running.time() + 0.001, fail),
            lambda: running.call_soon_threadsafe(fail),
        ):
            failed.clear()
            handle = schedule()
            log.append(plain(handle))
            log.extend(frames(getattr(handle, "_source_traceback", [])))
            await failed.wait()
        task = asyncio.create_task(quick())
        log.extend(frames(task._source_traceback))  # type: ignore[attr-defined]
        await task

        async def nested() -> None:
            task = asyncio.create_task(quick())
            log.extend(frames(task._source_traceback))  # type: ignore[attr-defined]
            handle = running.call_soon(int)
            log.extend(frames(handle._source_traceback))
            log.append(plain(repr(task)))
            await task

        await asyncio.create_task(nested())

    log = both(program, loop, debug=True, steps=5)
    assert sum("test_debug.py" in line for line in log) >= 10


@pytest.mark.parametrize("loop", LOOPS)
def test_source_traceback_of_a_future(loop: str) -> None:
    async def program(log: Log) -> None:
        running = asyncio.get_running_loop()
        future = running.run_in_executor(None, int)
        log.extend(frames(future._source_traceback))
        await future

    log = both(program, loop, debug=True)
    assert any("run_in_executor" in line for line in log) == (loop == "asyncio")


@pytest.mark.parametrize("loop", LOOPS)
def test_exceptions(loop: str) -> None:
    """Of an exception that passes from task to task: the same frames and no other."""

    async def program(log: Log) -> None:
        async def fails() -> None:
            await asyncio.sleep(0)
            raise ValueError("no")

        async def passes_on() -> None:
            await asyncio.gather(fails())

        async def times_out() -> None:
            await asyncio.wait_for(asyncio.get_running_loop().create_future(), 0.001)

        async def ends_at_once() -> None:
            raise KeyError("gone")

        for function in (passes_on, times_out, ends_at_once):
            try:
                await asyncio.create_task(function())
            except Exception as error:
                told: BaseException | None = error
                while told is not None:
                    log.append(f"{type(told).__name__}({told}) {told.__suppress_context__}")
                    log.extend(frames(traceback.extract_tb(told.__traceback__)))
                    told = told.__cause__ or told.__context__

    log = both(program, loop, steps=10)
    assert any(line.endswith(" fails") for line in log)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("how", ["step", "callback", "threadsafe", "timer"])
def test_one_more_frame(loop: str, how: str) -> None:
    """What the application sees of us: one frame on the live stack of a step, or of a callback that may wake tasks.

    uvloop's own `run_forever` is one more below, as it is not Python's.
    """

    async def program(log: Log) -> None:
        running, seen = asyncio.get_running_loop(), asyncio.Event()

        def look() -> None:
            stack = traceback.extract_stack()
            ours = [frame.name for frame in stack if frame.filename.startswith(OURS)]
            assert len(ours) <= (2 if loop == "uvloop" else 1), ours
            kept = [frame for frame in stack if not frame.filename.startswith(OURS)]
            log.extend(frames(kept[-4:]))
            seen.set()

        async def step() -> None:
            await asyncio.sleep(0)
            look()

        task = asyncio.create_task(step()) if how == "step" else None
        if how == "callback":
            running.call_soon(look)
        elif how == "threadsafe":
            running.call_soon_threadsafe(look)
        elif how == "timer":
            running.call_later(0.001, look)
        await seen.wait()
        if task is not None:
            await task

    log = both(program, loop, steps=2)
    assert log[-1].endswith(" look")


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("debug", [False, True])
def test_exception_in_a_callback(loop: str, debug: bool) -> None:
    """What the loop's exception handler is told."""

    async def program(log: Log) -> None:
        running = asyncio.get_running_loop()
        running.set_exception_handler(handler(log, without=("source_traceback",)))

        failed = asyncio.Event()

        def fail(*_: object) -> None:
            failed.set()
            raise ValueError("no")

        for schedule in (
            running.call_soon,
            running.call_soon_threadsafe,
            functools.partial(running.call_later, 0.001),
            lambda callback: asyncio.create_task(quick()).add_done_callback(callback),
        ):
            schedule(fail)
            await failed.wait()
            failed.clear()

    log = both(program, loop, debug=debug, steps=4)
    assert log.count("exception: no") == 4
