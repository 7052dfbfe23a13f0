"""TaskGroup: the group's own callback wakes who waits for it, linked to the task that ended last."""

from __future__ import annotations

import asyncio
import sys

import pytest

from tests.scenarios.tasks import failing, quick, sleeper, stuck
from tests.support import LOOPS, checked, edges, family

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.TaskGroup came with 3.11")


@pytest.mark.parametrize("loop", LOOPS)
def test_all_succeed(loop: str) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(quick())
            group.create_task(sleeper())

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.TaskGroup.__aexit__",
        "quick 0: start by main > returned",
        "sleeper 0: start by main > suspended asyncio.sleep",
        "sleeper 1: timer > returned",
        "main 1: callback by TaskGroup._on_task_done > returned",
    ]
    assert edges(story) == ["quick 0 < main 0", "sleeper 0 < main 0", "main 1 < sleeper 1"]
    assert family(story)[1:] == ["quick: returned under main by main", "sleeper: returned under main by main"]


@pytest.mark.parametrize("loop", LOOPS)
def test_one_fails(loop: str) -> None:
    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:  # noqa: F821 - the whole file needs 3.11
            async with asyncio.TaskGroup() as group:
                group.create_task(failing())
                group.create_task(stuck())
        assert [type(error) for error in caught.value.exceptions] == [ValueError]

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.TaskGroup.__aexit__",
        "failing 0: start by main > yielded",
        "stuck 0: start by main > suspended asyncio.Future",
        "failing 1: yield > raised",
        "stuck 1: cancel by TaskGroup._on_task_done > cancelled",
        "main 1: cancel by TaskGroup._on_task_done > suspended asyncio.TaskGroup.__aexit__",
        "main 2: callback by TaskGroup._on_task_done > returned",
    ]
    assert edges(story)[2:] == ["stuck 1 < failing 1", "main 1 < failing 1", "main 2 < stuck 1"]
    assert family(story) == [
        "main: returned",
        "failing: raised ERROR ValueError under main by main",
        "stuck: cancelled under main by main",
    ]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_group_that_leaves_as_an_exception_group(loop: str) -> None:
    async def main() -> None:
        async def inner() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(failing())

        await asyncio.wait([asyncio.create_task(inner())])

    story = checked(main, loop)
    assert family(story) == [
        "main: returned",
        "inner: raised ERROR ExceptionGroup under main by main",
        "failing: raised ERROR ValueError under inner by inner",
    ]
    assert [step.attributes.get("error.type") for step in story.steps_of("inner")][-1] == "ExceptionGroup"
