"""The garbage collector's times."""

from __future__ import annotations

import gc

import pytest

from loopscope.capture import collector
from loopscope.capture.buffer import Buffer


def test_a_collection_while_its_times_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading allocates, so it may bring about a collection itself; before CPython 3.12 in its very middle."""
    monkeypatch.setattr(collector, "LEAST", 0)
    heard = collector.Collector(Buffer(64))
    heard.install()
    threshold = gc.get_threshold()
    try:
        for _ in range(100):
            gc.collect()
        told, kept = len(heard._lately), []
        gc.set_threshold(1)
        for _ in range(1_000):
            assert heard.within(0, 1 << 62) > 0
            kept.append([heard])
    finally:
        gc.set_threshold(*threshold)
        heard.remove()
    assert told == 64
