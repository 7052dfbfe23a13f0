"""Nothing leaks, nothing dangles: many tasks, ends of every kind, and interpreters that end meanwhile."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import weakref
from pathlib import Path
from types import FrameType, FunctionType, ModuleType

import pytest

from loopscope.capture.buffer import Buffer
from loopscope.capture.gate import Gate
from loopscope.capture.private import FRAME_APART
from tests.native.programs import PROGRAMS
from tests.native.records import gated, recorded
from tests.support import LOOPS

native = pytest.importorskip("loopscope.capture.native", exc_type=ImportError)

TASKS, BATCH = 200_000, 1_000
#: growth that an allocator's own ways may cause (bytes)
ROOM = 4 << 20


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(FRAME_APART, reason="a coroutine has its frame from its beginning")
def test_no_frame_is_made_of_a_waiting_coroutine() -> None:
    """It would stay for as long as the coroutine: some 160 bytes for each task that waits."""

    async def wait(future: asyncio.Future[None]) -> None:
        await future

    async def main() -> list[object]:
        future = asyncio.get_running_loop().create_future()
        coroutines = [wait(future), wait(future)]  # the first one's frame tells of what module it is
        tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
        await asyncio.sleep(0)
        known = gc.get_referents(coroutines[1])
        future.set_result(None)
        await asyncio.gather(*tasks)
        return known

    with gated(native.NativeCore, buffer := Buffer(100), lambda name: True):
        known = asyncio.run(main())
    assert buffer.queue
    assert not [thing for thing in known if isinstance(thing, FrameType)]


def alive() -> int:
    """Stand-ins that are there."""
    return sum(type(thing) is native._native.Step for thing in gc.get_objects())


async def many(buffer: Buffer, count: int) -> None:
    """Tasks that yield, wait, fail, are cancelled, and are dropped while they wait."""

    async def work(number: int) -> None:
        await asyncio.sleep(0)
        if number % 5 == 1:
            raise ValueError(number)
        if number % 5 == 2:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(0 if number % 5 else 1e-6)

    for _ in range(count // BATCH):
        tasks = [asyncio.create_task(work(number)) for number in range(BATCH)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for number, task in enumerate(tasks):
            if number % 5 == 2 and number % 10 != 7:
                task.cancel()
            elif number % 10 == 7:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
        await asyncio.gather(*[task for number, task in enumerate(tasks) if number % 10 != 7], return_exceptions=True)
        tasks.clear()
        buffer.queue.clear()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells how much memory a process has")
def test_many_tasks_leave_nothing() -> None:
    buffer = Buffer(100_000)
    core = native.NativeCore(buffer, lambda name: True, lambda: None)
    gate = Gate(core)
    gate.install()
    try:
        asyncio.run(many(buffer, TASKS // 10))
        gc.collect()
        before = resident()
        asyncio.run(many(buffer, TASKS))
        gc.collect()
        grown = resident() - before
    finally:
        gate.remove()
        core.release()
    assert core.errors == 0 and buffer.dropped == 0
    assert grown < ROOM, grown
    assert alive() == 0 and not gc.garbage


def test_references_are_given_back() -> None:
    """Of what steps share: counted before and after, by the program."""
    natives = (native.NativeCore, native._native.Step, native._native.Gate, None, "asyncio.Future", 0)
    for program in PROGRAMS:
        counts = []
        for _ in range(4):
            recorded(native.NativeCore, program, "asyncio")
            gc.collect()
            counts.append([sys.getrefcount(thing) for thing in natives])
        assert all(later <= earlier + 16 for earlier, later in zip(counts[1], counts[3], strict=True)), (
            program,
            counts,
        )


@pytest.mark.parametrize("loop", LOOPS)
def test_what_a_loop_refers_to_is_not_the_buffer(loop: str) -> None:
    """Tests go through that and count: records come at any time."""
    buffer = Buffer(1000)
    unwanted = id(buffer)

    async def main() -> bool:
        asyncio.get_running_loop().call_later(60, print)
        asyncio.get_running_loop().call_soon_threadsafe(len, "")
        task = asyncio.create_task(asyncio.sleep(0))
        reached: dict[int, object] = {}
        found: list[object] = [asyncio.get_running_loop(), task]
        while found:
            reached.update({id(thing): thing for thing in found})
            found = [
                thing for thing in gc.get_referents(*found)
                if id(thing) not in reached and not isinstance(thing, (type, FunctionType, ModuleType, FrameType))
            ]  # fmt: skip
        await task
        assert len(reached) > 40
        return unwanted in reached

    with gated(native.NativeCore, buffer, lambda name: True):
        assert not LOOPS[loop](main())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_core_dies_when_it_is_off(loop: str) -> None:
    core = recorded(native.NativeCore, PROGRAMS[0], loop)[1]
    died = weakref.ref(core)
    del core
    gc.collect()
    assert died() is None and alive() == 0


@pytest.mark.parametrize("loop", LOOPS)
def test_what_is_queued_outlives_its_core(loop: str) -> None:
    told: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.001)
        told.append("step")

    async def main() -> None:
        with gated(native.NativeCore, Buffer(1000), lambda name: True) as core:
            task = asyncio.create_task(work())
            dropped = asyncio.create_task(work())
            asyncio.get_running_loop().call_later(0.001, told.append, "timer")
            asyncio.get_running_loop().call_soon_threadsafe(told.append, "thread")
            core.release()
        died = weakref.ref(core)
        del core
        gc.collect()
        assert died() is None and alive() == 2
        dropped.cancel()
        await task

    LOOPS[loop](main())
    assert sorted(told) == ["step", "thread", "timer"]


#: loops that run in daemon threads while the interpreter ends, with handles and tasks left
ENDS = """
import asyncio, sys, threading
from loopscope import runtime
from loopscope.settings import Settings
runtime.start(Settings(core="native", trace_file="/dev/null"))
assert runtime.statistics()["core"] == "native"

async def busy(turns):
    while True:
        await asyncio.sleep(0)
        asyncio.get_running_loop().create_future()

for _ in range(2):
    threading.Thread(target=asyncio.run, args=(busy(0),), daemon=True).start()
left = asyncio.new_event_loop()
left.create_task(asyncio.sleep(1))
left.run_until_complete(asyncio.sleep(0.05))
kept = list(left._ready)
import os
if sys.argv[1] == "kept":
    sys.kept = kept, left
"""


@pytest.mark.parametrize("way", ["kept", "dropped"])
def test_ends_of_an_interpreter(way: str) -> None:
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", ENDS, way], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr.replace("Task was destroyed", ""), done.stderr


#: what a subinterpreter says of it
SUB = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
made = interpreters.create()
interpreters.run_string(made, '''
from loopscope.capture.cores import choose
chosen = choose("native")
print(chosen.core.name, chosen.reason)
''')
"""


def test_a_subinterpreter_is_refused() -> None:
    done = subprocess.run([sys.executable, "-c", SUB], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("python the native core cannot be loaded: "), done.stdout
