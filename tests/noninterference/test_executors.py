"""What is handed to an executor runs, raises, is pickled and is freed as without."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import traceback
import weakref
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from tests.noninterference.both import Log, both, plain
from tests.support import LOOPS

loops = pytest.mark.parametrize("loop", LOOPS)

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="default")


def fails() -> None:
    """Raises, with a cause."""
    try:
        raise ValueError("inner")
    except ValueError as error:
        raise RuntimeError("outer") from error


def in_a_process(value: int) -> str:
    """What a process says."""
    return f"{value} {os.getpid() != 0}"


def fails_in_a_process() -> None:
    """Raises there."""
    raise KeyError("there")


@loops
def test_tracebacks(loop: str) -> None:
    """The whole of it, as the application prints it."""

    async def program(log: Log) -> None:
        running = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            for attempt in (
                asyncio.to_thread(fails),
                running.run_in_executor(pool, fails),
                asyncio.wrap_future(pool.submit(fails)),
            ):
                try:
                    await attempt
                except RuntimeError as error:
                    log.extend(
                        plain(entry) for entry in traceback.format_exception(type(error), error, error.__traceback__)
                    )

    assert len(both(program, loop)) > 20


@loops
def test_contexts_and_results(loop: str) -> None:
    async def program(log: Log) -> None:
        VARIABLE.set("set")
        log.append(await asyncio.to_thread(VARIABLE.get))
        log.append(await asyncio.get_running_loop().run_in_executor(None, VARIABLE.get))
        with ThreadPoolExecutor(1) as pool:
            log.append(plain([*pool.map(str, range(3))]))
            future = pool.submit(len, "four")
            log.append(f"{future.result()} {future.done()} {future.exception()}")

    assert both(program, loop) == ["set", "default", "['0', '1', '2']", "4 True None"]


@loops
def test_a_process_pool(loop: str) -> None:
    async def program(log: Log) -> None:
        running = asyncio.get_running_loop()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            log.append(await running.run_in_executor(pool, in_a_process, 7))
            try:
                await running.run_in_executor(pool, fails_in_a_process)
            except KeyError as error:
                log.append(f"{error!r} {len(traceback.extract_tb(error.__traceback__))}")

    assert both(program, loop)[0] == "7 True"


@loops
def test_when_things_are_freed(loop: str) -> None:
    """Function, argument and result go when they go without."""

    class Thing:
        def __call__(self, other: object) -> Thing:
            return Thing()

    async def program(log: Log) -> None:
        function, argument = Thing(), Thing()
        watched = [weakref.ref(function), weakref.ref(argument)]
        result = await asyncio.get_running_loop().run_in_executor(None, function, argument)
        watched.append(weakref.ref(result))
        with ThreadPoolExecutor(1) as pool:
            await asyncio.sleep(0.01)  # the default pool's thread lets go of its work item
            del function, argument, result
            log.append(plain([thing() is None for thing in watched]))
            pool.submit(len, "").result()

    assert both(program, loop) == ["[True, True, True]"]


@loops
def test_when_things_are_freed_where_the_function_raises(loop: str) -> None:
    """The error keeps the frames that it passed, and the future keeps the error: none of ours holds what it ran."""

    class Thing:
        def __call__(self, other: object) -> None:
            raise LookupError

    async def program(log: Log) -> None:
        function, argument = Thing(), Thing()
        watched = [weakref.ref(function), weakref.ref(argument)]
        for run in (asyncio.get_running_loop().run_in_executor(None, function, argument),
                    asyncio.to_thread(function, argument)):  # fmt: skip
            with pytest.raises(LookupError):
                await run
        del run
        await asyncio.sleep(0.01)
        del function, argument
        log.append(plain([thing() is None for thing in watched]))

    gc.collect()
    gc.disable()
    try:
        assert both(program, loop) == ["[True, True]"]
    finally:
        gc.enable()
