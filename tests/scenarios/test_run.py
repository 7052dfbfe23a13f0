"""asyncio.run twice, uvloop.run, Runner, and the program that the project began with."""

from __future__ import annotations

import asyncio
import sys

import pytest
import uvloop

from tests.scenarios.tasks import sleeper
from tests.support import LOOPS, check_sums, checked, edges, family, recording


@pytest.mark.parametrize("loop", LOOPS)
def test_twice(loop: str) -> None:
    with recording() as story:
        assert LOOPS[loop](sleeper()) == "slept"
        assert LOOPS[loop](sleeper()) == "slept"
    assert story.lines() == [
        "sleeper 0: start > suspended asyncio.sleep",
        "sleeper 1: timer > returned",
        "sleeper 0: start > suspended asyncio.sleep",
        "sleeper 1: timer > returned",
    ]
    assert family(story) == ["sleeper: returned", "sleeper: returned"]
    first, second = story.tasks
    assert first.trace_id != second.trace_id
    assert first.attributes["asyncio.loop.id"] != second.attributes["asyncio.loop.id"]
    assert first.attributes["asyncio.task.id"] != second.attributes["asyncio.task.id"]
    check_sums(story)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.Runner came with 3.11")
@pytest.mark.parametrize("factory", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_runner(factory: object) -> None:
    with recording() as story, asyncio.Runner(loop_factory=factory) as runner:  # type: ignore[arg-type]
        runner.run(sleeper())
        runner.run(sleeper())
    assert story.lines() == [
        "sleeper 0: start > suspended asyncio.sleep",
        "sleeper 1: timer > returned",
        "sleeper 0: start > suspended asyncio.sleep",
        "sleeper 1: timer > returned",
    ]
    first, second = story.tasks
    assert first.trace_id != second.trace_id
    assert first.attributes["asyncio.loop.id"] == second.attributes["asyncio.loop.id"]  # one loop runs both
    check_sums(story)


@pytest.mark.parametrize("loop", LOOPS)
def test_the_first_program(loop: str) -> None:
    printed: list[str] = []

    async def model_gen(task: str, seconds: float) -> str:
        printed.append("enter " + task)
        await asyncio.sleep(seconds)
        printed.append("continue " + task)
        await asyncio.sleep(seconds)
        printed.append("finish " + task)
        return task + " done"

    async def main() -> tuple[str, str]:
        task1 = asyncio.create_task(model_gen("task1", 0.04), name="task1")
        task2 = asyncio.create_task(model_gen("task2", 0.02), name="task2")
        result2 = await task2
        return await task1, result2

    story = checked(main, loop)
    assert story.lines("asyncio.task.name")[1:3] == [
        "model_gen 0: start by main > suspended asyncio.sleep asyncio.task.name=task1",
        "model_gen 0: start by main > suspended asyncio.sleep asyncio.task.name=task2",
    ]
    order = [(s.attributes["asyncio.task.name"], s.attributes["asyncio.step.index"]) for s in story.steps]
    main_name = story.task("main").attributes["asyncio.task.name"]
    assert order == [
        (main_name, 0),
        ("task1", 0),
        ("task2", 0),
        ("task2", 1),
        ("task1", 1),
        ("task2", 2),
        (main_name, 1),
        ("task1", 2),
        (main_name, 2),
    ]
    assert story.lines() == [
        "main 0: start > suspended task model_gen",
        "model_gen 0: start by main > suspended asyncio.sleep",
        "model_gen 0: start by main > suspended asyncio.sleep",
        "model_gen 1: timer > suspended asyncio.sleep",
        "model_gen 1: timer > suspended asyncio.sleep",
        "model_gen 2: timer > returned",
        "main 1: task by model_gen > suspended task model_gen",
        "model_gen 2: timer > returned",
        "main 2: task by model_gen > returned",
    ]
    assert edges(story) == [
        "model_gen 0 < main 0",
        "model_gen 0 < main 0",
        "main 1 < model_gen 2",
        "main 2 < model_gen 2",
    ]
    assert family(story) == ["main: returned"] + ["model_gen: returned under main by main"] * 2
    assert len({span.trace_id for span in story.spans}) == 1
    assert printed == [
        "enter task1", "enter task2", "continue task2", "continue task1", "finish task2", "finish task1",
    ]  # fmt: skip
    woken = story.steps_of("main")[1]
    assert woken.attributes["asyncio.step.waker.task"] == "task2"
