"""The background thread gets its turn on a busy loop without being woken in vain again and again."""

from __future__ import annotations

import asyncio
import resource
import statistics
import threading
import time
from collections.abc import Callable

import pytest

from loopscope.capture.buffer import Buffer
from loopscope.capture.private import processors
from tests.native.records import gated

native = pytest.importorskip("loopscope.capture.native", exc_type=ImportError)
pytestmark = pytest.mark.alone

pause = native._native.pause

PAUSES, PAUSE, STEP, TASKS = 100, 0.0003, 0.0002, 30


def beside(measure: Callable[[], float], tasks: int = 1, step: float = 0) -> float:
    """What a thread measures beside a loop that is never idle: with so many tasks, whose steps last so many seconds."""
    told: list[float] = []

    async def busy() -> None:
        while not told:
            await asyncio.sleep(0)
            until = time.perf_counter() + step
            while time.perf_counter() < until:
                pass
            buffer.queue.clear()

    async def main() -> None:
        await asyncio.gather(*[busy() for _ in range(tasks)])

    buffer = Buffer(1000)
    thread = threading.Thread(target=lambda: told.append(measure()))
    with gated(native.NativeCore, buffer, lambda name: True):
        thread.start()
        asyncio.run(main())
    thread.join()
    return told[0]


def switches(how: Callable[[float], None]) -> float:
    """How often a thread was put to sleep for each of its pauses."""

    def measure() -> float:
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        for _ in range(PAUSES):
            how(PAUSE)
        return (resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before) / PAUSES

    return beside(measure)


def lasted(how: Callable[[float], None]) -> float:
    """How long such a pause is, in the median, beside many steps that take a while."""

    def measure() -> float:
        lengths = []
        for _ in range(PAUSES):
            began = time.perf_counter()
            how(PAUSE)
            lengths.append(time.perf_counter() - began)
        return statistics.median(lengths)

    return beside(measure, TASKS, STEP)


@pytest.mark.skipif(processors() < 2, reason="on one processor nobody watches while the loop runs")
@pytest.mark.parametrize(("measured", "rounds"), [(switches, 9), (lasted, 5)])
def test_a_turn_is_given(measured: Callable[[Callable[[float], None]], float], rounds: int) -> None:
    """It is not woken in vain, nor waits for the 5 ms after which the interpreter gives turns: a server lost records.

    All in all, and sooner or later: beside others who keep both processors busy there is little to be won.
    """
    told: list[tuple[float, float]] = []
    for _ in range(6):
        told = [(measured(pause), measured(time.sleep)) for _ in range(rounds)]
        if 2 * sum(given for given, _ in told) < sum(taken for _, taken in told):
            return
    raise AssertionError(told)


def test_beside_an_idle_loop() -> None:
    began = time.perf_counter()
    pause(0.01)
    assert time.perf_counter() - began >= 0.01


@pytest.mark.parametrize("wrong", ["soon", None])
def test_no_number(wrong: object) -> None:
    with pytest.raises(TypeError):
        pause(wrong)
