"""Other threads: call_soon_threadsafe, run_coroutine_threadsafe, to_thread, run_in_executor."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.scenarios.tasks import sleeper
from tests.support import LOOPS, checked, family


class Held:
    """A function for an executor that ends only after the awaiting task has suspended."""

    def __init__(self) -> None:
        self._go = threading.Event()

    def resize(self) -> str:
        assert self._go.wait(10)
        return "resized"

    def release_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._go.set)


@pytest.mark.parametrize("loop", LOOPS)
def test_call_soon_threadsafe(loop: str) -> None:
    async def main() -> None:
        event = asyncio.Event()
        running = asyncio.get_running_loop()
        thread = threading.Thread(target=running.call_soon_threadsafe, args=(event.set,))
        running.call_soon(thread.start)
        await event.wait()
        thread.join()

    assert checked(main, loop).lines() == [
        "main 0: start > suspended asyncio.Event.wait",
        "main 1: thread by Event.set > returned",
    ]


@pytest.mark.parametrize("loop", LOOPS)
def test_run_coroutine_threadsafe(loop: str) -> None:
    async def main() -> str:
        running = asyncio.get_running_loop()

        def work() -> str:
            return asyncio.run_coroutine_threadsafe(sleeper(), running).result(10)

        return await asyncio.to_thread(work)

    story = checked(main, loop)
    assert story.result == "slept"  # type: ignore[attr-defined]
    assert story.lines() == [
        "main 0: start > suspended executor work",
        "sleeper 0: start > suspended asyncio.sleep",
        "sleeper 1: timer > returned",
        "main 1: thread by executor work > returned",
    ]
    assert family(story) == ["main: returned", "sleeper: returned"]  # no task created it
    assert {step.attributes["thread.id"] for step in story.steps} == {threading.get_ident()}


@pytest.mark.parametrize("loop", LOOPS)
def test_to_thread(loop: str) -> None:
    async def main() -> str:
        held = Held()
        held.release_soon()
        return await asyncio.to_thread(held.resize)

    story = checked(main, loop)
    assert story.result == "resized"  # type: ignore[attr-defined]
    assert story.lines() == [
        "main 0: start > suspended executor Held.resize",
        "main 1: thread by executor Held.resize > returned",
    ]


SUBMITTED: dict[str, Callable[[Held], Callable[[], str]]] = {
    "method": lambda held: held.resize,
    "partial": lambda held: functools.partial(held.resize),
    "partial of partial": lambda held: functools.partial(functools.partial(held.resize)),
}


@pytest.mark.parametrize("function", SUBMITTED)
@pytest.mark.parametrize("loop", LOOPS)
def test_run_in_executor(loop: str, function: str) -> None:
    async def main() -> str:
        held = Held()
        held.release_soon()
        with ThreadPoolExecutor(1) as pool:
            return await asyncio.get_running_loop().run_in_executor(pool, SUBMITTED[function](held))

    story = checked(main, loop)
    assert story.result == "resized"  # type: ignore[attr-defined]
    assert story.lines() == [
        "main 0: start > suspended executor Held.resize",
        "main 1: thread by executor Held.resize > returned",
    ]
