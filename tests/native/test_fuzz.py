"""Tasks that are collected, cancelled and re-entered while they are recorded, in a random order: nothing breaks."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from loopscope.capture.buffer import Buffer
from loopscope.capture.gate import Gate
from loopscope.model import STEP
from tests.support import LOOPS

native = pytest.importorskip("loopscope.capture.native", exc_type=ImportError)

ACTIONS = 400


class Oops(Exception):
    """Raised by the programs."""


class Finalised:
    """Runs something when it dies, wherever that is."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action, self.cycle = action, self

    def __del__(self) -> None:
        self.action()


class Fuzz:
    """A loop's worth of tasks on which random things are done, from steps, callbacks and finalisers."""

    def __init__(self, seed: int, core: Any) -> None:
        self.chance = random.Random(seed)
        self.core = core
        self.left, self.thread = ACTIONS, threading.get_ident()
        self.tasks: list[asyncio.Task[Any]] = []
        self.futures: list[asyncio.Future[None]] = []
        self.gates: list[Any] = []
        self.actions = [
            self.spawn, self.spawn, self.spawn, self.cancel, self.cancel, self.resolve, self.resolve, self.drop, gc.collect,
            self.finalise, self.call_back, self.mute, self.empty, self.nest, self.cancel_itself,
        ]  # fmt: skip

    def act(self) -> None:
        """Something."""
        if self.left > 0 and threading.get_ident() == self.thread:  # the collector runs on others too
            self.left -= 1
            self.chance.choice(self.actions)()

    def spawn(self) -> None:
        """One task more."""
        self.tasks.append(asyncio.get_running_loop().create_task(self.live()))

    def cancel(self) -> None:
        """One of the tasks."""
        if self.tasks:
            self.chance.choice(self.tasks).cancel(msg=Finalised(lambda: None))

    def cancel_itself(self) -> None:
        """In its own step."""
        task = asyncio.current_task()
        if task is not None:
            task.cancel()

    def resolve(self) -> None:
        """One of the futures: a result, an error, or cancelled."""
        if self.futures:
            future = self.futures.pop(self.chance.randrange(len(self.futures)))
            if not future.done():
                self.chance.choice(
                    [lambda: future.set_result(None), lambda: future.set_exception(Oops()), future.cancel]
                )()

    def drop(self) -> None:
        """References to tasks and futures that may be waiting: they may die while they are pending."""
        for kept in (self.tasks, self.futures):
            while kept and self.chance.random() < 0.5:
                thing: Any = kept.pop(self.chance.randrange(len(kept)))
                if isinstance(thing, asyncio.Task):
                    thing._log_destroy_pending = False  # type: ignore[attr-defined]

    def finalise(self) -> None:
        """Something is done when garbage is collected, perhaps within the core."""
        Finalised(self.act)

    def call_back(self) -> None:
        """Something is done by a callback, or when a task ends."""
        if self.tasks and self.chance.random() < 0.5:
            self.chance.choice(self.tasks).add_done_callback(lambda _: self.act())
        else:
            asyncio.get_running_loop().call_soon(self.act)

    def mute(self) -> None:
        """The pipeline has a task passed by, or recorded again."""
        if self.tasks:
            life = getattr(self.chance.choice(self.tasks), "_loopscope", None)
            if life is not None:
                life.muted = not life.muted

    def empty(self) -> None:
        """The pipeline takes what is there."""
        self.core.buffer.queue.clear()

    def nest(self) -> None:
        """Another loop runs in another thread within a step."""
        thread = threading.Thread(target=lambda: asyncio.run(asyncio.sleep(0)))
        thread.start()
        thread.join()

    async def live(self) -> None:
        """A task's life."""
        here = Finalised(self.act) if self.chance.random() < 0.2 else None
        for _ in range(self.chance.randrange(6)):
            self.act()
            try:
                await self.wait()
            except (asyncio.CancelledError, Oops):
                if self.left <= 0 or self.chance.random() < 0.5:
                    raise
        del here

    async def wait(self) -> None:
        """One of the ways to wait."""
        kind = self.chance.randrange(5) if self.left > 0 else 0
        if kind == 0:
            await asyncio.sleep(0)
        elif kind == 1:
            await asyncio.sleep(1e-4)
        elif kind == 2 and self.tasks:
            await asyncio.wait({self.chance.choice(self.tasks)}, timeout=0.001)
        elif kind == 3:
            async with asyncio.Lock():
                await asyncio.sleep(0)
        else:
            future = asyncio.get_running_loop().create_future()
            self.futures.append(future)
            await future

    async def main(self) -> None:
        """Until nothing is left to do."""
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        while self.left > 0:
            try:
                self.act()
                await asyncio.sleep(0)
            except asyncio.CancelledError:  # by itself
                pass
        for future in self.futures:
            future.cancel()
        await asyncio.sleep(0.002)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("loop", LOOPS)
def test_fuzz(loop: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    buffer = Buffer(100_000)
    core = native.NativeCore(buffer, lambda name: True, lambda: None)
    gate, threshold = Gate(core), gc.get_threshold()
    gate.install()
    gc.set_threshold(7)  # collections come anywhere
    try:
        LOOPS[loop](Fuzz(seed, core).main())
    finally:
        gc.set_threshold(*threshold)
        gate.remove()
    assert core.errors == 0 and any(record[0] == STEP for record in buffer.queue)
    died = weakref.ref(core)
    core.release()
    del core, gate, buffer
    gc.collect()  # the tasks, and with them their guards, of which the collector does not know: now the core
    gc.collect()
    assert died() is None
    assert not any(type(thing) is native._native.Step for thing in gc.get_objects())
