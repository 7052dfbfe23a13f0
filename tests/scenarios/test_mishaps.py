"""What was forgotten: on the task's span where there is one, and always in a record."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from loopscope import runtime
from loopscope.model import HANDOFF, MISHAP, NEVER_AWAITED, NEVER_RETRIEVED, PENDING_DESTROYED
from tests.scenarios.tasks import failing, quick, stuck
from tests.support import LOOPS, Story, recording

loops = pytest.mark.parametrize("loop", LOOPS)
Main = Callable[[], Coroutine[Any, Any, Any]]


def recorded(main: Main, loop: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Story, list[tuple[str, str]]]:
    """The story, and each mishap's record as (what, of which task)."""
    seen: list[tuple[Any, ...]] = []
    with recording() as story:
        current = runtime.process.current()  # type: ignore[attr-defined]
        put = type(current.buffer).put

        def watch(self: Any, record: tuple[Any, ...]) -> bool:
            if record[0] in (MISHAP, HANDOFF):
                seen.append(record)
            return put(self, record)

        monkeypatch.setattr(type(current.buffer), "put", watch)
        gc.disable()
        try:
            LOOPS[loop](main())
        finally:
            gc.enable()
    names = {task.attributes["asyncio.task.id"]: task.name.split()[-1].split(".")[-1] for task in story.tasks}
    return story, [(record[3], names.get(record[1], "nobody")) for record in seen]


def mishap(story: Story, name: str) -> str | None:
    """What the task's span says."""
    return story.task(name).attributes.get("asyncio.task.mishap")


@loops
def test_exception_never_retrieved(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        task = asyncio.create_task(failing())
        await asyncio.wait([task])
        del task

    story, records = recorded(main, loop, monkeypatch)
    assert records == [(NEVER_RETRIEVED, "failing")]
    assert story.task("failing").attributes["asyncio.task.state"] == "raised"
    assert mishap(story, "failing") == NEVER_RETRIEVED


@loops
def test_of_a_future_of_nobody(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        running = asyncio.get_running_loop()
        running.set_exception_handler(lambda *_: None)
        running.create_future().set_exception(ValueError("no"))
        running.call_exception_handler({"message": 7})
        running.call_exception_handler({"message": "something else", "task": None})

    assert recorded(main, loop, monkeypatch)[1] == [(NEVER_RETRIEVED, "nobody")]


@loops
def test_destroyed_while_pending(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        task = asyncio.create_task(stuck())
        await asyncio.sleep(0)
        del task
        gc.collect()

    story, records = recorded(main, loop, monkeypatch)
    assert records == [(PENDING_DESTROYED, "stuck")]
    assert mishap(story, "stuck") == PENDING_DESTROYED
    assert story.task("stuck").attributes["asyncio.task.state"] == "destroyed"


@loops
def test_never_awaited(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the task in whose step it was lost."""

    async def main() -> None:
        async def forgets() -> None:
            quick()
            quick()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            await asyncio.create_task(forgets())
            asyncio.get_running_loop().call_soon(quick)
            await asyncio.sleep(0.001)

    story, records = recorded(main, loop, monkeypatch)
    assert records == [(NEVER_AWAITED, "forgets"), (NEVER_AWAITED, "forgets"), (NEVER_AWAITED, "nobody")]
    assert mishap(story, "forgets") == NEVER_AWAITED
    assert mishap(story, "main") is None
