"""Tasks that are collected, cancelled, replaced and re-entered while they are recorded: nothing crashes or stays."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import random
import sys
from collections.abc import Callable
from typing import Any

import pytest

from loopscope.model import STEP
from tests.native.records import recorded
from tests.support import LOOPS

native = pytest.importorskip("loopscope.capture.native", exc_type=ImportError)

SEEDS, TURNS = range(6), 400
VARIABLE: contextvars.ContextVar[Any] = contextvars.ContextVar("loopscope_fuzz")


class Awkward:
    """An awaitable that does things at the worst moments: when asked for its iterator, when sent to, when freed."""

    def __init__(self, act: Callable[[], None], future: asyncio.Future[Any]) -> None:
        self._act, self._future = act, future

    def __await__(self) -> Any:
        self._act()
        yield from self._future.__await__()
        self._act()

    def __del__(self) -> None:
        self._act()


class Fuzz:
    """Random deeds on random tasks of one loop."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.tasks: list[asyncio.Task[Any]] = []
        self.futures: list[asyncio.Future[Any]] = []
        self._deep = 0
        #: the loop is closed: destructors do nothing more
        self.over = False

    def act(self) -> None:
        """One deed, from wherever we are: in a step, in a callback, in a destructor."""
        if self._deep > 3 or not self.tasks or self.over:
            return
        self._deep += 1
        try:
            self._deed(self.random.randrange(9), self.random.choice(self.tasks))
        finally:
            self._deep -= 1

    def _deed(self, deed: int, task: asyncio.Task[Any]) -> None:
        if deed == 0:
            gc.collect(0)
        elif deed == 1:
            task.cancel(self.random.choice(["why", None]))
        elif deed == 2:
            self.tasks.remove(task)
        elif deed == 3 and self.futures:
            future = self.futures.pop(self.random.randrange(len(self.futures)))
            if not future.done():
                future.set_result(task)
        elif deed == 4 and self.futures:
            future = self.random.choice(self.futures)
            future.cancel()
        elif deed == 5:
            task.get_loop().call_soon(self.act, context=contextvars.copy_context())
        elif deed == 6:
            VARIABLE.set(task)
        elif deed == 7:
            task.add_done_callback(lambda done: self.act())
        elif deed == 8:
            sys.setswitchinterval(self.random.choice([1e-6, 5e-3]))

    async def work(self) -> Any:
        """A task's life."""
        for _ in range(self.random.randrange(6)):
            self.act()
            choice = self.random.randrange(5)
            if choice == 0:
                await asyncio.sleep(0)
            elif choice == 1:
                future = asyncio.get_running_loop().create_future()
                self.futures.append(future)
                await Awkward(self.act, future)
            elif choice == 2:
                await asyncio.sleep(self.random.random() / 1e4)
            elif choice == 3:
                raise self.random.choice([ValueError, KeyError, asyncio.CancelledError])("fuzz")
            else:
                self.tasks.append(asyncio.create_task(self.work()))
        return self

    async def main(self) -> None:
        """Create, and let be."""
        asyncio.get_running_loop().set_exception_handler(lambda loop, told: None)
        for _ in range(TURNS):
            self.tasks.append(asyncio.create_task(self.work()))
            self.act()
            await asyncio.sleep(0)
        for task in self.tasks:
            task.cancel()
        await asyncio.sleep(0.01)
        self.over = True


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # coroutines that were never awaited
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("seed", SEEDS)
def test_fuzz(loop: str, seed: int) -> None:
    interval, fuzz = sys.getswitchinterval(), Fuzz(seed)
    try:
        records, core = recorded(native.NativeCore, fuzz.main, loop)
    finally:
        sys.setswitchinterval(interval)
    assert core.errors == 0
    assert sum(record[0] == STEP for record in records) > TURNS
    del records, fuzz
    gc.collect()
    assert not [thing for thing in gc.get_objects() if type(thing) is native._native.Step]
