"""Names, coroutines, contexts and the lists of tasks."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import random
import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tests.noninterference.both import Log, both
from tests.scenarios.tasks import quick, sleeper
from tests.support import LOOPS

pytestmark = pytest.mark.parametrize("loop", LOOPS)


def test_coroutine(loop: str) -> None:
    async def program(log: Log) -> None:
        coroutine = quick()
        task = asyncio.create_task(coroutine)
        log.append(f"same {task.get_coro() is coroutine}")
        log.append(f"state {inspect.getcoroutinestate(coroutine)}")
        log.append(f"result {await task}, {type(task).__module__}.{type(task).__qualname__}")
        log.append(f"same {task.get_coro() is coroutine}")
        log.append(f"state {inspect.getcoroutinestate(coroutine)}")

    assert both(program, loop, steps=3) == [
        "same True", "state CORO_CREATED", "result quick, _asyncio.Task", "same True", "state CORO_CLOSED",
    ]  # fmt: skip


def test_numbers_of_unnamed_tasks(loop: str) -> None:
    async def program(log: Log) -> None:
        async def number() -> int:
            task = asyncio.create_task(quick())
            name = task.get_name()
            await task
            assert task.get_name() == name
            return int(name.removeprefix("Task-"))

        first = await number()
        await asyncio.gather(sleeper(), sleeper())
        await asyncio.wait_for(sleeper(), 1)
        await asyncio.get_running_loop().run_in_executor(None, int)
        log.append(f"{await number() - first}")

    # two of gather's, and the next; up to 3.11 wait_for() makes one as well
    assert both(program, loop, steps=8) == ["3" if sys.version_info >= (3, 12) else "4"]


def test_name_set_late(loop: str) -> None:
    async def program(log: Log) -> None:
        task = asyncio.create_task(sleeper())
        task.set_name("late")
        await task
        log.append(task.get_name())

    assert both(program, loop) == ["late"]


def test_all_and_current(loop: str) -> None:
    async def program(log: Log) -> None:
        async def child() -> None:
            current = asyncio.current_task()
            assert current is not None
            log.append(f"in {current.get_name()} of {names()}")
            await asyncio.sleep(0)

        def names() -> list[str]:
            return sorted(task.get_name() for task in asyncio.all_tasks() if task.get_name() in "ab")

        tasks = [asyncio.create_task(child(), name=name) for name in "ab"]
        log.append(f"before {names()}")
        await asyncio.wait(tasks)
        log.append(f"after {names()}")
        asyncio.get_running_loop().call_soon(lambda: log.append(f"callback in {asyncio.current_task()}"))
        await asyncio.sleep(0)

    assert both(program, loop, steps=5) == [
        "before ['a', 'b']", "in a of ['a', 'b']", "in b of ['a', 'b']", "after []", "callback in None",
    ]  # fmt: skip


def test_contexts(loop: str) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    async def program(log: Log) -> None:
        async def child() -> None:
            log.append(f"child sees {variable.get()}, {len(contextvars.copy_context()) - before} more")
            variable.set("by child")
            await asyncio.sleep(0)
            log.append(f"child sees {variable.get()}, {len(contextvars.copy_context()) - before} more")

        before = len(contextvars.copy_context())
        variable.set("by parent")
        await asyncio.create_task(child())
        log.append(f"parent sees {variable.get()}")
        event = asyncio.Event()
        for schedule in (asyncio.get_running_loop().call_soon, asyncio.get_running_loop().call_soon_threadsafe):
            event.clear()
            schedule(lambda: (log.append(f"callback sees {variable.get()}"), variable.set("lost"), event.set()))
            await event.wait()
        asyncio.get_running_loop().call_later(0, lambda: log.append(f"timer sees {variable.get()}"))
        await asyncio.sleep(0.005)
        log.append(f"parent sees {variable.get()}")

    assert both(program, loop, steps=5) == [
        "child sees by parent, 1 more",
        "child sees by child, 1 more",
        "parent sees by parent",
        "callback sees by parent",
        "callback sees by parent",
        "timer sees by parent",
        "parent sees by parent",
    ]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="create_task(context=) is new in 3.11")
def test_given_context(loop: str) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    async def program(log: Log) -> None:
        async def child() -> None:
            variable.set("by child")
            await asyncio.sleep(0)

        context = contextvars.copy_context()
        variables = len(context)
        task = asyncio.create_task(child(), context=context)
        await task
        log.append(f"{context[variable]}, {len(context) - variables} more")
        if sys.version_info >= (3, 12):
            assert task.get_context() is context  # type: ignore[attr-defined]

    assert both(program, loop, steps=3) == ["by child, 1 more"]


def test_current_span(loop: str) -> None:
    tracer = TracerProvider().get_tracer("app")

    async def program(log: Log) -> None:
        def name() -> str:
            return getattr(trace.get_current_span(), "name", "none")

        async def child() -> None:
            log.append(f"child in {name()}")
            with tracer.start_as_current_span("inner"):
                await asyncio.sleep(0)
                log.append(f"child in {name()}")
            await asyncio.sleep(0)
            log.append(f"child in {name()}")

        log.append(f"main in {name()}")
        with tracer.start_as_current_span("outer"):
            task = asyncio.create_task(child())
            await asyncio.sleep(0)
            log.append(f"main in {name()}")
        await task
        log.append(f"main in {name()}")

    assert both(program, loop, steps=5) == [
        "main in none", "child in outer", "main in outer", "child in inner", "child in outer", "main in none",
    ]  # fmt: skip


def test_random(loop: str) -> None:
    """A seeded program draws the same numbers, and nothing of ours draws one."""

    async def program(log: Log) -> None:
        random.seed(42)
        state = random.getstate()
        await asyncio.gather(*(sleeper() for _ in range(10)))
        log.append(f"untouched {random.getstate() == state}")
        log.append(f"{random.random():.6f}")

    assert both(program, loop, steps=21) == ["untouched True", "0.639427"]
