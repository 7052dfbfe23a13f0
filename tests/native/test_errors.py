"""Errors of our own and of the application's objects: the host goes on, and both cores take them alike."""

from __future__ import annotations

import asyncio
import importlib
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from loopscope.capture.buffer import Buffer
from loopscope.capture.core import Core
from loopscope.capture.life import LIFE, LoopState, hang
from loopscope.model import STEP, UNKNOWN
from tests.native.records import gated
from tests.support import LOOPS

native = pytest.importorskip("loopscope.capture.native", exc_type=ImportError)

cores = pytest.mark.parametrize("kind", [Core, native.NativeCore])


async def program() -> int:
    """Tasks that are born, wait, yield and end."""

    async def one() -> int:
        await asyncio.sleep(0)
        await asyncio.sleep(0.0001)
        return 1

    return sum(await asyncio.gather(*[one() for _ in range(5)]))


def run(kind: type[Core], **replaced: Any) -> Core:
    """The core that recorded it, with these attributes replaced."""
    with gated(kind, Buffer(1000), lambda name: True) as core:
        for name, value in replaced.items():
            setattr(core, name, value)
        assert asyncio.run(program()) == 5
    return core


def raising(error: BaseException) -> Any:
    """Whatever it is called with."""

    def fail(*_: Any) -> Any:
        raise error

    return fail


@cores
@pytest.mark.parametrize("name", ["wanted", "describe", "current", "current_in", "awaken"])
def test_an_error_switches_it_off(kind: type[Core], name: str) -> None:
    core = run(kind, **{name: raising(ValueError("of our own"))})
    assert core.errors >= 1 and not core.on


@cores
def test_a_context_that_cannot_be_described(kind: type[Core]) -> None:
    """A TypeError is what there is without OpenTelemetry, or of a context of another kind."""
    core = run(kind, describe=raising(TypeError("of the application's")))
    assert core.errors == 0 and sum(record[0] == STEP for record in core.buffer.queue) > 15


@cores
@pytest.mark.parametrize("context", [None, 7, "text"])
def test_contexts_that_take_no_weak_reference(kind: type[Core], context: Any) -> None:
    core = run(kind, current=lambda: context, current_in=lambda _: context, describe=lambda _: None)
    assert core.errors == 0 and sum(record[0] == STEP for record in core.buffer.queue) > 15


@cores
@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_stand_in_that_cannot_be_made(kind: type[Core], on: bool, loop: str) -> None:
    """The callback itself is scheduled. Where another thread has just switched off, that is no error."""

    class Broken(kind):  # type: ignore[misc, valid-type]
        pass

    def refuse(core: Any, *_: Any) -> Any:
        made.on = on
        raise TypeError("not a Life")

    Broken.bind = Broken.show = staticmethod(refuse)

    async def main() -> int:
        task = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return await program()

    with gated(Broken, Buffer(1000), lambda name: True) as made:
        assert LOOPS[loop](main()) == 5
    assert not made.on and made.errors == on


class Alarm(Exception):
    """What a signal handler raises."""


def handler(signum: int, frame: Any) -> None:
    raise Alarm


def any_handler(*args: Any) -> None:
    raise Alarm


@pytest.fixture(params=[handler, any_handler])
def interrupted(request: pytest.FixtureRequest) -> Iterator[Callable[..., None]]:
    """What is called where a signal comes in, once."""
    if not hasattr(signal, "SIGUSR1"):
        pytest.skip("Windows")
    before, come = signal.signal(signal.SIGUSR1, request.param), []

    def interrupted(*_: Any) -> None:
        if not come:
            come.append(1)
            signal.raise_signal(signal.SIGUSR1)

    yield interrupted
    signal.signal(signal.SIGUSR1, before)


@cores
@pytest.mark.parametrize("name", ["wanted", "describe"])
def test_what_a_signal_handler_raises_goes_to_the_application(
    kind: type[Core], name: str, interrupted: Callable[..., None]
) -> None:
    """It interrupts whatever runs, a creation here: that is no error of ours, and recording goes on."""
    with gated(kind, Buffer(1000), lambda name: True) as core:
        setattr(core, name, interrupted)
        coroutine = program()
        with pytest.raises(Alarm):
            asyncio.run(coroutine)
        coroutine.close()
        assert core.on and core.errors == 0
        assert asyncio.run(program()) == 5


