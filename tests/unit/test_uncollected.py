"""The collector's count is after a thread of ours has worked what it was before."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from loopscope import uncollected
from loopscope.capture.buffer import Buffer
from loopscope.model import POLLS
from loopscope.uncollected import Weight, weights


class Counted:
    """As the application's objects are: the collector counts it."""

    def __init__(self, other: object = None) -> None:
        self.other = other


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """No collection but those of the test's, and no weights of others'."""
    kept = weights[:]
    weights.clear()
    gc.collect()
    yield
    gc.enable()
    weights[:] = kept


def test_what_is_made_and_what_is_freed_is_weighed_up() -> None:
    made = [Counted() for _ in range(500)]
    uncollected.begin()
    assert not gc.isenabled()
    before = gc.get_count()[0]
    made.clear()
    uncollected.end()
    assert gc.isenabled() and 450 < len(weights) <= 510
    assert abs(gc.get_count()[0] - before) < 10

    uncollected.begin()
    before = gc.get_count()[0]
    made = [Counted() for _ in range(300)]
    uncollected.end()
    assert 150 < len(weights) <= 210 and abs(gc.get_count()[0] - before) < 10


def test_weights_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uncollected, "_MOST", 100)
    made = [Counted() for _ in range(500)]
    uncollected.begin()
    made.clear()
    uncollected.end()
    assert len(weights) == 100


def test_what_lets_the_gil_go_is_done_with_the_collector_on() -> None:
    uncollected.begin()
    with pytest.raises(OSError), uncollected.paused():
        assert gc.isenabled()
        raise OSError
    assert not gc.isenabled()
    uncollected.end()
    with uncollected.paused():  # in a thread of the application's, at its end
        assert gc.isenabled()
    assert gc.isenabled()


def test_a_send_waits_for_the_application_to_collect(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a moment, where it would else have to be done on our thread."""
    naps: list[float] = []

    def nap(seconds: float) -> None:
        assert gc.isenabled()
        naps.append(seconds)
        if len(naps) == 3:
            gc.collect(0)  # the application

    monkeypatch.setattr(uncollected, "sleep", nap)
    uncollected.begin()
    made = [Weight() for _ in range(gc.get_threshold()[0])]
    with uncollected.paused():
        assert len(naps) == 3
    uncollected.end()
    assert len(made) == gc.get_threshold()[0]


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    uncollected.begin()
    with uncollected.paused():
        assert not gc.isenabled()
    uncollected.end()
    assert not gc.isenabled() and not weights


@pytest.mark.parametrize("limit", [10, 0])
def test_a_record_of_the_applications_has_it_on_again(limit: int) -> None:
    """Our thread may have been stopped in the midst of it; it lifts a weight. Also one that finds no room."""
    weights.extend(Weight() for _ in range(5))
    uncollected.begin()
    assert Buffer(limit).put((POLLS, None, ())) == (limit > 0)
    assert gc.isenabled() and len(weights) == 4
    uncollected.end()
    assert gc.isenabled() and len(weights) == 4
