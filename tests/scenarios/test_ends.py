"""Odd ends: coroutines never awaited, exceptions never retrieved, tasks destroyed while pending."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.tasks import failing, sleeper, stuck
from tests.support import LOOPS, checked, family


@pytest.fixture
def no_collection() -> Iterator[None]:
    """What is freed is freed by its last reference, not by the collector."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _complaints() -> list[str]:
    told: list[str] = []

    def handler(loop: Any, context: dict[str, Any]) -> None:
        told.append(context["message"])

    asyncio.get_running_loop().set_exception_handler(handler)
    return told


@pytest.mark.parametrize("loop", LOOPS)
def test_never_awaited_coroutine(loop: str, no_collection: None) -> None:
    async def main() -> None:
        coroutine = sleeper()
        await asyncio.sleep(0)
        with pytest.warns(RuntimeWarning, match="coroutine 'sleeper' was never awaited"):
            del coroutine

    story = checked(main, loop)
    assert story.lines() == ["main 0: start > yielded", "main 1: yield > returned"]
    assert family(story) == ["main: returned"]


@pytest.mark.parametrize("loop", LOOPS)
def test_never_retrieved_exception(loop: str, no_collection: None) -> None:
    async def main() -> list[str]:
        told = _complaints()
        task = asyncio.create_task(failing())
        await asyncio.wait([task])
        assert told == []
        del task
        await asyncio.sleep(0)
        return told

    story = checked(main, loop)
    assert story.result == ["Task exception was never retrieved"]  # type: ignore[attr-defined]
    assert story.lines() == [
        "main 0: start > suspended asyncio.wait",
        "failing 0: start by main > yielded",
        "failing 1: yield > raised",
        "main 1: callback by _on_completion > yielded",
        "main 2: yield > returned",
    ]
    assert family(story) == ["main: returned", "failing: raised ERROR ValueError under main by main"]


@pytest.mark.parametrize("loop", LOOPS)
def test_destroyed_while_pending(loop: str, no_collection: None) -> None:
    async def main() -> list[str]:
        told = _complaints()
        task = asyncio.create_task(stuck())
        await asyncio.sleep(0)
        assert told == []
        del task
        gc.collect()  # future and task hold each other
        return told

    story = checked(main, loop)
    assert story.result == ["Task was destroyed but it is pending!"]  # type: ignore[attr-defined]
    assert story.lines() == [
        "main 0: start > yielded",
        "stuck 0: start by main > suspended asyncio.Future",
        "main 1: yield > returned",
    ]
    assert family(story) == ["main: returned", "stuck: destroyed under main by main"]
    stuck_span, last = story.task("stuck"), story.steps_of("main")[1]
    assert last.start <= stuck_span.end <= last.end


@pytest.mark.parametrize("loop", LOOPS)
def test_closed_loop_with_a_task_that_never_started(loop: str) -> None:
    async def main() -> None:
        asyncio.create_task(stuck())

    story = checked(main, loop)
    assert story.lines() == ["main 0: start > returned", "stuck 0: start by main > suspended asyncio.Future",
                             "stuck 1: cancel by _cancel_all_tasks > cancelled"]  # fmt: skip
    assert family(story) == ["main: returned", "stuck: cancelled under main by main"]
