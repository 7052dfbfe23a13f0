"""Queue, Lock, Semaphore, Event, Condition, Barrier: woken by the task that let them go on."""

from __future__ import annotations

import asyncio
import sys

import pytest

from tests.support import LOOPS, checked, edges, family


@pytest.mark.parametrize("loop", LOOPS)
def test_queue(loop: str) -> None:
    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(1)

        async def consumer() -> None:
            for _ in range(3):
                await queue.get()
                queue.task_done()

        task = asyncio.create_task(consumer())
        for number in range(3):
            await queue.put(number)
        await queue.join()
        await task

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.Queue.put",
        "consumer 0: start by main > suspended asyncio.Queue.get",
        "main 1: task by consumer > suspended asyncio.Queue.put",
        "consumer 1: task by main > suspended asyncio.Queue.get",
        "main 2: task by consumer > suspended asyncio.Event.wait",
        "consumer 2: task by main > returned",
        "main 3: task by consumer > returned",
    ]
    assert edges(story) == [
        "consumer 0 < main 0",
        "main 1 < consumer 0",
        "consumer 1 < main 1",
        "main 2 < consumer 1",
        "consumer 2 < main 2",
        "main 3 < consumer 2",
    ]
    assert family(story) == ["main: returned", "consumer: returned under main by main"]


@pytest.mark.parametrize("kind", ["Lock", "Semaphore", "BoundedSemaphore"])
@pytest.mark.parametrize("loop", LOOPS)
def test_lock_and_semaphore(loop: str, kind: str) -> None:
    async def main() -> None:
        guard = getattr(asyncio, kind)()

        async def holder() -> None:
            async with guard:
                await asyncio.sleep(0.001)

        async def other() -> None:
            async with guard:
                pass

        await asyncio.wait([asyncio.create_task(holder()), asyncio.create_task(other())])

    acquire = "asyncio.Lock.acquire" if kind == "Lock" else "asyncio.Semaphore.acquire"
    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.wait",
        "holder 0: start by main > suspended asyncio.sleep",
        f"other 0: start by main > suspended {acquire}",
        "holder 1: timer > returned",
        "other 1: task by holder > returned",
        "main 1: callback by _on_completion > returned",
    ]
    assert edges(story)[2:] == ["other 1 < holder 1", "main 1 < other 1"]


@pytest.mark.parametrize("loop", LOOPS)
def test_event(loop: str) -> None:
    async def main() -> None:
        event = asyncio.Event()

        async def waiter() -> None:
            await event.wait()

        task = asyncio.create_task(waiter())
        await asyncio.sleep(0)
        event.set()
        await task

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > yielded",
        "waiter 0: start by main > suspended asyncio.Event.wait",
        "main 1: yield > suspended task waiter",
        "waiter 1: task by main > returned",
        "main 2: task by waiter > returned",
    ]
    assert edges(story) == ["waiter 0 < main 0", "waiter 1 < main 1", "main 2 < waiter 1"]


@pytest.mark.parametrize("loop", LOOPS)
def test_condition(loop: str) -> None:
    async def main() -> None:
        condition = asyncio.Condition()

        async def waiter() -> None:
            async with condition:
                await condition.wait()

        task = asyncio.create_task(waiter())
        await asyncio.sleep(0)
        async with condition:
            condition.notify()
        await task

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > yielded",
        "waiter 0: start by main > suspended asyncio.Condition.wait",
        "main 1: yield > suspended task waiter",
        "waiter 1: task by main > returned",
        "main 2: task by waiter > returned",
    ]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.Barrier came with 3.11")
@pytest.mark.parametrize("loop", LOOPS)
def test_barrier(loop: str) -> None:
    async def main() -> None:
        barrier = asyncio.Barrier(2)

        async def early() -> None:
            await barrier.wait()

        async def late() -> None:
            await barrier.wait()

        await asyncio.wait([asyncio.create_task(early()), asyncio.create_task(late())])

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.wait",
        "early 0: start by main > suspended asyncio.Condition.wait",
        "late 0: start by main > returned",
        "early 1: task by late > returned",
        "main 1: callback by _on_completion > returned",
    ]
    assert edges(story)[2:] == ["early 1 < late 0", "main 1 < early 1"]
