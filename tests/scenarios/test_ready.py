"""Ready durations: a step that holds the thread, and those who could run meanwhile."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from tests.ground.spans import Span
from tests.scenarios.tasks import blocker, sleeper
from tests.support import LOOPS, checked, edges, ready

#: seconds for which the blocker holds the thread, and within which clocks and timers may differ
HELD, SLACK = 0.1, 0.01


def _since(later: Span, earlier: int) -> float:
    return (later.start - earlier) / 1e9


def _expire(future: asyncio.Future[bytes]) -> None:
    future.cancel()


@pytest.mark.parametrize("loop", LOOPS)
def test_timer_due_meanwhile(loop: str) -> None:
    async def main() -> None:
        waiting = asyncio.create_task(sleeper(0.02))
        holding = asyncio.create_task(blocker(HELD))
        await waiting
        await holding

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended task sleeper",
        "sleeper 0: start by main > suspended asyncio.sleep",
        "blocker 0: start by main > returned",
        "sleeper 1: timer > returned",
        "main 1: task by sleeper > returned",
    ]
    before, after = story.steps_of("sleeper")
    assert ready(after) == pytest.approx(_since(after, before.end) - 0.02, abs=SLACK)
    assert ready(after) > HELD - 0.02 - SLACK
    assert story.task("sleeper").attributes["asyncio.task.ready.duration"] >= ready(after)
    assert story.task("blocker").attributes["asyncio.task.step.max_duration"] >= HELD


@pytest.mark.parametrize("loop", LOOPS)
def test_timer_whose_callback_wakes(loop: str) -> None:
    async def main() -> None:
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(0.02, event.set)
        asyncio.create_task(blocker(HELD))
        await event.wait()

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.Event.wait",
        "blocker 0: start by main > returned",
        "main 1: timer by Event.set > returned",
    ]
    before, after = story.steps_of("main")
    assert ready(after) == pytest.approx(_since(after, before.end) - 0.02, abs=SLACK)


@pytest.mark.parametrize("loop", LOOPS)
def test_timer_that_cancels(loop: str) -> None:
    async def main() -> None:
        waiting = asyncio.create_task(sleeper(60))
        asyncio.get_running_loop().call_later(0.02, waiting.cancel)
        await asyncio.sleep(0)
        asyncio.create_task(blocker(HELD))
        await asyncio.wait([waiting])

    story = checked(main, loop)
    assert story.lines()[-3:] == [
        "blocker 0: start by main > returned",
        "sleeper 1: cancel by Task.cancel > cancelled",
        "main 2: callback by _on_completion > returned",
    ]
    after = story.steps_of("sleeper")[1]
    assert ready(after) == pytest.approx(_since(after, story.steps[0].start) - 0.02, abs=SLACK)


@pytest.mark.parametrize("loop", LOOPS)
def test_thread_submits_meanwhile(loop: str) -> None:
    async def main() -> None:
        event = asyncio.Event()
        running = asyncio.get_running_loop()

        async def holding() -> None:
            thread = threading.Thread(target=running.call_soon_threadsafe, args=(event.set,))
            thread.start()
            thread.join()
            await blocker(HELD)

        asyncio.create_task(holding())
        await event.wait()

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.Event.wait",
        "holding 0: start by main > returned",
        "main 1: thread by Event.set > returned",
    ]
    after = story.steps_of("main")[1]
    assert HELD <= ready(after) <= _since(after, story.steps_of("holding")[0].start)


@pytest.mark.parametrize("loop", LOOPS)
def test_new_task_and_woken_task_wait_for_the_step_to_end(loop: str) -> None:
    async def main() -> None:
        event = asyncio.Event()

        async def waiter() -> None:
            await event.wait()

        waiting = asyncio.create_task(waiter())
        await asyncio.sleep(0)
        event.set()
        new = asyncio.create_task(sleeper(0))
        await blocker(HELD)
        await asyncio.wait([waiting, new])

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > yielded",
        "waiter 0: start by main > suspended asyncio.Event.wait",
        "main 1: yield > suspended asyncio.wait",
        "waiter 1: task by main > returned",
        "sleeper 0: start by main > yielded",
        "sleeper 1: yield > returned",
        "main 2: callback by _on_completion > returned",
    ]
    assert edges(story) == ["waiter 0 < main 0", "waiter 1 < main 1", "sleeper 0 < main 1", "main 2 < sleeper 1"]
    for woken in (story.steps_of("waiter")[1], story.steps_of("sleeper")[0]):
        assert HELD <= ready(woken) <= _since(woken, story.steps_of("main")[1].start)


@pytest.mark.parametrize("in_time", [True, False])
@pytest.mark.parametrize("loop", LOOPS)
def test_not_ready_since_a_deadline_that_was_lifted(loop: str, in_time: bool) -> None:
    """A timer was given the future that something else completes: before its time, or when it has been cancelled."""

    async def main() -> None:
        running = asyncio.get_running_loop()
        future: asyncio.Future[bytes] = running.create_future()
        reader, writer = os.pipe()

        def readable() -> None:
            running.remove_reader(reader)
            future.set_result(os.read(reader, 1))

        deadline = running.call_later(0.002 if in_time else 0.001, _expire, future)
        running.add_reader(reader, readable)
        if in_time:
            os.write(writer, b"x")
        else:
            deadline.cancel()
            running.call_later(0.02, os.write, writer, b"x")
        await future
        deadline.cancel()
        os.close(reader)
        os.close(writer)

    story = checked(main, loop)
    assert story.lines()[1] == "main 1: callback by readable > returned"
    assert ready(story.steps[1]) < 0.01


@pytest.mark.parametrize("loop", LOOPS)
def test_never_ready_before_it_suspended(loop: str) -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.001, future.set_result, None)
        await blocker(0.02)
        await future

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended asyncio.Future",
        "main 1: timer by Future.set_result > returned",
    ]
    before, after = story.steps
    assert 0 <= ready(after) <= _since(after, before.end) + 1e-9
