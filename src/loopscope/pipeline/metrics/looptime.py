"""How long loops were active and idle: exact where they show their looks at the selector, else estimated."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from loopscope.model import Look

#: where looks are not shown, a shorter gap between two steps is taken for the loop's own work (nanoseconds)
GAP = 1_000_000
#: steps that may have run within one that is still to come
NESTED = 1024
#: loops told apart
LOOPS = 256
#: a share is of an interval at least this long (nanoseconds)
INTERVAL = 1_000_000_000


class LoopTime:
    """One loop. Its time begins with its first record and ends with its last; all in nanoseconds.

    Active is all the time outside of its looks at the selector. Where it does not show them: its steps, gaps shorter
    than GAP between them, and the part of a longer gap for which the step that followed was ready already. A loop
    that rests between two runs seems active meanwhile.
    """

    __slots__ = ("_before", "_busy", "_first", "_named_until", "_until", "covered", "estimated", "idle", "named")

    def __init__(self, estimated: bool) -> None:
        self.estimated = estimated
        self.idle = 0
        #: time in recorded steps, nested ones once
        self.covered = 0
        #: time in callbacks whose function is known by a look at the stack
        self.named = 0
        #: active time, where it is estimated
        self._busy = 0
        self._first = 1 << 62
        self._until = 0
        self._named_until = 0
        #: what the sums were before each of the last steps: one that ran around others comes after them
        self._before: deque[tuple[int, int, int, int, int]] = deque(maxlen=NESTED)

    def step(self, ready: int, start: int, end: int) -> None:
        """A step."""
        if start < self._first:
            self._first = start
        if start < self._until:
            self._unwind(start)
        until = self._until
        self._before.append((start, self.covered, self._busy, self.idle, until))
        if not until:
            until = start
        begun = start if start > until else until
        if self.estimated:
            gap = begun - until
            busy = gap if gap < GAP else min(gap, start - max(ready, until))
            self.idle += gap - busy
            self._busy += busy + (end - begun if end > begun else 0)
        if end > begun:
            self.covered += end - begun
            self._until = end
        else:
            self._until = until

    def _unwind(self, start: int) -> None:
        """Take back the steps that ran within the one that comes, and began no earlier than this."""
        before = self._before
        while before and start < self._until and before[-1][0] >= start:
            _, self.covered, self._busy, self.idle, self._until = before.pop()

    def looked(self, polls: Sequence[int], before: int) -> None:
        """Looks at the selector: start, end, start, end ... Those not `before` are another loop's, run in a step."""
        if self.estimated:
            return
        until = self._until
        for place in range(0, len(polls) - 1, 2):
            begin, end = polls[place], polls[place + 1]
            if begin >= before:
                break
            if begin < self._first:
                self._first = begin
            if begin < until:
                begin = until
            if end > begin:
                self.idle += end - begin
                until = self._until = end
        self._before.clear()

    def name(self, since: int, until: int) -> None:
        """A callback whose function is known held the loop from `since` until `until` at least."""
        since = max(since, self._named_until)
        if until > since:
            self.named += until - since
            self._named_until = until

    @property
    def active(self) -> int:
        """Its active time."""
        return self._busy if self.estimated else max(self._until - self._first - self.idle, 0)

    @property
    def coverage(self) -> float:
        """The share of its active time that is in recorded steps and named callbacks."""
        active = self.active
        return min(1.0, (self.covered + self.named) / active) if active else 1.0


class Total(NamedTuple):
    """Time of all loops together in nanoseconds, of those that show their looks and of the others."""

    active: int = 0
    idle: int = 0
    estimated_active: int = 0
    estimated_idle: int = 0

    def plus(self, loop: LoopTime) -> Total:
        """With this loop's time."""
        active, idle, more, rest = self
        if loop.estimated:
            return Total(active, idle, more + loop.active, rest + loop.idle)
        return Total(active + loop.active, idle + loop.idle, more, rest)


class Loops:
    """All loops of the process. One thread writes, others may read."""

    def __init__(self) -> None:
        self._loops: dict[int, LoopTime] = {}
        #: those loops, and the time of earlier ones: in one, for a reader must not see a loop twice, or not at all
        self._all: tuple[tuple[LoopTime, ...], Total] = (), Total()
        self._told = Total()
        self._reading = threading.Lock()

    def step(self, loop: int, ready: int, start: int, end: int, polls: Sequence[int] | None) -> None:
        """A step, and the looks before it; None where the loop does not show them."""
        time = self._loops.get(loop) or self._meet(loop, polls is None)
        if polls:
            time.looked(polls, start)
        time.step(ready, start, end)

    def looked(self, loop: int, polls: Sequence[int]) -> None:
        """Looks that no step's record took."""
        time = self._loops.get(loop) or self._meet(loop, False)
        time.looked(polls, 1 << 62)

    def held(self, look: Look) -> None:
        """A look at what holds a thread: a callback is named by its stack."""
        time = self._loops.get(look.loop)
        if time is not None and look.task == 0 and look.stack:
            time.name(look.since, look.time)

    def coverage(self) -> dict[int, float]:
        """By loop, see LoopTime."""
        return {loop: time.coverage for loop, time in list(self._loops.items())}

    @property
    def share(self) -> float | None:
        """The coverage of all loops together, None where none has worked."""
        loops = self._all[0]
        active = sum(loop.active for loop in loops)
        return min(1.0, sum(loop.covered + loop.named for loop in loops) / active) if active else None

    def total(self) -> Total:
        """Of all loops ever seen. It never shrinks, though what is read while it is written may seem to."""
        with self._reading:
            loops, total = self._all
            for loop in loops:
                total = total.plus(loop)
            self._told = Total(*map(max, self._told, total))
            return self._told

    def _meet(self, loop: int, estimated: bool) -> LoopTime:
        gone = self._all[1]
        if len(self._loops) >= LOOPS:
            gone = gone.plus(self._loops.pop(next(iter(self._loops))))
        time = self._loops[loop] = LoopTime(estimated)
        self._all = tuple(self._loops.values()), gone
        return time


class Utilization:
    """The active share of loop time since it was last read, a second ago or more; see histogram.Window."""

    def __init__(self, loops: Loops) -> None:
        self._loops = loops
        self._taken: int | None = None
        self._was = (0, 0)
        self._shown: float | None = None
        self._reading = threading.Lock()

    def read(self, now: int) -> float | None:
        """At this clock reading; None while no loop was seen."""
        with self._reading:
            if self._taken is None or now - self._taken >= INTERVAL:
                self._taken = now
                total = self._loops.total()
                active, idle = total.active + total.estimated_active, total.idle + total.estimated_idle
                busy, free = active - self._was[0], idle - self._was[1]
                self._was = active, idle
                if busy + free:
                    self._shown = busy / (busy + free)
                elif active + idle:  # it has been waiting all the while, and its look is not over
                    self._shown = 0.0
            return self._shown
