"""KeyboardInterrupt and SystemExit in a step: they leave the loop untouched, and the step says so."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.tasks import sleeper, stuck
from tests.support import LOOPS, check_sums, family, recording


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("loop", LOOPS)
def test_in_a_task(loop: str, kind: type[BaseException]) -> None:
    async def breaking() -> None:
        await asyncio.sleep(0)
        raise kind

    async def main() -> None:
        task = asyncio.create_task(breaking())
        try:
            await stuck()
        finally:
            assert type(task.exception()) is kind

    with recording() as story:
        with pytest.raises(kind):
            LOOPS[loop](main())
        LOOPS[loop](sleeper())  # still on
    assert story.lines() == [
        "main 0: start > suspended asyncio.Future",
        "breaking 0: start by main > yielded",
        "breaking 1: yield > raised",
        "main 1: cancel by _cancel_all_tasks > cancelled",
        "sleeper 0: start > suspended asyncio.sleep",
        "sleeper 1: timer > returned",
    ]
    assert family(story) == [
        "main: cancelled",
        f"breaking: raised ERROR {kind.__name__} under main by main",
        "sleeper: returned",
    ]
    check_sums(story)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("loop", LOOPS)
def test_in_the_first_task(loop: str, kind: type[BaseException]) -> None:
    async def main() -> None:
        raise kind

    with recording() as story, pytest.raises(kind):
        LOOPS[loop](main())
    assert story.lines() == ["main 0: start > raised"]
    assert family(story) == [f"main: raised ERROR {kind.__name__}"]
    check_sums(story)
