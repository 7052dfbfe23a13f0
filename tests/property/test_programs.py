"""Random programs against an independent oracle: coroutine objects that note each `send` and `throw` themselves."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import LOOPS, check_sums, record

CORE = (
    "yield",
    "sleep",
    "put",
    "get",
    "set",
    "wait",
    "lock",
    "cancel",
    "fail",
    "spawn",
    "thread",
    "gather",
    "swallow",
    "timeout",
    "shield",
    "nested",
    "self-cancel",
)


class Watched(Coroutine[Any, Any, Any]):
    """Stands for a coroutine, and notes (number, step, outcome, start, end) of each of its steps."""

    def __init__(self, inner: Coroutine[Any, Any, Any], number: int, log: list[tuple[int, int, str, int, int]]) -> None:
        self.inner, self.number, self.log, self.steps = inner, number, log, 0
        self.__qualname__ = self.__name__ = f"w{number}"

    def _step(self, call: Callable[..., Any], *args: Any) -> Any:
        step, self.steps = self.steps, self.steps + 1
        start = time.time_ns()
        outcome = "suspended"
        try:
            given_up = call(*args)
            if given_up is None:
                outcome = "yielded"
            return given_up
        except StopIteration:
            outcome = "returned"
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        except BaseException:
            outcome = "raised"
            raise
        finally:
            self.log.append((self.number, step, outcome, start, time.time_ns()))

    def send(self, value: Any) -> Any:
        return self._step(self.inner.send, value)

    def throw(self, *args: Any) -> Any:
        return self._step(self.inner.throw, *args)

    def close(self) -> None:
        self.inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.inner.__await__()


class World:
    """What the tasks of one program share."""

    def __init__(self, plans: list[list[str]]) -> None:
        self.plans = plans
        self.numbers = itertools.count()
        self.log: list[tuple[int, int, str, int, int]] = []
        self.tasks: list[asyncio.Task[Any]] = []

    async def main(self) -> None:
        self.queue: asyncio.Queue[int] = asyncio.Queue(2)
        self.event, self.lock = asyncio.Event(), asyncio.Lock()
        for plan in self.plans:
            self.spawn(plan)
        await asyncio.sleep(0.004)
        for _ in range(50):
            pending = [task for task in self.tasks if not task.done()]
            if not pending:
                break
            for task in pending:
                task.cancel()
            await asyncio.wait(pending, timeout=0.01)
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def spawn(self, plan: list[str]) -> asyncio.Task[Any]:
        number = next(self.numbers)
        task = asyncio.get_running_loop().create_task(
            Watched(self.run(plan, number), number, self.log), name=f"w{number}"
        )
        self.tasks.append(task)
        return task

    async def run(self, plan: list[str], number: int) -> None:
        for place, what in enumerate(plan):
            await self.do(what, plan[place + 1 :], number)

    async def do(self, what: str, rest: list[str], number: int) -> None:
        if what == "yield":
            await asyncio.sleep(0)
        elif what == "sleep":
            await asyncio.sleep(0.0005)
        elif what == "put":
            await self.queue.put(number)
        elif what == "get":
            await self.queue.get()
        elif what == "set":
            self.event.set()
            self.event.clear()
        elif what == "wait":
            await self.event.wait()
        elif what == "lock":
            async with self.lock:
                await asyncio.sleep(0)
        elif what == "cancel":
            self.tasks[len(rest) % len(self.tasks)].cancel()
        elif what == "fail":
            raise ValueError(number)
        elif what == "spawn":
            if len(self.tasks) < 12:
                self.spawn(rest)
        elif what == "thread":
            await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.0002)
        elif what == "gather":
            if len(self.tasks) < 12:
                await asyncio.gather(self.spawn(rest), self.spawn([]), return_exceptions=True)
        elif what == "timeout":
            try:
                await asyncio.wait_for(self.event.wait(), 0.0007)
            except asyncio.TimeoutError:
                pass
        elif what == "shield":
            if len(self.tasks) < 12:
                await asyncio.shield(self.spawn(rest))
        elif what == "nested":
            await self.do(rest[0] if rest else "yield", [], number)
        elif what == "self-cancel":
            self.tasks[number].cancel()
        elif what == "swallow":
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                await asyncio.sleep(0)


@pytest.mark.parametrize("loop", LOOPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans=st.lists(st.lists(st.sampled_from(CORE), max_size=6), min_size=1, max_size=5))
def test_every_step_is_told_as_it_was(loop: str, plans: list[list[str]]) -> None:
    world = World(plans)
    story = record(world.main, LOOPS[loop])
    mine = [
        (int(s.name[6:]), s.attributes["asyncio.step.index"], s.attributes["asyncio.step.outcome"])
        for s in story.steps
        if s.name.startswith("step w") and s.name[6:].isdigit()
    ]
    truth = sorted(world.log, key=lambda entry: entry[3])
    assert mine == [entry[:3] for entry in truth]
    spans = {(s.name, s.attributes["asyncio.step.index"]): s for s in story.steps}
    slack = 200_000_000  # the two clocks' anchors, on a busy machine
    for number, step, _, start, end in truth:
        span = spans[f"step w{number}", step]
        assert abs(span.start - start) < slack and abs(span.end - end) < slack
    check_sums(story)
    states = {task.get_name(): _state(task) for task in world.tasks}
    told = {
        s.attributes["asyncio.task.name"]: s.attributes["asyncio.task.state"]
        for s in story.tasks
        if s.name.startswith("task w") and s.name[6:].isdigit()
    }
    assert {name: state for name, state in states.items() if name in told} == told
    assert set(states) - set(told) <= {f"w{n}" for n in range(len(states))} - {f"w{entry[0]}" for entry in truth}


def _state(task: asyncio.Task[Any]) -> str:
    if task.cancelled():
        return "cancelled"
    return "raised" if task.exception() is not None else "returned"
