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


def switches(how: Callable[[float], None]) -> float:
    """How often a thread was put to sleep for each of its pauses, beside a loop that is never idle."""
    told: list[float] = []

    def rest() -> None:
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        for _ in range(PAUSES):
            how(PAUSE)
        told.append((resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before) / PAUSES)

    async def busy() -> None:
        while not told:
            await asyncio.sleep(0)
            buffer.queue.clear()

    buffer = Buffer(1000)
    thread = threading.Thread(target=rest)
    with gated(native.NativeCore, buffer, lambda name: True):
        thread.start()
        asyncio.run(busy())
    thread.join()
    return told[0]


@pytest.mark.skipif(processors() < 2, reason="on one processor nobody watches while the loop runs")
def test_a_turn_is_given() -> None:
    """All in all, and sooner or later: beside others who keep both processors busy there is little to be won."""
    told: list[tuple[float, float]] = []
    for _ in range(6):
        told = [(switches(pause), switches(time.sleep)) for _ in range(9)]
        if 2 * sum(given for given, _ in told) < sum(taken for _, taken in told):
            return
    raise AssertionError(told)


def lasted(how: Callable[[float], None]) -> float:
    """How long such a pause is, in the median, beside a loop that has many steps to take, which take a while."""
    told: list[float] = []

    def rest() -> None:
        lengths = []
        for _ in range(PAUSES):
            began = time.perf_counter()
            how(PAUSE)
            lengths.append(time.perf_counter() - began)
        told.append(statistics.median(lengths))

    async def long() -> None:
        while not told:
            await asyncio.sleep(0)
            until = time.perf_counter() + STEP
            while time.perf_counter() < until:
                pass
            buffer.queue.clear()

    async def many() -> None:
        await asyncio.gather(*[long() for _ in range(TASKS)])

    buffer = Buffer(1000)
    thread = threading.Thread(target=rest)
    with gated(native.NativeCore, buffer, lambda name: True):
        thread.start()
        asyncio.run(many())
    thread.join()
    return told[0]


@pytest.mark.skipif(processors() < 2, reason="on one processor nobody watches while the loop runs")
def test_a_turn_is_given_where_steps_are_long() -> None:
    """Without it a busy server loses records: the interpreter gives turns of 5 ms each."""
    told: list[tuple[float, float]] = []
    for _ in range(6):
        told = [(lasted(pause), lasted(time.sleep)) for _ in range(5)]
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
