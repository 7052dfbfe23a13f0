"""The ordinary step's way in C leaves the same bytes and the same state as the way in Python, whatever comes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loopscope.settings import Settings
from tests.native.sides import Side, Sides, differs
from tests.native.stream import Stream
from tests.property.world import World

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
    "no thresholds": replace(PLAIN, delay_threshold=1e-9, stall_threshold=1e-9),
}

#: those of which many steps are ordinary, and how many were
TELLING = ("plain", "few spans", "a small budget", "both", "short segments", "busy")
ORDINARY: dict[str, int] = {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_a_stream(kind: str, seed: int) -> None:
    """Steps of every kind, and all else that is recorded, in any order."""
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


@pytest.mark.parametrize("seed", range(20))
def test_a_world(seed: int) -> None:
    """Creators, eager children, requests, pools, segments, rotation, late sweeps."""
    sides = Sides(KINDS["few spans" if seed % 2 else "plain"], sampled=seed % 3 > 0)
    World(seed, sides, unsampled=seed % 3 == 0).run(400)  # type: ignore[arg-type]
    sides.compare()


def test_a_difference_is_seen() -> None:
    """Of any slot."""
    one, other = Side(PLAIN, False), Side(PLAIN, False)
    assert differs(one, other) is None
    other.sums.loops._loops[1] = other.sums.loops._meet(1, True)
    assert differs(one, other) is not None
