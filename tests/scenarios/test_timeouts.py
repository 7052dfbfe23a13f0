"""wait_for, timeout and shield."""

from __future__ import annotations

import asyncio
import sys

import pytest

from tests.scenarios.tasks import sleeper, stuck
from tests.support import LOOPS, checked, edges, family, ready

#: since 3.12 wait_for awaits the coroutine itself, under asyncio.timeout; before, it made a task of it
INLINE = sys.version_info >= (3, 12)


@pytest.mark.parametrize("loop", LOOPS)
def test_wait_for_in_time(loop: str) -> None:
    async def main() -> None:
        await asyncio.wait_for(sleeper(), 60)

    story = checked(main, loop)
    if INLINE:
        assert story.lines() == ["main 0: start > suspended asyncio.sleep", "main 1: timer > returned"]
        return
    assert story.lines() == [
        "main 0: start > suspended asyncio.wait_for",
        "sleeper 0: start by main > suspended asyncio.sleep",
        "sleeper 1: timer > returned",
        "main 1: callback by _release_waiter > returned",
    ]
    assert edges(story) == ["sleeper 0 < main 0", "main 1 < sleeper 1"]


@pytest.mark.parametrize("loop", LOOPS)
def test_wait_for_too_late(loop: str) -> None:
    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(stuck(), 0.02)

    story = checked(main, loop)
    if INLINE:
        assert story.lines() == ["main 0: start > suspended asyncio.Future", "main 1: cancel by timeout > returned"]
        return
    assert story.lines() == [
        "main 0: start > suspended asyncio.wait_for",
        "stuck 0: start by main > suspended asyncio.Future",
        "main 1: timer by _release_waiter > suspended asyncio.wait_for",
        "stuck 1: cancel by timeout > cancelled",
        "main 2: callback by _release_waiter > returned",
    ]
    assert edges(story)[1:] == ["stuck 1 < main 1", "main 2 < stuck 1"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout came with 3.11")
@pytest.mark.parametrize("loop", LOOPS)
def test_timeout(loop: str) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await asyncio.sleep(60)

    story = checked(main, loop)
    assert story.lines() == ["main 0: start > suspended asyncio.sleep", "main 1: cancel by timeout > returned"]
    assert family(story) == ["main: returned"]
    assert ready(story.steps[1]) >= 0


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout came with 3.11")
@pytest.mark.parametrize("loop", LOOPS)
def test_timeout_that_has_passed(loop: str) -> None:
    """The loop calls it soon, not at a time."""

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(-1):
                await asyncio.sleep(60)

    story = checked(main, loop)
    assert story.lines() == ["main 0: start > suspended asyncio.sleep", "main 1: cancel by timeout > returned"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout came with 3.11")
@pytest.mark.parametrize("loop", LOOPS)
def test_timeout_while_awaiting_a_task(loop: str) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await asyncio.create_task(stuck())

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended task stuck",
        "stuck 0: start by main > suspended asyncio.Future",
        "stuck 1: cancel by timeout > cancelled",
        "main 1: task by stuck > returned",  # only the innermost sees who asked
    ]
    assert edges(story) == ["stuck 0 < main 0", "main 1 < stuck 1"]


@pytest.mark.parametrize("loop", LOOPS)
def test_shield(loop: str) -> None:
    async def main() -> str:
        return await asyncio.shield(sleeper())

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.Future",
        "sleeper 0: start by main > suspended asyncio.sleep",
        "sleeper 1: timer > returned",
        "main 1: callback by _inner_done_callback > returned",
    ]
    assert edges(story) == ["sleeper 0 < main 0", "main 1 < sleeper 1"]


@pytest.mark.parametrize("loop", LOOPS)
def test_shielded_task_outlives_the_cancelled_one(loop: str) -> None:
    async def main() -> None:
        inner = asyncio.create_task(sleeper(0.02))

        async def outer() -> None:
            await asyncio.shield(inner)

        task = asyncio.create_task(outer())
        await asyncio.sleep(0)
        task.cancel()
        await inner

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > yielded",
        "sleeper 0: start by main > suspended asyncio.sleep",
        "outer 0: start by main > suspended asyncio.Future",
        "main 1: yield > suspended task sleeper",
        "outer 1: cancel by main > cancelled",
        "sleeper 1: timer > returned",
        "main 2: task by sleeper > returned",
    ]
    assert family(story) == [
        "main: returned",
        "sleeper: returned under main by main",
        "outer: cancelled under main by main",
    ]
