"""What the collector counts and does not see."""

from __future__ import annotations

import gc

import pytest

native = pytest.importorskip("loopscope._native", exc_type=ImportError)


def test_it_is_counted_and_not_seen() -> None:
    gc.disable()
    try:
        gc.collect()
        before = gc.get_count()[0]
        weights = [native.Weight() for _ in range(300)]
        assert 290 <= gc.get_count()[0] - before <= 310
        assert not any(gc.is_tracked(weight) for weight in weights)
        weights.clear()
        assert abs(gc.get_count()[0] - before) <= 10
    finally:
        gc.enable()
