"""What uvloop itself cannot do, by its version and Python's: loopscope adds no failure of its own."""

from __future__ import annotations

import asyncio
import sys

import pytest
import uvloop

from tests.scenarios.tasks import quick
from tests.support import checked

#: uvloop 0.23 and eager tasks: it passes no keyword on to the factory that eager_task_factory needs
EAGER = {(3, 12): "eager", (3, 13): "TypeError"}.get(sys.version_info[:2], "not eager")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_eager_tasks() -> None:
    assert uvloop.__version__.startswith("0.23"), "look again what this uvloop makes of eager tasks"

    async def main() -> str:
        running = asyncio.get_running_loop()
        running.set_task_factory(asyncio.eager_task_factory)
        try:
            task = running.create_task(quick())
        except TypeError:
            return "TypeError"
        finally:
            running.set_task_factory(None)
        told = "eager" if task.done() else "not eager"
        await task
        return told

    story = checked(main, "uvloop")
    assert story.result == EAGER  # type: ignore[attr-defined]
    lines = {
        "eager": ["main 0: start > returned", "quick 0: start by main > returned"],
        "TypeError": ["main 0: start > returned"],
        "not eager": [
            "main 0: start > suspended task quick",
            "quick 0: start by main > returned",
            "main 1: task by quick > returned",
        ],
    }
    assert story.lines() == lines[EAGER]
