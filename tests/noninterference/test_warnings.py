"""Warnings of what was forgotten: an exception never retrieved, a coroutine never awaited, a task destroyed. When and how."""

from __future__ import annotations

import asyncio
import gc
import sys
import traceback
import warnings
from typing import Any

import pytest

from tests.noninterference.both import Log, both, handler, plain
from tests.scenarios.tasks import failing, quick, stuck
from tests.support import LOOPS

pytestmark = pytest.mark.parametrize("loop", LOOPS)

#: in debug mode a task's exception handler is told more, but nothing else happens at another time
modes = pytest.mark.parametrize("debug", [False, True])


@modes
def test_exception_never_retrieved(loop: str, debug: bool) -> None:
    """Told when the last reference goes, not at the end of the task and not by a garbage collection."""

    async def program(log: Log) -> None:
        asyncio.get_running_loop().set_exception_handler(handler(log, without=("source_traceback", "future", "task")))
        task = asyncio.create_task(failing())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        log.append(f"done {task.done()}")
        del task
        log.append("gone")

    assert both(program, loop, debug=debug, steps=5) == [
        "done True", "exception: no", "message: Task exception was never retrieved", "gone",
    ]  # fmt: skip


@modes
def test_exception_of_a_forgotten_task(loop: str, debug: bool) -> None:
    """Nobody holds the task: told at the end of its last step, before the next callback."""

    async def program(log: Log) -> None:
        running = asyncio.get_running_loop()
        running.set_exception_handler(handler(log, without=("source_traceback", "future", "task")))

        async def forgotten() -> None:
            running.call_soon(log.append, "next callback")
            raise ValueError("no")

        running.create_task(forgotten())
        await asyncio.sleep(0)
        log.append("after")
        await asyncio.sleep(0)

    assert both(program, loop, debug=debug, steps=3) == [
        "exception: no", "message: Task exception was never retrieved", "after", "next callback",
    ]  # fmt: skip


def test_exception_retrieved(loop: str) -> None:
    async def program(log: Log) -> None:
        asyncio.get_running_loop().set_exception_handler(handler(log))
        task = asyncio.create_task(failing())
        await asyncio.wait([task])
        log.append(f"{task.exception()!r}")
        del task

    assert both(program, loop, steps=3) == ["ValueError('no')"]


@modes
def test_destroyed_while_pending(loop: str, debug: bool) -> None:
    async def program(log: Log) -> None:
        asyncio.get_running_loop().set_exception_handler(handler(log, without=("source_traceback", "task")))

        async def doomed() -> None:
            try:
                await stuck()
            finally:
                log.append("finally")

        task = asyncio.create_task(doomed())
        await asyncio.sleep(0)
        del task
        log.append("before")  # the future that it waits for holds it, and it the future
        gc.collect()
        log.append("after")

    first, *between, last = both(program, loop, debug=debug, steps=2)
    assert (first, last) == ("before", "after")
    assert sorted(between) == ["finally", "message: Task was destroyed but it is pending!"]


def test_never_awaited(loop: str) -> None:
    async def program(log: Log) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            coroutine = quick()
            await asyncio.sleep(0)
            log.append("before")
            del coroutine
            log.extend(str(warning.message) for warning in caught)
            caught.clear()
            log.append("refused")
            try:
                asyncio.get_running_loop().create_task(quick(), nonsense=1)  # type: ignore[call-arg]
            except TypeError:
                pass
            log.extend(str(warning.message) for warning in caught)

    assert both(program, loop)[:3] == ["before", "coroutine 'quick' was never awaited", "refused"]


def test_cancelled_before_its_start(loop: str) -> None:
    """The coroutine never runs, which CPython does not warn of; the loop is closed with it."""

    async def program(log: Log) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            task = asyncio.create_task(quick())
            task.cancel()
            await asyncio.wait([task])
            del task
            log.extend(str(warning.message) for warning in caught)
            log.append("end")

    assert both(program, loop, steps=2) == ["end"]


def test_never_retrieved_of_a_future(loop: str) -> None:
    async def program(log: Log) -> None:
        running = asyncio.get_running_loop()
        running.set_exception_handler(handler(log, without=("future",)))

        def fail() -> None:
            raise ValueError("no")

        future = running.run_in_executor(None, fail)
        await asyncio.wait([future])
        log.append("before")
        del future
        log.append("after")

    assert both(program, loop) == [
        "before", "exception: no", "message: Future exception was never retrieved", "after",
    ]  # fmt: skip


def test_never_awaited_points_to_the_application_s_line(loop: str) -> None:
    """Text, file and line of the warning, and the whole traceback where warnings are errors."""

    async def program(log: Log) -> None:
        await asyncio.sleep(0)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            quick()
            line = sys._getframe().f_lineno - 1
            log.extend(f"{w.filename == __file__} {w.lineno == line} {w.category} {w.message}" for w in caught)
            log.append(f"{caught[0].source!r}".split(" at ")[0])
        hook, sys.unraisablehook = sys.unraisablehook, lambda told: log.extend(_told(told))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                quick()
        finally:
            sys.unraisablehook = hook

    first, source, *rest = both(program, loop)
    assert first == "True True <class 'RuntimeWarning'> coroutine 'quick' was never awaited"
    assert source == "<coroutine object quick"
    assert rest[0] == "RuntimeWarning" and len(rest) >= 2


def _told(told: Any) -> list[str]:
    frames = traceback.extract_tb(told.exc_traceback)
    return [told.exc_type.__name__, plain(told.err_msg), *(f"{frame.filename} {frame.lineno}" for frame in frames)]
