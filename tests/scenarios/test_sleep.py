"""asyncio.sleep, and `sleep(0)` loops."""

from __future__ import annotations

import asyncio

import pytest

from tests.support import LOOPS, check_sums, record


@pytest.mark.parametrize("loop", LOOPS)
def test_sleep(loop: str) -> None:
    async def main() -> None:
        await asyncio.sleep(0.01)

    story = record(main, LOOPS[loop])
    assert story.lines() == ["main 0: start > suspended asyncio.sleep", "main 1: timer > returned"]
    check_sums(story)


@pytest.mark.parametrize("loop", LOOPS)
def test_bare_yields(loop: str) -> None:
    async def main() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    story = record(main, LOOPS[loop])
    assert story.lines() == [
        "main 0: start > yielded",
        "main 1: yield > yielded",
        "main 2: yield > yielded",
        "main 3: yield > returned",
    ]
    check_sums(story)
    for before, after in zip(story.steps, story.steps[1:], strict=False):
        ready = after.attributes["asyncio.step.ready.duration"]
        assert abs(ready - (after.start - before.end) / 1e9) < 1e-6  # ready from the end of its own step
