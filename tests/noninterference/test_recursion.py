"""The application recurses up to its limit, and catches that: a hook that found no room is passed over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import context

from tests.support import LOOPS, Story, record


async def leaf() -> None:
    """What is created down there."""
    await asyncio.sleep(0)


ACTS: dict[str, Callable[[], Any]] = {
    "create_task": lambda: asyncio.ensure_future(leaf()),
    "call_soon": lambda: asyncio.get_running_loop().call_soon(int),
    "call_later": lambda: asyncio.get_running_loop().call_later(0, int),
    "call_soon_threadsafe": lambda: asyncio.get_running_loop().call_soon_threadsafe(int),
    "run_in_executor": lambda: asyncio.get_running_loop().run_in_executor(None, int),
    "Lock": asyncio.Lock,
    "attach": lambda: context.detach(context.attach(context.set_value("key", 1))),
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("core", ["python", "native"])
@pytest.mark.filterwarnings("ignore:coroutine .leaf. was never awaited")
@pytest.mark.parametrize("act", ACTS)
def test_at_the_limit(
    act: str, core: str, loop: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each of the deepest frames."""
    monkeypatch.setattr("sys.unraisablehook", id)  # asyncio finds no room either, for a task that goes before it began
    tried: list[Any] = []

    def dive() -> None:
        try:
            dive()
        except RecursionError:
            pass
        if len(tried) < 100:
            tried.append(None)
            try:
                tried[-1] = ACTS[act]()
            except RecursionError:
                pass

    async def main() -> None:
        dive()
        made = [one for one in tried if isinstance(one, asyncio.Future)]
        assert len(made) > 20 or act not in ("create_task", "run_in_executor")
        await asyncio.gather(*made)
        await asyncio.create_task(leaf(), name="after")

    story: Story = record(main, LOOPS[loop], core=core)
    assert [record.getMessage() for record in caplog.records if record.name == "loopscope"] == []
    assert "after" in [task.attributes["asyncio.task.name"] for task in story.tasks]
