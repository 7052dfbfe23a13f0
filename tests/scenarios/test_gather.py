"""asyncio.gather: the wake is a callback, linked to the task whose end caused it."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.tasks import failing, quick, sleeper, stuck
from tests.support import LOOPS, checked, edges, family


@pytest.mark.parametrize("loop", LOOPS)
def test_gather(loop: str) -> None:
    async def main() -> list[str]:
        return await asyncio.gather(sleeper(), quick())

    story = checked(main, loop)
    assert story.result == ["slept", "quick"]  # type: ignore[attr-defined]
    assert story.lines() == [
        "main 0: start > suspended asyncio.gather",
        "sleeper 0: start by main > suspended asyncio.sleep",
        "quick 0: start by main > returned",
        "sleeper 1: timer > returned",
        "main 1: callback by _done_callback > returned",
    ]
    assert family(story) == [
        "main: returned",
        "sleeper: returned under main by main",
        "quick: returned under main by main",
    ]
    assert edges(story) == ["sleeper 0 < main 0", "quick 0 < main 0", "main 1 < sleeper 1"]
    woken = story.steps_of("main")[1].attributes
    assert woken["asyncio.step.waker.task"] == story.task("sleeper").attributes["asyncio.task.name"]


@pytest.mark.parametrize("loop", LOOPS)
def test_first_exception(loop: str) -> None:
    async def main() -> None:
        with pytest.raises(ValueError):
            await asyncio.gather(failing(), stuck())

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.gather",
        "failing 0: start by main > yielded",
        "stuck 0: start by main > suspended asyncio.Future",
        "failing 1: yield > raised",
        "main 1: callback by _done_callback > returned",
        "stuck 1: cancel by _cancel_all_tasks > cancelled",
    ]
    assert family(story) == [
        "main: returned",
        "failing: raised ERROR ValueError under main by main",
        "stuck: cancelled under main by main",
    ]
    assert edges(story)[2:] == ["main 1 < failing 1"]
    step = story.steps_of("failing")[1]
    assert (step.status_code, step.attributes["error.type"]) == ("ERROR", "ValueError")
