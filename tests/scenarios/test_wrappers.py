"""Known wrappers are looked through: ensure_future's, uvloop.run's (everywhere here), anyio's, contrib's."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from typing import Any

import anyio
import pytest
from asgiref.sync import async_to_sync
from opentelemetry.instrumentation.asyncio import AsyncioInstrumentor
from opentelemetry.sdk.trace import TracerProvider

from tests.scenarios.tasks import sleeper
from tests.support import LOOPS, check_sums, checked, family, recording


class Awaitable:
    """Not a coroutine: ensure_future wraps it in one."""

    def __await__(self) -> Generator[Any, None, str]:
        return sleeper().__await__()


@pytest.mark.parametrize("loop", LOOPS)
def test_ensure_future_of_an_awaitable(loop: str) -> None:
    async def main() -> str:
        return await asyncio.ensure_future(Awaitable())

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended task Awaitable",
        "Awaitable 0: start by main > suspended asyncio.sleep",
        "Awaitable 1: timer > returned",
        "main 1: task by Awaitable > returned",
    ]
    assert family(story) == ["main: returned", "Awaitable: returned under main by main"]


@pytest.mark.parametrize("use_uvloop", [False, True], ids=["asyncio", "uvloop"])
def test_anyio(use_uvloop: bool) -> None:
    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(sleeper, 0.001)

    with recording() as story:
        anyio.run(main, backend_options={"use_uvloop": use_uvloop})
    assert story.lines()[:3] == [
        "main 0: start > suspended anyio._backends._asyncio.TaskGroup.__aexit__",
        "sleeper 0: start by main > suspended asyncio.sleep",
        "sleeper 1: timer > returned",
    ]
    assert family(story) == ["main: returned", "sleeper: returned under main by main"]
    check_sums(story)


@pytest.fixture
def contrib(monkeypatch: pytest.MonkeyPatch) -> Iterator[AsyncioInstrumentor]:
    monkeypatch.setenv("OTEL_PYTHON_ASYNCIO_COROUTINE_NAMES_TO_TRACE", "sleeper")
    instrumentor = AsyncioInstrumentor()
    instrumentor.instrument(tracer_provider=TracerProvider())
    yield instrumentor
    instrumentor.uninstrument()


def test_async_to_sync_of_asgiref() -> None:
    """As Django and Flask run an async view: on a loop of its own, in two wrappers."""

    async def view() -> int:
        await asyncio.sleep(0)
        return 1

    with recording() as story:
        assert async_to_sync(view)() == 1
    check_sums(story)
    assert [task.name.split(".")[-1] for task in story.tasks] == ["view"]


async def unnamed() -> None:
    """Not among those that contrib's traces."""
    await asyncio.sleep(0)


@pytest.mark.parametrize("loop", LOOPS)
def test_contribs_asyncio_instrumentation(loop: str, contrib: AsyncioInstrumentor) -> None:
    async def main() -> None:
        await asyncio.create_task(unnamed())
        await asyncio.create_task(sleeper())

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended task unnamed",
        "unnamed 0: start by main > yielded",
        "unnamed 1: yield > returned",
        "main 1: task by unnamed > suspended task sleeper",
        "sleeper 0: start by main > suspended asyncio.sleep",
        "sleeper 1: timer > returned",
        "main 2: task by sleeper > returned",
    ]
    # contrib's span `asyncio coro-sleeper` is current nowhere: the parents are the tasks
    assert family(story) == [
        "main: returned",
        "unnamed: returned under main by main",
        "sleeper: returned under main by main",
    ]
