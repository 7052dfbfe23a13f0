"""The ordinary step's way in C leaves the same bytes and the same state as the way in Python, whatever comes."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace

import pytest

from loopscope.model import RETURNED, SUSPENDED, TASK
from loopscope.pipeline.spans import describe
from loopscope.settings import Settings
from tests.native.sides import Side, Sides, differs
from tests.native.stream import Stream
from tests.property.world import World
from tests.records import Pulse, birth, step, where

pytest.importorskip("loopscope._native", exc_type=ImportError)

PLAIN = Settings(metrics=False)
KINDS = {
    "plain": PLAIN,
    "few spans": replace(PLAIN, max_steps_per_task_span=12, max_spans_per_trace=60),
    "a small budget": replace(PLAIN, max_spans_per_second=20),
    "hardly any budget": replace(PLAIN, max_spans_per_second=2),
    "both": replace(PLAIN, max_spans_per_second=20, max_steps_per_task_span=12),
    "short segments": replace(PLAIN, segment_seconds=2),
    "slow": replace(PLAIN, detail="slow"),
    "states": replace(PLAIN, detail="states"),
    "tasks": replace(PLAIN, detail="tasks"),
    "none": replace(PLAIN, detail="none"),
    "busy": replace(PLAIN, delay_threshold=200e-6),
    "no limits": replace(PLAIN, delay_threshold=1e9, stall_threshold=1e9, max_spans_per_trace=10**30),
    "no thresholds": replace(PLAIN, delay_threshold=1e-9, stall_threshold=1e-9),
}

#: those of which many steps are ordinary, and how many were
TELLING = ("plain", "few spans", "a small budget", "both", "short segments", "busy")
ORDINARY: dict[str, int] = {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_a_stream(kind: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of every kind, and all else that is recorded, in any order; what is known of all tasks packed, or of none."""
    monkeypatch.setattr("loopscope.pipeline.pipeline.AWAKE", 0 if seed % 2 else 1024)
    sides = Sides(KINDS[kind], sampled=seed % 3 > 0, measured=seed % 2 > 0)
    stream = Stream(seed, strange=(0.02, 0.1, 0.4)[seed % 3], loops=seed % 4 > 1)
    for _ in range(3):
        for record in stream.draw(250):
            sides.feed(record)
        sides.compare()
        (sides.sweep if seed % 2 else sides.tick)(stream.now)
    sides.finish(stream.now)
    sides.compare()
    if kind in TELLING:
        ORDINARY[kind] = ORDINARY.get(kind, 0) + sides.ordinary
        assert seed < 5 or ORDINARY[kind] > 200, ORDINARY


@pytest.mark.parametrize("always", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_from_the_source(kind: str, always: bool) -> None:
    """Many at once, with ids in bulk and a sampler that always says yes or is asked, and no more than were asked for."""
    sides, stream = Sides(KINDS[kind], always=always), Stream(7, strange=0.05, loops=True)
    for _ in range(3):
        sides.drain(*stream.draw(300))
        sides.compare()
    sides.finish(stream.now)
    sides.compare()
    side = sides.sides[1]
    side.queue.extend(birth(task, task, pulse=Pulse()) for task in range(10**6, 10**6 + 10))
    assert side.pipeline._drain(3) == 3 and len(side.queue) == 7


@pytest.mark.parametrize("shown", [True, False])
def test_more_pieces_than_are_kept_of_a_thread(shown: bool) -> None:
    """The older half goes; a window that reaches back further is told by what is left."""
    sides, now = Sides(PLAIN), 0
    sides.feed(birth(1, 0, pulse=Pulse()), *(birth(task, 0, pulse=Pulse()) for task in range(2, 40)))
    for index in range(9_000):
        now += 200_000
        polls = ((now - 90_000, now - 50_000) if index % 3 == 0 else ()) if shown else None
        sides.feed(step(1, index, now, now, now + 60_000, kind=TASK, polls=polls))
        if index % 250 == 249:
            task = 2 + index // 250
            sides.feed(step(task, 0, now - index * 150_000, now + 70_000, now + 80_000, RETURNED, kind=TASK))
    sides.compare()
    assert sides.ordinary > 9_000


@pytest.mark.parametrize("seed", range(30))
def test_a_world(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Creators, eager children, requests, pools, segments, rotation, late sweeps; of all tasks packed, of most, of none."""
    monkeypatch.setattr("loopscope.pipeline.pipeline.AWAKE", (0, 3, 1024)[seed % 3])
    sides = Sides(KINDS["few spans" if seed % 2 else "plain"], sampled=seed % 3 > 0)
    World(seed, sides, unsampled=seed % 3 == 0).run(400)  # type: ignore[arg-type]
    sides.compare()


@pytest.mark.parametrize("packed", [False, True])
def test_tasks_of_a_full_trace(packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are many more of one creator than its trace has room for: they are counted, and cost less than told ones."""
    monkeypatch.setattr("loopscope.pipeline.pipeline.AWAKE", 0 if packed else 1024)
    sides, now = Sides(replace(PLAIN, max_spans_per_trace=40)), 0
    sides.feed(birth(1, 0, pulse=Pulse()), step(1, 0, 0, 10, 20))
    for task in range(2, 200):
        now += 100_000
        sides.feed(birth(task, now, creator=1, pulse=Pulse()))
        steps = task % 5 + 1
        for index in range(steps):
            late = 3_000_000 if task % 50 == 7 and index == 1 else 1_000  # one of these is delayed
            ready, now = now, now + late + 20_000
            over = index == steps - 1
            sides.feed(step(task, index, ready, ready + late, now, RETURNED if over else None, kind=TASK))
        if task % 50 == 0:
            sides.compare()
    assert sides.sides[1].pipeline.lost["trace_size"] > 100 and sides.ordinary > 500
    sides.finish(now)
    sides.compare()


def test_a_difference_is_seen() -> None:
    """Of any slot."""
    one, other = Side(PLAIN, False), Side(PLAIN, False)
    assert differs(one, other) is None
    other.sums.loops._loops[1] = other.sums.loops._meet(1, True)
    assert differs(one, other) is not None


def counted(native: bool) -> list[int]:
    """References to what many tasks share, and to what each has for itself, once they have ended."""
    side, pulses, here = Side(PLAIN, native), [Pulse() for _ in range(2_000)], where(1)
    shared = [None, True, False, here, TASK, SUSPENDED, RETURNED]
    describe._kinds.clear()  # else it is full now in one of two, and then in the other
    before = [sys.getrefcount(one) for one in shared]
    for task, pulse in enumerate(pulses, 1):
        side.feed(birth(task, task, pulse=pulse))
        for index in range(3):
            at, state = task * 10 + index, RETURNED if index == 2 else None
            record = list(step(task, index, at, at, at + 1, state, kind=TASK, waker=task - 1, waker_step=1))
            record[3] = here
            side.feed(tuple(record))
    record.clear()
    own = [sys.getrefcount(pulse) for pulse in pulses]
    del side
    describe._kinds.clear()
    gc.collect()
    return [sys.getrefcount(one) - then for one, then in zip(shared, before, strict=True)] + [max(own), min(own)]


def test_references_are_given_back() -> None:
    """As many as in Python, but for a few that caches keep."""
    counted(False)
    python, native = counted(False), counted(True)
    assert all(abs(one - other) < 100 for one, other in zip(python, native, strict=True)), (python, native)
    assert python[-2:] == native[-2:]
