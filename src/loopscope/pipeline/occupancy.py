"""Who held a thread, and when: its steps, the loop's callbacks between them, its looks at the selector."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from loopscope.model import Place, Step, TaskLife

#: pieces remembered of a thread at least
_KEPT = 8_192

#: kinds of pieces: a step; callbacks of the loop; the loop waits for something; callbacks or waiting, nobody knows
STEP, CALLBACK, IDLE, GAP = range(4)


class Piece(NamedTuple):
    """A stretch of a thread's time (nanoseconds of the clock)."""

    start: int
    end: int
    kind: int
    #: whose step it is
    place: Place | None = None
    #: the step itself and its task, where it is long
    holder: tuple[TaskLife, Step] | None = None


class Held(NamedTuple):
    """How a stretch of time divides, in nanoseconds."""

    steps: int
    #: how many pieces steps have
    pieces: int
    callbacks: int
    idle: int
    gap: int


class Occupancy:
    """The last pieces of one thread, disjoint and in order. Of nested steps the innermost holds it."""

    def __init__(self, long: int) -> None:
        #: pieces that are longer are found by themselves (nanoseconds)
        self._long = max(long, 1)
        self._ends: list[int] = []
        self._pieces: list[Piece] = []
        #: running sums before each piece: steps, their count, callbacks, idle, gap
        self._sums: list[Held] = []
        self._total = Held(0, 0, 0, 0, 0)
        #: up to when the thread's time is accounted for
        self._until = 0
        #: steps, and callbacks or gaps, that are long
        self._longs: deque[Piece] = deque(maxlen=1024)

    def before(self, step: Step) -> list[Piece]:
        """Account for the time up to a step's start; gives back what was known to lie inside of it."""
        inside = []
        while self._ends and self._ends[-1] > step.start:
            inside.append(self._pop())
        if inside and inside[-1].start < step.start:
            cut = inside.pop()
            self._push(cut._replace(end=step.start))
            if cut.kind == STEP:  # its end is not known to be right: never overlap
                inside.append(cut._replace(start=step.start))
        elif not inside:
            self._between(step.start, step.polls)
        inside.reverse()
        return inside

    def add(self, life: TaskLife, step: Step, inside: list[Piece]) -> None:
        """Account for a step, around the steps inside of it."""
        at = step.start
        place, holder = life.place, (life, step) if step.end - at >= self._long else None
        for piece in inside:
            if piece.kind != STEP or piece.end > step.end:
                continue
            if piece.start > at:
                self._push(Piece(at, piece.start, STEP, place, holder))
            self._push(piece)
            at = piece.end
        if step.end > at or not inside:
            self._push(Piece(at, step.end, STEP, place, holder))

    def looked(self, polls: tuple[int, ...]) -> None:
        """Looks at the selector after which no step came."""
        self._between(polls[-1], polls)

    def held(self, start: int) -> Held:
        """How the time since `start` divides, as far as it is remembered."""
        first = bisect_right(self._ends, start)
        if first == len(self._ends):
            return Held(0, 0, 0, 0, 0)
        before, total, piece = self._sums[first], self._total, self._pieces[first]
        parts = [after - earlier for after, earlier in zip(total, before, strict=True)]
        if piece.start < start:
            parts[(0, 2, 3, 4)[piece.kind]] -= start - piece.start
        return Held(*parts)

    def longest(self, start: int) -> Iterator[Piece]:
        """The long steps, callbacks and gaps since `start`, the last first, cut at it."""
        for piece in reversed(self._longs):
            if piece.end <= start:
                break
            yield piece if piece.start >= start else piece._replace(start=start)

    def since(self, start: int) -> Iterator[Piece]:
        """All pieces since `start`, the last first."""
        for place in range(len(self._pieces) - 1, -1, -1):
            if self._ends[place] <= start:
                break
            yield self._pieces[place]

    def _between(self, until: int, polls: tuple[int, ...] | None) -> None:
        """The time from the last piece: looks at the selector, and callbacks between them."""
        at = self._until or until
        if polls is None:
            self._push(Piece(at, until, GAP))
            return
        for start, end in zip(polls[::2], polls[1::2], strict=True):
            start, end = max(start, at), min(end, until)
            if end > start:
                self._push(Piece(at, start, CALLBACK))
                self._push(Piece(start, end, IDLE))
                at = end
        self._push(Piece(at, until, CALLBACK))

    def _push(self, piece: Piece) -> None:
        length = piece.end - piece.start
        self._until = max(piece.end, self._until)
        if length <= 0:
            return
        kind = piece.kind
        steps, pieces, callbacks, idle, gap = total = self._total
        self._ends.append(piece.end)
        self._pieces.append(piece)
        self._sums.append(total)
        if kind == STEP:
            self._total = Held(steps + length, pieces + 1, callbacks, idle, gap)
        elif kind == CALLBACK:
            self._total = Held(steps, pieces, callbacks + length, idle, gap)
        elif kind == IDLE:
            self._total = Held(steps, pieces, callbacks, idle + length, gap)
        else:
            self._total = Held(steps, pieces, callbacks, idle, gap + length)
        if length >= self._long and kind != IDLE:
            self._longs.append(piece)
        if len(self._ends) >= 2 * _KEPT:
            del self._ends[:_KEPT], self._pieces[:_KEPT], self._sums[:_KEPT]

    def _pop(self) -> Piece:
        piece = self._pieces.pop()
        self._ends.pop()
        self._total = self._sums.pop()
        self._until = piece.start
        if self._longs and self._longs[-1] is piece:
            self._longs.pop()
        return piece
