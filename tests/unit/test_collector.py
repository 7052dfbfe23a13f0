"""The garbage collector's times."""

from __future__ import annotations

import gc
import signal
import threading

import pytest

from loopscope.capture import collector, cores
from loopscope.capture.buffer import Buffer
from loopscope.capture.core import Core
from loopscope.model import COLLECTION, clock

CORES = {core.name: core for core in (cores.choose(name).core for name in (cores.PYTHON, cores.NATIVE))}


@pytest.fixture(params=CORES)
def core(request: pytest.FixtureRequest) -> Core:
    return CORES[request.param](Buffer(64), lambda name: True, lambda: None)


def test_long_ones_are_recorded(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """By thread, start and end; what is shorter is not."""
    began = clock()
    for least, count in ((1 << 62, 0), (0, 3)):
        monkeypatch.setattr(collector, "LEAST", least)
        heard = collector.Collector(core)
        gc.disable()
        heard.install()
        try:
            for _ in range(3):
                gc.collect(0)
        finally:
            heard.remove()
            gc.enable()
        assert len(core.buffer.queue) == count
    assert {record[:2] for record in core.buffer.queue} == {(COLLECTION, threading.get_ident())}
    times = [time for record in core.buffer.queue for time in record[2:]]
    assert began < times[0] and times == sorted(times) and times[-1] < clock()
    assert heard.within(began, clock()) == sum(end - start for start, end in zip(times[::2], times[1::2], strict=True))


def test_a_collection_while_its_times_are_read(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading allocates, so it may bring about a collection itself; before CPython 3.12 in its very middle."""
    monkeypatch.setattr(collector, "LEAST", 0)
    heard = collector.Collector(core)
    heard.install()
    threshold = gc.get_threshold()
    try:
        for _ in range(100):
            gc.collect(0)
        told, kept = len(heard._lately), []
        gc.set_threshold(1)
        for _ in range(1_000):
            assert heard.within(0, 1 << 62) > 0
            kept.append([heard])
    finally:
        gc.set_threshold(*threshold)
        heard.remove()
    assert told == 64


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows")
@pytest.mark.skipif("native" not in CORES, reason="what Python runs in a collection is interrupted there")
def test_what_a_signal_handler_raises_is_not_lost() -> None:
    """The collector discards what is raised in what hears of it."""
    raised = caught = 0

    class Alarm(Exception):
        pass

    def handler(signum: int, frame: object) -> None:
        nonlocal raised
        raised += 1
        raise Alarm

    heard = collector.Collector(CORES["native"](Buffer(64), lambda name: True, lambda: None))
    before, others = signal.signal(signal.SIGVTALRM, handler), gc.callbacks[:]
    gc.callbacks.clear()
    gc.collect()
    heard.install()
    try:
        while raised < 50:
            try:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0.0005)
                for _ in range(100_000):
                    gc.collect(0)
            except Alarm:
                caught += 1
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        heard.remove()
        gc.callbacks.extend(others)
    assert caught > 45, (caught, raised)  # but for what a weak reference's callback takes in a collection
