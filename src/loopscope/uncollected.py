"""The collector runs when and where it would without loopscope: garbage is the application's, with its finalizers.

The collector counts what is made and not yet freed, on all threads together, and runs on the one that makes too much.
So it is off while a thread of ours works, and then weights are made or freed until it counts what it did before. What
the application's threads make for a record, and ours frees, is weighed up by a weight a record.

It is off for all then. What lets the GIL go is done within `paused`; and where the GIL is taken from our thread all the
same, which may not get it back for long, the first record that the application's thread writes has it on again.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any

#: it is CPython's, and no other thread runs in the midst of ours
_COUNTS = sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()
#: weights that are kept at most
_MOST = 2_000
#: so much is made while something is sent, and so long is waited for the application to collect before (seconds, times)
_SENT, _TURN, _TURNS = 400, 0.002, 5


class Weight:
    """Something that the collector counts. The native core has its own, which the collector does not see."""

    __slots__ = ("nothing",)


#: makes one
weight: Callable[[], Any] = Weight
#: freed, one lowers the count
weights: list[Any] = []
#: while the collector is off for our work: what was counted at its beginning
off: list[int] = []


def begin() -> bool:
    """From now on the collector keeps off our thread. False where it is off as it is, or works otherwise."""
    if not _COUNTS or not gc.isenabled():
        return False
    off.append(gc.get_count()[0])  # first: our thread may be stopped before the next line, or after it
    gc.disable()
    if not off:  # a record of the application's came in between
        gc.enable()
        return False
    return True


def end() -> None:
    """No more from now on."""
    try:
        more = gc.get_count()[0] - off[0]
    except IndexError:  # as it never was, or is not any more
        return
    if more > 0:
        del weights[-more:]
    elif more < 0:
        weights.extend([weight() for _ in range(min(-more, _MOST - len(weights)))])
    gc.enable()  # first, as above
    off.clear()


@contextmanager
def paused(turns: int = _TURNS) -> Iterator[None]:
    """Not within; and if it can be, the application has collected before: it is given so many turns."""
    was = bool(off)
    for _ in range(turns if was else 0):
        most = gc.get_threshold()[0]
        if most <= _SENT or gc.get_count()[0] + _SENT < most:
            break
        end()
        sleep(_TURN)
        begin()
    end()
    try:
        yield
    finally:
        if was:
            begin()


def release() -> None:
    """The collector is on again, if it is off for our work: on another thread, or in a forked child."""
    if off:
        try:
            off.clear()
        finally:  # a signal handler of the application's may have raised
            gc.enable()


def forget() -> None:
    """Nothing is recorded any more."""
    release()
    weights.clear()


def lift() -> None:
    """A record is written, or found no room. There is something to do where one of the two lists is not empty."""
    release()
    del weights[-1:]
