"""Cancellation: when it comes, what the task makes of it, and who asked for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tests.scenarios.tasks import stuck
from tests.support import LOOPS, checked, edges, family


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])


@pytest.mark.parametrize("loop", LOOPS)
def test_before_the_first_step(loop: str) -> None:
    async def main() -> None:
        task = asyncio.create_task(stuck())
        task.cancel()
        await _ended(task)

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.wait",
        "stuck 0: start by main > cancelled",
        "main 1: callback by _on_completion > returned",
    ]
    assert family(story) == ["main: returned", "stuck: cancelled under main by main"]
    assert story.task("stuck").status_code == "UNSET"


@pytest.mark.parametrize("loop", LOOPS)
def test_in_mid_wait(loop: str) -> None:
    async def main() -> None:
        task = asyncio.create_task(stuck())
        await asyncio.sleep(0)
        task.cancel("enough")
        await _ended(task)

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > yielded",
        "stuck 0: start by main > suspended asyncio.Future",
        "main 1: yield > suspended asyncio.wait",
        "stuck 1: cancel by main > cancelled",
        "main 2: callback by _on_completion > returned",
    ]
    assert edges(story) == ["stuck 0 < main 0", "stuck 1 < main 1", "main 2 < stuck 1"]
    assert family(story) == ["main: returned", "stuck: cancelled under main by main"]
    assert [span.status_code for span in story.spans] == ["UNSET"] * 7


@pytest.mark.parametrize("loop", LOOPS)
def test_swallowed(loop: str) -> None:
    async def swallowing() -> None:
        try:
            await stuck()
        except asyncio.CancelledError:
            await asyncio.sleep(0.001)

    async def main() -> None:
        task = asyncio.create_task(swallowing())
        await asyncio.sleep(0)
        task.cancel()
        await task

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > yielded",
        "swallowing 0: start by main > suspended asyncio.Future",
        "main 1: yield > suspended task swallowing",
        "swallowing 1: cancel by main > suspended asyncio.sleep",
        "swallowing 2: timer > returned",
        "main 2: task by swallowing > returned",
    ]
    assert family(story) == ["main: returned", "swallowing: returned under main by main"]


@pytest.mark.parametrize("loop", LOOPS)
def test_reraised(loop: str) -> None:
    async def tidying() -> None:
        try:
            await stuck()
        finally:
            await asyncio.sleep(0.001)

    async def main() -> None:
        task = asyncio.create_task(tidying())
        await asyncio.sleep(0)
        task.cancel()
        await _ended(task)

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > yielded",
        "tidying 0: start by main > suspended asyncio.Future",
        "main 1: yield > suspended asyncio.wait",
        "tidying 1: cancel by main > suspended asyncio.sleep",
        "tidying 2: timer > cancelled",
        "main 2: callback by _on_completion > returned",
    ]
    assert family(story) == ["main: returned", "tidying: cancelled under main by main"]


@pytest.mark.parametrize("loop", LOOPS)
def test_twice(loop: str) -> None:
    async def stubborn() -> None:
        try:
            await stuck()
        except asyncio.CancelledError:
            await stuck()

    async def main() -> None:
        task = asyncio.create_task(stubborn())
        for _ in range(2):
            await asyncio.sleep(0)
            task.cancel()
        await _ended(task)

    assert checked(main, loop).lines() == [
        "main 0: start > yielded",
        "stubborn 0: start by main > suspended asyncio.Future",
        "main 1: yield > yielded",
        "stubborn 1: cancel by main > suspended asyncio.Future",
        "main 2: yield > suspended asyncio.wait",
        "stubborn 2: cancel by main > cancelled",
        "main 3: callback by _on_completion > returned",
    ]


@pytest.mark.parametrize("loop", LOOPS)
def test_cancels_itself_and_returns(loop: str) -> None:
    async def suicidal() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    async def main() -> None:
        await _ended(asyncio.create_task(suicidal()))

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.wait",
        "suicidal 0: start by main > returned",
        "main 1: callback by _on_completion > returned",
    ]
    assert family(story) == ["main: returned", "suicidal: cancelled under main by main"]


@pytest.mark.parametrize("loop", LOOPS)
def test_cancels_itself_once_more_and_returns(loop: str) -> None:
    """It was thrown a cancellation in that step, and outlived it."""

    async def suicidal() -> None:
        with suppress(asyncio.CancelledError):
            await stuck()
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    async def main() -> None:
        task = asyncio.create_task(suicidal())
        await asyncio.sleep(0)
        task.cancel()
        await _ended(task)

    story = checked(main, loop)
    assert "suicidal 1: cancel by main > returned" in story.lines()
    assert "suicidal: cancelled under main by main" in family(story)


@pytest.mark.parametrize("loop", LOOPS)
def test_cancels_itself_and_is_cancelled_by_what_it_awaits(loop: str) -> None:
    """The CancelledError is not its own, and it never suspends."""

    async def suicidal(dead: asyncio.Future[None]) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await dead

    async def main() -> None:
        dead = asyncio.get_running_loop().create_future()
        dead.cancel()
        await _ended(asyncio.create_task(suicidal(dead)))

    story = checked(main, loop)
    assert "suicidal 0: start by main > cancelled" in story.lines()
    assert "suicidal: cancelled under main by main" in family(story)


@pytest.mark.parametrize("loop", LOOPS)
def test_cancels_itself_and_waits(loop: str) -> None:
    async def suicidal() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await stuck()

    async def main() -> None:
        await _ended(asyncio.create_task(suicidal()))

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.wait",
        "suicidal 0: start by main > suspended asyncio.Future",
        "suicidal 1: cancel by suicidal > cancelled",
        "main 1: callback by _on_completion > returned",
    ]
    assert edges(story)[1:] == ["suicidal 1 < suicidal 0", "main 1 < suicidal 1"]


@pytest.mark.parametrize("loop", LOOPS)
def test_while_it_awaits_a_task(loop: str) -> None:
    async def outer() -> None:
        await asyncio.create_task(stuck())

    async def main() -> None:
        task = asyncio.create_task(outer())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await _ended(task)

    story = checked(main, loop)
    assert story.lines()[2:] == [
        "main 1: yield > yielded",
        "stuck 0: start by outer > suspended asyncio.Future",
        "main 2: yield > suspended asyncio.wait",
        "stuck 1: cancel by main > cancelled",
        "outer 1: task by stuck > cancelled",  # only the innermost sees who asked
        "main 3: callback by _on_completion > returned",
    ]
    assert family(story) == [
        "main: returned",
        "outer: cancelled under main by main",
        "stuck: cancelled under outer by outer",
    ]


@pytest.mark.parametrize("loop", LOOPS)
def test_at_loop_shutdown(loop: str) -> None:
    async def main() -> None:
        asyncio.create_task(stuck())
        await asyncio.sleep(0)

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > yielded",
        "stuck 0: start by main > suspended asyncio.Future",
        "main 1: yield > returned",
        "stuck 1: cancel by _cancel_all_tasks > cancelled",
    ]
    assert family(story) == ["main: returned", "stuck: cancelled under main by main"]


@pytest.mark.parametrize("loop", LOOPS)
def test_by_a_callback(loop: str) -> None:
    async def main() -> None:
        task = asyncio.create_task(stuck())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.001, task.cancel)
        await _ended(task)

    story = checked(main, loop)
    assert story.lines()[3] == "stuck 1: cancel by Task.cancel > cancelled"
