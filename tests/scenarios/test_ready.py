"""Ready durations: a step that holds the thread, and those who could run meanwhile."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

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


WAITS: dict[str, Callable[[asyncio.Task[None]], Any]] = {
    "task": lambda child: child,
    "gather": lambda child: asyncio.gather(child),
    "wait": lambda child: asyncio.wait([child]),
    "shield": lambda child: asyncio.shield(child),
    "wait_for": lambda child: asyncio.wait_for(child, 9),
}


@pytest.mark.parametrize("how", WAITS)
@pytest.mark.parametrize("loop", LOOPS)
def test_ready_since_the_end_of_the_task_it_waits_for(loop: str, how: str) -> None:
    """Also where that is told by a callback, which has to wait for the thread first."""

    async def waiter(child: asyncio.Task[None]) -> None:
        await WAITS[how](child)

    async def main() -> None:
        event = asyncio.Event()

        async def child() -> None:
            await event.wait()

        async def hog() -> None:
            await event.wait()
            await blocker(HELD)

        children = [asyncio.create_task(child()), asyncio.create_task(hog())]
        waiting = asyncio.create_task(waiter(children[0]))
        await asyncio.sleep(0.01)
        event.set()
        await asyncio.wait([*children, waiting])

    story = checked(main, loop)
    after, ended = story.steps_of("waiter")[1], story.steps_of("child")[1].end
    assert ready(after) == pytest.approx(_since(after, ended), abs=SLACK)
    assert after.attributes["asyncio.step.delayed_by.name"].endswith("hog")


@pytest.mark.parametrize("before", [0.0, HELD])
def test_io_that_the_loop_has_seen_but_not_got_round_to(before: float) -> None:
    """Ready since the look that found it; how much older it may be is what the loop was busy before that look."""
    sent = 0

    async def reader(stream: asyncio.StreamReader) -> None:
        await stream.read(1)

    async def hog(other: socket.socket) -> None:
        nonlocal sent
        await asyncio.sleep(0.01)
        sent = time.time_ns()
        other.send(b"x")
        await blocker(before)
        await asyncio.sleep(0)
        await blocker(HELD)

    async def main() -> None:
        mine, other = socket.socketpair()
        with other:
            stream, writer = await asyncio.open_connection(sock=mine)
            await asyncio.wait([asyncio.create_task(reader(stream)), asyncio.create_task(hog(other))])
            writer.close()

    story = checked(main, "asyncio")
    after = story.steps_of("reader")[1]
    assert after.attributes["asyncio.step.waker.kind"] == "io"
    assert ready(after) == pytest.approx(HELD, abs=SLACK)
    assert after.attributes["asyncio.step.unpolled.duration"] == pytest.approx(before, abs=SLACK)
    assert ready(after) + after.attributes["asyncio.step.unpolled.duration"] > _since(after, sent) - 0.001
    assert after.attributes["asyncio.step.delayed_by.name"].endswith("hog")
