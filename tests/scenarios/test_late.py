"""Tasks alive before switching on: a span from then on, marked so; and switching off in mid-life."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.tasks import sleeper
from tests.support import LOOPS, check_sums, checked, family, recording


@pytest.mark.parametrize("loop", LOOPS)
def test_waiting_when_switched_on(loop: str) -> None:
    async def main() -> list[str]:
        event = asyncio.Event()

        async def waiter() -> None:
            await event.wait()
            await asyncio.sleep(0)

        task = asyncio.create_task(waiter(), name="early bird")
        await asyncio.sleep(0)
        with recording() as story:
            event.set()
            await task
            await asyncio.create_task(sleeper())
        check_sums(story)
        waiter_span = story.task("waiter")
        assert waiter_span.attributes["asyncio.task.seen_late"] is True
        assert waiter_span.attributes["asyncio.task.name"] == "early bird"
        assert "asyncio.task.seen_late" not in story.task("sleeper").attributes
        assert "asyncio.task.step.missing" not in waiter_span.attributes
        return [*story.lines(), *family(story)]

    assert LOOPS[loop](main()) == [
        "waiter 0: task by main > yielded",
        "waiter 1: yield > returned",
        "main 0: task by waiter > suspended task sleeper",
        "sleeper 0: start by main > suspended asyncio.sleep",
        "sleeper 1: timer > returned",
        "waiter: returned",
        "main: running",
        "sleeper: returned under main by main",
    ]


@pytest.mark.parametrize("loop", LOOPS)
def test_scheduled_when_switched_on(loop: str) -> None:
    async def main() -> list[str]:
        task = asyncio.create_task(sleeper())
        with recording() as story:
            await task
        check_sums(story)
        assert story.task("sleeper").attributes["asyncio.task.seen_late"] is True
        return [*story.lines(), *family(story)]

    assert LOOPS[loop](main()) == ["sleeper 0: timer > returned", "sleeper: returned"]


@pytest.mark.parametrize("loop", LOOPS)
def test_yielding_when_switched_on(loop: str) -> None:
    """It was not born just now."""

    async def main() -> list[str]:
        done = False

        async def yielder() -> None:
            while not done:
                await asyncio.sleep(0)

        task = asyncio.create_task(yielder())
        await asyncio.sleep(0)
        with recording() as story:
            for _ in range(3):
                await asyncio.sleep(0)
            done = True
            await task
        check_sums(story)
        assert story.task("yielder").attributes["asyncio.task.seen_late"] is True
        return [line for line in story.lines() if line.startswith("yielder")][:2]

    assert LOOPS[loop](main()) == ["yielder 0: yield > yielded", "yielder 1: yield > yielded"]


@pytest.mark.parametrize("loop", LOOPS)
def test_switched_off_in_mid_life(loop: str) -> None:
    async def main() -> list[str]:
        event = asyncio.Event()

        async def waiter() -> str:
            await event.wait()
            await asyncio.sleep(0)
            return "done"

        with recording() as story:
            task = asyncio.create_task(waiter())
            await asyncio.sleep(0)
            event.set()  # its handle is queued now, and outlives loopscope
        assert await task == "done"
        check_sums(story)
        return [*story.lines(), *family(story)]

    assert LOOPS[loop](main()) == ["waiter 0: start > suspended asyncio.Event.wait", "waiter: ready"]


@pytest.mark.parametrize("loop", LOOPS)
def test_on_twice(loop: str) -> None:
    async def main() -> None:
        await sleeper()

    for _ in range(2):
        assert checked(main, loop).lines() == ["main 0: start > suspended asyncio.sleep", "main 1: timer > returned"]
