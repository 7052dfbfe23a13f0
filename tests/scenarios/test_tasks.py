"""Task classes and factories: custom subclasses, pure-Python tasks, factories that wrap or refuse."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.scenarios.tasks import sleeper, stuck
from tests.support import LOOPS, Story, checked, edges, family


class Custom(asyncio.Task):  # type: ignore[type-arg]
    """A subclass with state of its own."""

    def __init__(self, coro: Coroutine[Any, Any, Any], **options: Any) -> None:
        self.mine = "mine"
        super().__init__(coro, **options)


def rude(base: type) -> type:
    """One that answers nothing of what loopscope wants to know."""

    def refuse(self: Any) -> Any:
        raise LookupError

    return type("Rude", (base,), dict.fromkeys(("get_coro", "get_name", "cancelling", "get_context"), refuse))


_PyTask: type = asyncio.tasks._PyTask  # type: ignore[attr-defined]
KINDS: dict[str, type] = {
    "subclass": Custom, "pure Python": _PyTask, "rude": rude(asyncio.Task), "rude, pure Python": rude(_PyTask),
}  # fmt: skip


@pytest.mark.parametrize("loop", LOOPS)
def test_a_long_name_is_cut(loop: str) -> None:
    """What is remembered of tasks is bounded by their number."""

    async def main() -> None:
        renamed = asyncio.create_task(sleeper(), name="x" * 100_000)
        await asyncio.sleep(0)
        renamed.set_name("y" * 100_000)
        await renamed

    story = checked(main, loop)
    [span] = [span for span in story.tasks if span.name == "task sleeper"]
    assert span.attributes["asyncio.task.name"] == "y" * 1_000
    assert [step.attributes["asyncio.task.name"][-1] for step in story.steps_of(span)] == ["x", "y"]
    assert all(len(step.attributes["asyncio.task.name"]) == 1_000 for step in story.steps_of(span))


class RudeName(str):
    """Only its text can be had."""

    def __str__(self) -> str:
        return self

    def refuse(self, *_: Any) -> Any:
        raise RuntimeError

    __len__ = __getitem__ = __eq__ = __ne__ = __hash__ = __format__ = __bool__ = refuse


@pytest.mark.parametrize(("loop", "eager"), [("asyncio", False), ("uvloop", False), ("asyncio", True)])
def test_a_name_of_a_class_of_the_applications(loop: str, eager: bool) -> None:
    factory = getattr(asyncio, "eager_task_factory", None) if eager else None

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(factory)
        await sleeper()  # its code is known by its own name
        coroutine = sleeper()
        coroutine.__qualname__ = RudeName("sleeper")
        task = asyncio.create_task(coroutine, name=RudeName("rude"))
        await task
        assert type(task.get_name()) is RudeName

    story = checked(main, loop)
    [span] = [span for span in story.tasks if span.name == "task sleeper"]
    assert span.attributes["asyncio.task.name"] == "rude"
    assert [step.attributes["asyncio.task.name"] for step in story.steps_of(span)] == ["rude", "rude"]


def _made_by(kind: type, loop: str) -> Story:
    async def main() -> None:
        running = asyncio.get_running_loop()
        running.set_task_factory(lambda on, coro, **options: kind(coro, loop=on, **options))
        slept = running.create_task(sleeper())
        assert type(slept) is kind
        assert await slept == "slept"
        task = running.create_task(stuck())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    return checked(main, loop)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loop", LOOPS)
def test_factory(loop: str, kind: str) -> None:
    story = _made_by(KINDS[kind], loop)
    assert story.lines() == [
        "main 0: start > suspended task sleeper",
        "sleeper 0: start by main > suspended asyncio.sleep",
        "sleeper 1: timer > returned",
        "main 1: task by sleeper > yielded",
        "stuck 0: start by main > suspended asyncio.Future",
        "main 2: yield > suspended asyncio.wait",
        "stuck 1: cancel by main > cancelled",
        "main 3: callback by _on_completion > returned",
    ]
    assert edges(story) == [
        "sleeper 0 < main 0",
        "main 1 < sleeper 1",
        "stuck 0 < main 1",
        "stuck 1 < main 2",
        "main 3 < stuck 1",
    ]
    assert family(story) == [
        "main: returned",
        "sleeper: returned under main by main",
        "stuck: cancelled under main by main",
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loop", LOOPS)
def test_made_directly(loop: str, kind: str) -> None:
    async def failing() -> None:
        await asyncio.sleep(0)
        raise LookupError

    async def main() -> None:
        with pytest.raises(LookupError):
            await KINDS[kind](failing(), loop=asyncio.get_running_loop())

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended task failing",
        "failing 0: start by main > yielded",
        "failing 1: yield > raised",
        "main 1: task by failing > returned",
    ]
    assert family(story) == ["main: returned", "failing: raised ERROR LookupError under main by main"]


@pytest.mark.parametrize("loop", LOOPS)
def test_factory_that_refuses(loop: str) -> None:
    async def main() -> None:
        running = asyncio.get_running_loop()

        def refuse(loop: Any, coro: Any, **options: Any) -> Any:
            coro.close()
            raise RuntimeError("no more tasks")

        running.set_task_factory(refuse)
        with pytest.raises(RuntimeError, match="no more tasks"):
            running.create_task(sleeper())
        running.set_task_factory(None)
        await running.create_task(sleeper())

    story = checked(main, loop)
    assert story.lines() == [
        "main 0: start > suspended task sleeper",
        "sleeper 0: start by main > suspended asyncio.sleep",
        "sleeper 1: timer > returned",
        "main 1: task by sleeper > returned",
    ]
    assert family(story) == ["main: returned", "sleeper: returned under main by main"]


@pytest.mark.parametrize("loop", LOOPS)
def test_factory_that_wraps_the_coroutine(loop: str) -> None:
    async def wrapping(coro: Any) -> Any:
        return await coro

    async def main() -> None:
        running = asyncio.get_running_loop()
        running.set_task_factory(lambda on, coro, **options: asyncio.Task(wrapping(coro), loop=on, **options))
        task = running.create_task(sleeper())
        running.set_task_factory(None)  # or the runner's own tasks were wrapped as well
        await task

    story = checked(main, loop)
    # Since 3.12 create_task itself is seen, with what the application gave it.
    name = "wrapping" if sys.version_info < (3, 12) else "sleeper"
    assert story.lines() == [
        f"main 0: start > suspended task {name}",
        f"{name} 0: start by main > suspended asyncio.sleep",
        f"{name} 1: timer > returned",
        f"main 1: task by {name} > returned",
    ]
