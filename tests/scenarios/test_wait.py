"""asyncio.wait and asyncio.as_completed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.scenarios.tasks import quick, sleeper, stuck
from tests.support import LOOPS, checked, edges, family, ready

BY = "_on_completion" if sys.version_info < (3, 13) else "_AsCompletedIterator._handle_completion"


@pytest.mark.parametrize("loop", LOOPS)
def test_wait_for_all(loop: str) -> None:
    async def main() -> None:
        await asyncio.wait([asyncio.create_task(sleeper()), asyncio.create_task(quick())])

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.wait",
        "sleeper 0: start by main > suspended asyncio.sleep",
        "quick 0: start by main > returned",
        "sleeper 1: timer > returned",
        "main 1: callback by _on_completion > returned",
    ]
    assert edges(story) == ["sleeper 0 < main 0", "quick 0 < main 0", "main 1 < sleeper 1"]


@pytest.mark.parametrize("loop", LOOPS)
def test_wait_for_first_and_cancel_the_rest(loop: str) -> None:
    async def main() -> None:
        tasks = [asyncio.create_task(stuck()), asyncio.create_task(quick())]
        _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.wait(pending)

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.wait",
        "stuck 0: start by main > suspended asyncio.Future",
        "quick 0: start by main > returned",
        "main 1: callback by _on_completion > suspended asyncio.wait",
        "stuck 1: cancel by main > cancelled",
        "main 2: callback by _on_completion > returned",
    ]
    assert edges(story)[2:] == ["main 1 < quick 0", "stuck 1 < main 1", "main 2 < stuck 1"]
    assert family(story)[1] == "stuck: cancelled under main by main"
    assert story.task("stuck").status_code == "UNSET"  # a cancellation is no error


@pytest.mark.parametrize("loop", LOOPS)
def test_wait_times_out(loop: str) -> None:
    async def main() -> None:
        await asyncio.wait([asyncio.create_task(stuck())], timeout=0.02)

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.wait",
        "stuck 0: start by main > suspended asyncio.Future",
        "main 1: timer by _release_waiter > returned",
        "stuck 1: cancel by _cancel_all_tasks > cancelled",
    ]


@pytest.mark.parametrize("loop", LOOPS)
def test_as_completed(loop: str) -> None:
    async def main() -> list[str]:
        tasks = [asyncio.create_task(sleeper(0.02)), asyncio.create_task(quick())]
        return [await first for first in asyncio.as_completed(tasks)]

    story = checked(main, loop)
    assert story.result == ["quick", "slept"]  # type: ignore[attr-defined]
    assert story.lines() == [
        "main 0: start > suspended asyncio.Queue.get",
        "sleeper 0: start by main > suspended asyncio.sleep",
        "quick 0: start by main > returned",
        f"main 1: callback by {BY} > suspended asyncio.Queue.get",
        "sleeper 1: timer > returned",
        f"main 2: callback by {BY} > returned",
    ]
    assert edges(story)[2:] == ["main 1 < quick 0", "main 2 < sleeper 1"]


@pytest.mark.parametrize("how", [asyncio.wait, lambda children: asyncio.gather(*children)])
@pytest.mark.parametrize("loop", LOOPS)
def test_wait_for_what_ended_before(loop: str, how: Callable[[list[asyncio.Task[None]]], Any]) -> None:
    """None of those ended just now: none is said to have, and it was not ready since."""

    async def child(seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def main() -> None:
        children = [asyncio.create_task(child(0.002)), asyncio.create_task(child(0.001))]
        await asyncio.sleep(0.02)
        await how(children)

    story = checked(main, loop)
    if len(story.steps_of("main")) > 2:  # gather() of what is done waits for nothing, from 3.12 on
        after = story.steps_of("main")[2]
        assert after.attributes["asyncio.step.waker.kind"] == "callback"
        assert not {"asyncio.step.waker.task", "asyncio.wait.last"} & set(after.attributes)
        assert ready(after) < 0.01