@cores
@pytest.mark.parametrize("loop", LOOPS)
def test_what_a_signal_handler_raises_as_a_step_begins(
    kind: type[Core], loop: str, interrupted: Callable[..., None]
) -> None:
    """The step runs all the same, for its task would never go on; then the loop is told of it."""
    told: list[BaseException] = []

    async def main() -> int:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
        return await program()

    with gated(kind, Buffer(1000), lambda name: True) as core:
        core.current = interrupted
        assert LOOPS[loop](main()) == 5
        assert core.on and core.errors == 0
    assert [type(error) for error in told] == [Alarm]
    assert sum(record[0] == STEP for record in core.buffer.queue) > 15


@cores
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("where", ["cancels.request", "wakers.woken", "gate._timed", "gate.enter"])
def test_what_a_signal_handler_raises_as_a_callback_is_scheduled(
    kind: type[Core], loop: str, where: str, interrupted: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is scheduled all the same, for its task would never go on, or a timer never come."""

    async def waits(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "slept"

    async def main() -> list[Any]:
        running, another = asyncio.get_running_loop(), asyncio.new_event_loop()
        future, came = running.create_future(), asyncio.Event()
        other, task = asyncio.create_task(waits(10)), asyncio.ensure_future(future)
        await asyncio.sleep(0)
        calls = {
            "cancels.request": other.cancel, "wakers.woken": lambda: future.set_result(1),
            "gate._timed": lambda: running.call_later(0.001, came.set),
            "gate.enter": lambda: another.call_soon_threadsafe(came.set),
        }  # fmt: skip
        module, name = where.split(".")
        owner = importlib.import_module(f"loopscope.capture.{module}")
        original = getattr(owner, name)

        def replaced(*given: Any, **more: Any) -> Any:
            interrupted()
            return original(*given, **more)

        raised = []
        monkeypatch.setattr(owner, name, replaced)
        try:
            calls[where]()
        except Alarm:
            raised.append(where)
        finally:
            monkeypatch.undo()
        if where == "cancels.request":
            await asyncio.wait([other], timeout=5)
            return [raised, other.cancelled()]
        other.cancel()
        await asyncio.to_thread(another.run_until_complete, waits(0))
        another.close()
        if where == "wakers.woken":
            return [raised, await asyncio.wait_for(task, 5) == 1]
        return [raised, await asyncio.wait_for(came.wait(), 5)]

    with gated(kind, Buffer(1000), lambda name: True) as core:
        raised, done = LOOPS[loop](main())
        assert done and core.on and core.errors == 0
    assert raised in ([], [where])


@cores
def test_a_step_whose_context_cannot_be_looked_at(kind: type[Core]) -> None:
    """Near the limit of recursion, say: that is passed over, and the step is told."""

    async def main() -> int:
        core.current = dict  # another context in each step
        core.describe = core.look = raising(RecursionError())  # type: ignore[method-assign]
        for _ in range(3):
            await asyncio.sleep(0)
        return 5

    with gated(kind, Buffer(1000), lambda name: True) as core:
        assert asyncio.run(main()) == 5
        assert core.on and core.cramped >= 3
    steps = [record for record in core.buffer.queue if record[0] == STEP and record[1] == core.buffer.queue[0][1]]
    assert [record[2] for record in steps] == [0, 1, 2, 3] and steps[-1][15] == "returned"


@cores
@pytest.mark.parametrize("name", ["describe", "current"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_is_meant_for_the_host_reaches_it(kind: type[Core], error: type[BaseException], name: str) -> None:
    with pytest.raises(error):
        run(kind, **{name: raising(error())})


@pytest.mark.parametrize("kind", [Core, native.NativeCore])
@pytest.mark.parametrize("other", [Core, native.NativeCore])
def test_what_another_core_left_on_a_task(kind: type[Core], other: type[Core]) -> None:
    """Its Life: this one goes on, and records the task's steps again after one at the latest."""

    async def waits() -> None:
        for _ in range(5):
            await asyncio.sleep(0.001)

    async def main() -> None:
        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        left = other.life(10**6, UNKNOWN, LoopState(10**6, ""), False)
        hang(task, LIFE, left)
        await task

    with gated(kind, Buffer(1000), lambda name: True) as core:
        asyncio.run(main())
    assert core.errors == 0
    steps = [record for record in core.buffer.queue if record[0] == STEP]
    assert len(steps) >= 7


def test_in_a_step_of_another_core() -> None:
    """It runs on, while this one is switched on: who is created in it was created by nobody that this one knows."""

    async def main() -> None:
        with gated(native.NativeCore, Buffer(1000), lambda name: True) as core:
            await asyncio.create_task(program())
        assert core.errors == 0 and len(core.buffer.queue) > 20

    with gated(Core, Buffer(1000), lambda name: True) as core:
        asyncio.run(main())
    assert core.errors == 0
