"""Where spans are, in C and in Python: the same is remembered, and the same forgotten."""

from __future__ import annotations

import gc
import random
import sys

import pytest

from loopscope.pipeline.spans.placed import RecentlyPlaced

_native = pytest.importorskip("loopscope._native", exc_type=ImportError)


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1000])
def test_the_same_as_in_python(size: int) -> None:
    """More steps than there is room for, some with several spans."""
    draw, mine, reference = random.Random(size), _native.Placed(size), RecentlyPlaced(size)
    for _ in range(6 * size + 100):
        task, step = draw.randrange(1, 20), draw.randrange(size)
        places = draw.getrandbits(128), draw.getrandbits(64)
        for placed in (mine, reference):
            placed.add(task, step, *places)
        asked = draw.randrange(22), draw.randrange(-1, size + 1)
        assert mine.get(*asked) == reference.get(*asked)
    keys = [(task, step) for task in range(22) for step in range(-1, size + 1)]
    assert [mine.get(*key) for key in keys] == [reference.get(*key) for key in keys]
    assert sum(reference.get(*key) is not None for key in keys) == size


def test_references_are_given_back() -> None:
    """Of what is forgotten, and of what is there at its end."""
    trace_id, span_ids = 1 << 100, [(1 << 62) + number for number in range(30)]
    before = sys.getrefcount(trace_id), [sys.getrefcount(one) for one in span_ids]
    placed = _native.Placed(8)
    for number in range(30):
        placed.add(number // 2, 0, trace_id, span_ids[number])
    assert sys.getrefcount(span_ids[0]) == before[1][0]
    assert placed.get(14, 0) == (trace_id, span_ids[28], trace_id, span_ids[29])
    del placed
    gc.collect()
    assert (sys.getrefcount(trace_id), [sys.getrefcount(one) for one in span_ids]) == before


@pytest.mark.parametrize("size", [0, -1, 1 << 25])
def test_a_size_that_cannot_be(size: int) -> None:
    """Says so."""
    with pytest.raises(ValueError, match=f"not {size}"):
        _native.Placed(size)
