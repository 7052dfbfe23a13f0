"""Several loops: in several threads, inside a thread inside a task, and nested in a step."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from loopscope.runtime import process
from tests.scenarios.tasks import sleeper
from tests.support import LOOPS, Story, check_sums, checked, edges, family, line, new_event_loop, recording


def _lines(story: Story, task: str) -> list[str]:
    return [line(step) for step in story.steps_of(task)]


@pytest.mark.parametrize("loop", LOOPS)
def test_in_several_threads(loop: str) -> None:
    met, over = threading.Barrier(2), threading.Event()
    loops: dict[str, asyncio.AbstractEventLoop] = {}
    events: dict[str, asyncio.Event] = {}

    async def first() -> None:
        loops["first"], events["first"] = asyncio.get_running_loop(), asyncio.Event()
        asyncio.get_running_loop().call_soon(met.wait, 10)
        asyncio.get_running_loop().call_soon(over.wait, 10)
        await events["first"].wait()

    async def second() -> None:
        met.wait(10)
        await asyncio.sleep(0)
        loops["first"].call_soon_threadsafe(events["first"].set)

    def run_second() -> None:
        LOOPS[loop](second())
        over.set()

    with recording() as story:
        threads = [
            threading.Thread(target=lambda: LOOPS[loop](first()), name="one"),
            threading.Thread(target=run_second, name="two"),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert _lines(story, "first") == [
        "first 0: start > suspended asyncio.Event.wait",
        "first 1: thread by Event.set > returned",
    ]
    assert _lines(story, "second") == ["second 0: start > yielded", "second 1: yield > returned"]
    assert edges(story) == ["first 1 < second 1"]  # a task on another loop woke it
    one, two = story.task("first"), story.task("second")
    assert (one.attributes["thread.name"], two.attributes["thread.name"]) == ("one", "two")
    for key in ("thread.id", "asyncio.loop.id"):
        assert one.attributes[key] != two.attributes[key]
    assert one.trace_id != two.trace_id
    check_sums(story)


@pytest.mark.parametrize("loop", LOOPS)
def test_inside_a_thread_inside_a_task(loop: str) -> None:
    async def inner() -> int:
        await asyncio.sleep(0)
        return threading.get_ident()

    go = threading.Event()

    def work() -> int:
        assert go.wait(10)
        return int(LOOPS[loop](inner()))

    async def main() -> int:
        asyncio.get_running_loop().call_soon(go.set)  # work ends after main has suspended
        return await asyncio.to_thread(work)

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended executor work",
        "inner 0: start > yielded",
        "inner 1: yield > returned",
        "main 1: thread by executor work > returned",
    ]
    assert family(story) == ["main: returned", "inner: returned"]
    assert story.task("inner").attributes["thread.id"] == story.result  # type: ignore[attr-defined]
    assert story.task("main").attributes["thread.id"] == threading.get_ident()
    assert story.task("inner").attributes["asyncio.loop.id"] != story.task("main").attributes["asyncio.loop.id"]


def _nest(loop: asyncio.AbstractEventLoop, run: Callable[[], Any]) -> Any:
    """Run another loop inside a step, as nest_asyncio and the like do it."""
    task = asyncio.current_task(loop)
    assert task is not None
    asyncio.tasks._leave_task(loop, task)  # in this order: 3.14 asks that the loop runs
    asyncio._set_running_loop(None)
    try:
        return run()
    finally:
        asyncio._set_running_loop(loop)
        asyncio.tasks._enter_task(loop, task)


@pytest.mark.parametrize("loop", LOOPS)
def test_dead_loops_are_forgotten(loop: str) -> None:
    """As where each job has a loop of its own; those that live are not."""

    async def job() -> None:
        pass

    kept = [new_event_loop(loop) for _ in range(100)]
    with recording(detail="none"):
        core = process.current().core  # type: ignore[union-attr]
        for one in kept:
            one.run_until_complete(job())
        ids = [core.state_of(one).id for one in kept]
        for _ in range(1_000):
            LOOPS[loop](job())
        assert len(core.loops._states) <= 300
        assert [core.state_of(one).id for one in kept] == ids
    for one in kept:
        one.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_nested_in_a_step(loop: str) -> None:
    async def inner() -> str:
        return await sleeper()

    async def other() -> None:
        pass

    async def main() -> None:
        waiting = asyncio.create_task(other())
        assert _nest(asyncio.get_running_loop(), lambda: LOOPS[loop](inner())) == "slept"
        await waiting

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended task other",
        "inner 0: start by main > suspended asyncio.sleep",
        "inner 1: timer > returned",
        "other 0: start by main > returned",
        "main 1: task by other > returned",
    ]
    assert family(story) == [
        "main: returned",
        "other: returned under main by main",
        "inner: returned under main by main",
    ]
    outer = story.steps[0]
    for step in story.steps_of("inner"):
        assert outer.start <= step.start and step.end <= outer.end
