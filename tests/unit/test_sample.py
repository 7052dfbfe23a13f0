"""The sample is uniform and bounded; an exemplar is a notable step with a span that was exported, or none."""

from __future__ import annotations

import random
from typing import Any

from loopscope.model import Delay, Step
from loopscope.pipeline.metrics.sample import HOLD, INTERVAL, Measured, Sample
from tests.records import MS, where

DELAY = Delay("parse", None, MS, 1, "", "", (0, -1))


def made(start: int = 0, lasts: int = 10, **notes: Any) -> Step:
    step = Step(0, where(), start, start, start + lasts, "start", 0, 0, None, "suspended", None, None, -1, None, (),
                None, None, None)  # fmt: skip
    for name, value in notes.items():
        setattr(step, name, value)
    return step


def taken(sample: Sample, now: int, all: bool = False) -> list[tuple[int, tuple[int, int] | None]]:
    return [(m.step.start, m.exemplar) for m in sample.take(now, all)]


def test_few_steps_are_all_there_once() -> None:
    sample = Sample(slow=MS)
    assert taken(sample, 0) == []
    for start in range(3):
        sample.add(made(start))
    assert taken(sample, INTERVAL - 1) == []
    assert taken(sample, INTERVAL) == [(0, None), (1, None), (2, None)]
    assert taken(sample, 9 * INTERVAL) == []
    assert sample._awaited == {}


def test_of_many_each_has_the_same_chance() -> None:
    """10 of 100, 3,000 times: each comes about 300 times; 5 standard deviations are 82."""
    sample = Sample(slow=MS, limit=10, seed=7)
    steps = [made(start) for start in range(100)]
    seen = [0] * 100
    for _ in range(3_000):
        for step in steps:
            sample.add(step)
        got = taken(sample, 0, True)
        assert len(got) == 10
        for start, _ in got:
            seen[start] += 1
    assert max(abs(count - 300) for count in seen) < 82
    assert sample._awaited == {}


def test_the_applications_random_is_left_alone() -> None:
    random.seed(3)
    before = random.getstate()
    sample = Sample(slow=MS, limit=1)
    for start in range(50):
        sample.add(made(start))
    assert random.getstate() == before


def test_an_exemplar_is_a_notable_step_that_was_exported() -> None:
    sample = Sample(slow=5 * MS)
    plain, slow, delayed = made(0), made(1, lasts=5 * MS), made(2, delay=DELAY)
    for step in (plain, slow, delayed):
        sample.add(step)
        sample.exported(step, 7, 10 + step.start)
        sample.exported(step, 8, 99)
    sample.exported(made(3), 7, 1)
    assert taken(sample, 0, True) == [(0, None), (1, (7, 11)), (2, (7, 12))]


def test_a_notable_step_waits_for_its_span() -> None:
    sample = Sample(slow=5 * MS)
    stalled, other = made(1, looks=[object()]), made(2, delay=DELAY)
    taken(sample, 0)
    sample.add(stalled)
    sample.add(other)
    assert taken(sample, INTERVAL) == []
    sample.exported(stalled, 7, 11)
    assert taken(sample, 2 * INTERVAL) == [(1, (7, 11))]
    assert taken(sample, INTERVAL + HOLD - 1) == []
    assert taken(sample, INTERVAL + HOLD) == [(2, None)], "without an exemplar rather than not at all"


def test_at_the_end_nothing_waits() -> None:
    sample = Sample(slow=5 * MS)
    sample.add(made(1, delay=DELAY))
    assert taken(sample, 0, True) == [(1, None)]


def test_durations() -> None:
    step = made(100, lasts=30)
    step.ready = 60
    assert (Measured(step).duration, Measured(step).ready) == (30, 40)
