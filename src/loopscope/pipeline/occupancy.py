"""Who held a thread, and when: its steps, the loop's callbacks between them, its looks at the selector.

Kept in columns, with running sums: each step passes here, and a window's sums must not be added up anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from loopscope.model import Place, Step, TaskLife

#: pieces remembered of a thread at least
_KEPT = 2_048

#: kinds of pieces: a step; callbacks of the loop; the loop waits for something; callbacks or waiting, nobody knows
STEP, CALLBACK, IDLE, GAP = range(4)

Holder = tuple[TaskLife, Step]


class Piece(NamedTuple):
    """A stretch of a thread's time (nanoseconds of the clock)."""

    start: int
    end: int
    kind: int
    #: the function of the task whose step it is; of a step that makes a burst, that of the burst's tasks
    place: Place | None = None
    #: the step itself and its task, where it is long
    holder: Holder | None = None


class Held(NamedTuple):
    """How a stretch of time divides, in nanoseconds."""

    steps: int
    #: how many pieces steps have
    pieces: int
    callbacks: int
    idle: int
    gap: int


#: a Held in the making: plain, for many are made
_Sums = tuple[int, int, int, int, int]


class Occupancy:
    """The last pieces of one thread, disjoint and in order. Of nested steps the innermost holds it."""

    __slots__ = ("_ends", "_long", "_longs", "_short", "_shown", "_starts", "_sums", "_total", "_until", "_whose")

    def __init__(self, long: int, short: int = 1) -> None:
        #: pieces that are longer are found by themselves (nanoseconds)
        self._long = max(long, 1)
        #: shorter pauses between steps are no pieces: only the sums know them
        self._short = short
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._whose: list[tuple[int, Place | None, Holder | None]] = []
        #: running sums before each piece
        self._sums: list[_Sums] = []
        self._total: _Sums = (0, 0, 0, 0, 0)
        #: up to when the thread's time is accounted for, and whether the loop last showed its looks
        self._until = 0
        self._shown = False
        #: steps, and callbacks or gaps, that are long
        self._longs: deque[Piece] = deque(maxlen=1024)

    def before(self, step: Step) -> list[Piece]:
        """Account for the time up to a step's start; gives back what was known to lie inside of it."""
        if self._until <= step.start:
            self._between(step.start, step.polls)
            return []
        inside = []
        while self._ends and self._ends[-1] > step.start:
            inside.append(self._pop())
        if inside and inside[-1].start < step.start:
            cut = inside.pop()
            self._push(cut.start, step.start, cut.kind, cut.place, cut.holder)
            if cut.kind == STEP:  # its end is not known to be right: never overlap
                inside.append(cut._replace(start=step.start))
        inside.reverse()
        return inside

    def add(self, life: TaskLife, step: Step, inside: list[Piece], burst: Place | None = None) -> None:
        """Account for a step, around the steps inside of it; `burst` is the place of the tasks that it made."""
        at = step.start
        place = burst or life.place
        holder = (life, step) if step.end - at >= self._long else None
        for piece in inside:
            if piece.kind != STEP or piece.end > step.end:
                continue
            if piece.start > at:
                self._push(at, piece.start, STEP, place, holder)
            self._push(piece.start, piece.end, STEP, piece.place, piece.holder)
            at = piece.end
        if step.end > at or not inside:
            self._push(at, step.end, STEP, place, holder)

    def looked(self, polls: tuple[int, ...]) -> None:
        """Looks at the selector after which no step came."""
        self._between(polls[-1], polls)

    def held(self, start: int) -> Held:
        """How the time since `start` divides, as far as it is remembered."""
        first = bisect_right(self._ends, start)
        if first == len(self._ends):
            return Held(0, 0, 0, 0, 0)
        parts = [after - earlier for after, earlier in zip(self._total, self._sums[first], strict=True)]
        begun = self._starts[first]
        if begun < start:
            parts[(0, 2, 3, 4)[self._whose[first][0]]] -= start - begun
        elif first:  # a short pause before it
            parts[2 if self._shown else 4] += begun - max(start, self._ends[first - 1])
        return Held(*parts)

    def longest(self, start: int) -> Iterator[Piece]:
        """The long steps, callbacks and gaps since `start`, the last first, cut at it."""
        for piece in reversed(self._longs):
            if piece.end <= start:
                break
            yield piece if piece.start >= start else piece._replace(start=start)

    def since(self, start: int) -> Iterator[Piece]:
        """All pieces since `start`, the last first."""
        for at in range(len(self._ends) - 1, -1, -1):
            if self._ends[at] <= start:
                break
            yield Piece(self._starts[at], self._ends[at], *self._whose[at])

    def _between(self, until: int, polls: tuple[int, ...] | None) -> None:
        """The time from the last piece: looks at the selector, and callbacks between them."""
        at = self._until or until
        self._shown = polls is not None
        kind = GAP if polls is None else CALLBACK
        for place in range(0, len(polls) if polls else 0, 2):
            assert polls is not None
            start, end = max(polls[place], at), min(polls[place + 1], until)
            if end > start:
                self._pause(at, start, kind)
                self._push(start, end, IDLE, None, None)
                at = end
        self._pause(at, until, kind)

    def _pause(self, start: int, end: int, kind: int) -> None:
        if end - start >= self._short:
            self._push(start, end, kind, None, None)
        elif end > start:
            steps, pieces, callbacks, idle, gap = self._total
            if kind == CALLBACK:
                self._total = (steps, pieces, callbacks + end - start, idle, gap)
            else:
                self._total = (steps, pieces, callbacks, idle, gap + end - start)
            self._until = end

    def _push(self, start: int, end: int, kind: int, place: Place | None, holder: Holder | None) -> None:
        length = end - start
        if end > self._until:
            self._until = end
        if length <= 0:
            return
        steps, pieces, callbacks, idle, gap = total = self._total
        self._starts.append(start)
        self._ends.append(end)
        self._whose.append((kind, place, holder))
        self._sums.append(total)
        if kind == STEP:
            self._total = (steps + length, pieces + 1, callbacks, idle, gap)
        elif kind == CALLBACK:
            self._total = (steps, pieces, callbacks + length, idle, gap)
        elif kind == IDLE:
            self._total = (steps, pieces, callbacks, idle + length, gap)
        else:
            self._total = (steps, pieces, callbacks, idle, gap + length)
        if length >= self._long and kind != IDLE:
            self._longs.append(Piece(start, end, kind, place, holder))
        if len(self._ends) >= 2 * _KEPT:
            for column in (self._starts, self._ends, self._whose, self._sums):
                del column[:_KEPT]

    def _pop(self) -> Piece:
        piece = Piece(self._starts.pop(), self._ends.pop(), *self._whose.pop())
        self._total = self._sums.pop()
        self._until = piece.start
        if self._longs and self._longs[-1][:2] == piece[:2]:
            self._longs.pop()
        return piece
