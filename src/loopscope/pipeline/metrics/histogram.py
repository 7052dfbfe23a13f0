"""A log-linear histogram of durations, and what it held over the last interval."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

#: an octave of nanoseconds has this many buckets: a bucket's middle is at most 1/32 away from what is in it
_PARTS = 16
_BITS = _PARTS.bit_length()
#: longer durations count as this long: 13 days
_LONGEST = 1 << 50
_SIZE = (_LONGEST.bit_length() - _BITS + 2) * _PARTS

#: an interval is at least this long (nanoseconds)
INTERVAL = 1_000_000_000


def bucket(duration: int) -> int:
    """The bucket of a duration in nanoseconds."""
    if duration < 2 * _PARTS:
        return max(duration, 0)
    shift = duration.bit_length() - _BITS
    return shift * _PARTS + (duration >> shift)


def middle(index: int) -> float:
    """The duration that stands for a bucket."""
    if index < 2 * _PARTS:
        return index
    shift = index // _PARTS - 1
    return ((index - shift * _PARTS) << shift) + ((1 << shift) - 1) / 2


class Quantiles(NamedTuple):
    """Of the durations of an interval, in nanoseconds. The maximum is exact, the others within 1/32."""

    p50: float
    p90: float
    p99: float
    max: float


class Histogram:
    """Counts durations; memory and the time of an insertion do not depend on how many."""

    __slots__ = ("_counts", "_max")

    def __init__(self) -> None:
        self._counts = [0] * _SIZE
        self._max = 0

    def add(self, duration: int) -> None:
        """Count a duration of so many nanoseconds."""
        if duration > self._max:
            self._max = duration
        if duration < 2 * _PARTS:
            self._counts[duration if duration > 0 else 0] += 1
        elif duration < _LONGEST:  # as `bucket`, without the call
            shift = duration.bit_length() - _BITS
            self._counts[shift * _PARTS + (duration >> shift)] += 1
        else:
            self._counts[bucket(_LONGEST)] += 1

    def quantiles(self) -> Quantiles | None:
        """By nearest rank; None where nothing was counted."""
        counts, longest = self._counts, self._max
        total = sum(counts)
        if not total:
            return None
        found: list[float] = []
        ranks = [-(-total * percent // 100) for percent in (50, 90, 99)]
        below = 0
        for index, count in enumerate(counts):
            below += count
            while len(found) < len(ranks) and below >= ranks[len(found)]:
                found.append(min(middle(index), longest))
        return Quantiles(found[0], found[1], found[2], longest)


class Window:
    """A histogram that is begun anew when it is read.

    The gauges of one collection ask one after another, and several readers may collect: whoever asks within a second
    of the last is told the same. So a reader is told of the time since the last collection, its own or another's, that
    is over a second old; that collection's interval is never empty for want of age.
    """

    __slots__ = ("_histogram", "_reading", "_shown", "_taken", "add")

    def __init__(self) -> None:
        self._histogram = Histogram()
        #: the histogram's; one that is just being counted at a reading may go with the old interval, unseen
        self.add: Callable[[int], None] = self._histogram.add
        self._taken: int | None = None
        self._shown: Quantiles | None = None
        self._reading = threading.Lock()

    def read(self, now: int) -> Quantiles | None:
        """The quantiles of the interval that ends at this clock reading, None where it is empty."""
        with self._reading:
            if self._taken is None or now - self._taken >= INTERVAL:
                self._taken = now
                done, self._histogram = self._histogram, Histogram()
                self.add = self._histogram.add
                self._shown = done.quantiles()
            return self._shown
