"""What stands on a selector, by both cores: the same looks, notes and errors."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from loopscope.capture.buffer import Buffer
from loopscope.capture.core import Core
from loopscope.capture.life import Here, enter
from loopscope.capture.polls import KEPT, TURNS, WAITED
from loopscope.model import POLLS, clock

native = pytest.importorskip("loopscope.capture.native", exc_type=ImportError)

MILLISECOND, SECOND = 1_000_000, 1_000_000_000


class Looks:
    """A selector's method, and the hook that stands for it."""

    def __init__(self, kind: type[Core]) -> None:
        self.core = kind(Buffer(100), lambda name: True, lambda: None)
        self.here = Here()
        self.here.polls, self.here.unpolled = (), -1
        self.keep_idle()
        #: timeouts that it was asked with; what it gives, and what it does before
        self.asked: list[Any] = []
        self.found: list[Any] = []
        self.act: Callable[[], object] = lambda: None
        self.select = self.core.select(self.core, self.here, self.here.at(1), self.look)

    def look(self, timeout: Any) -> list[Any]:
        self.asked.append(timeout)
        self.act()
        return self.found

    def keep_idle(self) -> None:
        """The loop was not busy before its next look, however slow this machine is."""
        self.here.polled = clock() + SECOND


@pytest.fixture(params=[Core, native.NativeCore])
def looks(request: pytest.FixtureRequest) -> Looks:
    return Looks(request.param)


def test_it_is_known_as_ours(looks: Looks) -> None:
    assert looks.select._loopscope_gate is True


def test_every_way_to_call_it(looks: Looks) -> None:
    found = looks.found = [object()]
    for timeout in (0, 0.0, -1, True, 1, 0.5, None):
        looks.keep_idle()
        assert looks.select(timeout) is found
    looks.keep_idle()
    assert looks.select() is found and looks.select(timeout=0) is found
    assert looks.asked == [0, 0.0, -1, True, 1, 0.5, None, None, 0]
    for wrong in (lambda: looks.select(0, 0), lambda: looks.select(late=0), lambda: looks.select("now")):
        with pytest.raises(TypeError):
            wrong()


def test_a_look_that_may_wait(looks: Looks) -> None:
    seen: list[int] = []
    looks.act = lambda: seen.append(looks.here.polling)
    before, polled = clock(), looks.here.polled
    looks.select(None)
    (polling,) = seen
    assert looks.here.polls is not None
    start, end = looks.here.polls
    assert before <= start == polling <= end == looks.here.polled <= clock()
    assert looks.here.polling == 0 and looks.here.unpolled == (0 if end - start >= WAITED else start - polled)


def test_one_that_waited_found_what_came_meanwhile(looks: Looks) -> None:
    looks.act = lambda: time.sleep(2 * WAITED / 1e9)
    looks.select(1)
    assert looks.here.unpolled == 0
    looks.select(0)
    assert looks.here.polls is not None and len(looks.here.polls) == 4  # it waited, to be scheduled or for the GIL
    assert looks.here.unpolled > 0


def test_after_a_busy_time_it_looks_first(looks: Looks) -> None:
    looks.here.polled = clock() - MILLISECOND
    looks.select(5)
    assert looks.asked == [0, 5] and looks.here.unpolled == 0
    looks.found, looks.here.polls = [object()], ()
    looks.here.polled = clock() - MILLISECOND
    assert looks.select(7) is looks.found
    assert looks.asked == [0, 5, 0] and looks.here.unpolled >= MILLISECOND and looks.here.polls == ()


def test_where_no_step_is_recorded_it_minds_the_looks_that_may_wait(looks: Looks) -> None:
    looks.select(0)
    looks.here.ended = clock()
    looks.act = lambda: time.sleep(2 * WAITED / 1e9)
    for _ in range(TURNS + 1):  # the first finds that a step was recorded
        looks.select(0)
    looks.here.polls = ()
    assert looks.here.polled and looks.here.unpolled >= 0
    looks.select(0)
    assert (looks.here.polled, looks.here.unpolled, looks.here.polls) == (0, -1, ())
    looks.select(1)
    assert len(looks.here.polls) == 2 and looks.here.polled and looks.here.unpolled == 0
    looks.select(0)
    assert (looks.here.polled, looks.here.unpolled) == (0, -1)
    looks.act = lambda: None
    looks.select(1)  # what it finds may have been there for long
    start, end = looks.here.polls[2:]
    assert looks.here.unpolled == (0 if end - start >= WAITED else -1)
    looks.here.ended = clock()
    looks.select(0)
    assert looks.here.polled and looks.here.unpolled >= 0


def test_looks_that_no_record_takes(looks: Looks) -> None:
    for _ in range(KEPT // 2 + 1):
        looks.select(None)
    ((tag, where, polls),) = looks.core.buffer.queue
    assert (tag, where, len(polls)) == (POLLS, looks.here.at(1), KEPT)
    assert looks.here.polls is not None and len(looks.here.polls) == 2 and list(polls) == sorted(polls)


def test_an_error_of_the_selector(looks: Looks) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    looks.act = fail
    for timeout in (0, None):
        looks.keep_idle()
        with pytest.raises(KeyboardInterrupt):
            looks.select(timeout)
    looks.here.polled = clock() - MILLISECOND
    with pytest.raises(KeyboardInterrupt):
        looks.select(None)
    assert looks.here.polling == 0 and looks.here.polls is not None and len(looks.here.polls) == 2


def test_the_watchdog_is_roused(looks: Looks) -> None:
    roused: list[None] = []
    looks.core.rouse = lambda: roused.append(None)
    looks.core.dozing = True
    looks.select(0)
    assert not roused
    looks.select(None)
    assert roused


def test_an_error_of_our_own_is_no_error_of_the_selector() -> None:
    looks = Looks(native.NativeCore)
    looks.found = [object()]

    def fail() -> None:
        raise ValueError

    looks.core.rouse, looks.core.dozing = fail, True
    assert looks.select(None) is looks.found
    assert looks.core.errors == 1 and not looks.core.on


def test_looks_that_no_record_takes_for_a_second(looks: Looks) -> None:
    looks.here.polls = early = (clock() - 2 * SECOND, clock() - SECOND)
    looks.keep_idle()
    looks.select(None)
    ((tag, _, polls),) = looks.core.buffer.queue
    assert (tag, polls) == (POLLS, early)
    assert looks.here.polls is not None and len(looks.here.polls) == 2


def test_looks_are_told_when_the_loop_stops(looks: Looks) -> None:
    here = enter()
    here.polls = (1, 2)
    looks.core.runs(None, True)
    assert here.polls is None
    ((tag, where, polls),) = looks.core.buffer.queue
    assert (tag, where.thread, polls) == (POLLS, here.ident, (1, 2))
