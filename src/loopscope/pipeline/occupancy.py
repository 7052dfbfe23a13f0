"""Who held a thread, and when: its steps, the loop's callbacks between them, its looks at the selector.

Kept in rows of plain numbers, with running sums: each step passes here, and a window's sums must not be added up anew.
"""

from __future__ import annotations

from array import array
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
    place: Place | None
    #: how many steps end with it: 0 where its own goes on after another that ran within it
    ended: int


class Long(NamedTuple):
    """A step, callbacks or a gap that held the thread for long (nanoseconds of the clock)."""

    start: int
    end: int
    kind: int
    place: Place | None
    #: the step itself, and its task
    holder: Holder | None
    #: how long it held the thread itself, without the steps within it
    length: int
    #: when it did, where it had steps within it
    parts: list[tuple[int, int]] | None = None

    def since(self, start: int) -> Long:
        """What of it came after this clock reading."""
        if start <= self.start:
            return self
        if self.parts is None:
            return self._replace(start=start, length=self.end - start)
        first = bisect_right(self.parts, start, key=_end_of)
        parts = [(max(begin, start), end) for begin, end in self.parts[first:]]
        return self._replace(start=start, length=_length(parts), parts=parts)

    def until(self, end: int) -> Long:
        """What of it came before."""
        if self.parts is None:
            return self._replace(end=end, length=end - self.start)
        parts = [(begin, min(over, end)) for begin, over in self.parts if begin < end]
        return self._replace(end=end, length=_length(parts), parts=parts)


def _end_of(part: tuple[int, int]) -> int:
    return part[1]


def _length(parts: list[tuple[int, int]]) -> int:
    return sum(end - start for start, end in parts)


class Inside(NamedTuple):
    """What was known to lie within a step, in order."""

    pieces: list[Piece]
    longs: list[Long]


_NOTHING = Inside([], [])


class Held(NamedTuple):
    """How a stretch of time divides, in nanoseconds."""

    steps: int
    #: how many steps ended in it
    ended: int
    callbacks: int
    idle: int
    gap: int


#: columns of a row: a piece's start and end, and the running sums before it, in the order of a Held
_START, _END, _STEPS, _ENDED, _CALLBACKS, _IDLE, _GAP, _WIDTH = range(8)
#: the sum in which a kind of pieces counts
_SUM = (_STEPS, _CALLBACKS, _IDLE, _GAP)


class Occupancy:
    """The last pieces of one thread, disjoint and in order. Of nested steps the innermost holds it."""

    __slots__ = ("_long", "_longs", "_rows", "_short", "_shown", "_until", "_whose")

    def __init__(self, long: int, short: int = 1) -> None:
        #: what is longer is found by itself (nanoseconds)
        self._long = max(long, 1)
        #: shorter pauses between steps are no pieces: only the sums know them
        self._short = short
        #: what else is known of each piece
        self._whose: list[tuple[int, Place | None]] = []
        #: a row for each piece, and one for the next, which has the sums of all; then room for more
        self._rows = array("q", bytes(64 * 8 * _WIDTH))
        #: up to when the thread's time is accounted for, and whether the loop last showed its looks
        self._until = 0
        self._shown = False
        #: by their ends
        self._longs: deque[Long] = deque(maxlen=1024)

    def before(self, step: Step) -> Inside:
        """Account for the time up to a step's start; gives back what was known to lie within it."""
        start = step.start
        if self._until <= start:
            self._between(start, step.polls)
            return _NOTHING
        inside = Inside([], [])
        while self._whose and self._end(len(self._whose) - 1) > start:
            inside.pieces.append(self._pop())
        while self._longs and self._longs[-1].end > start:
            inside.longs.append(self._longs.pop())
        # what began before it and is a step's has an end that is not known to be right: never overlap
        if inside.pieces and inside.pieces[-1].start < start:
            piece = inside.pieces.pop()
            self._push(piece.start, start, piece.kind, piece.place, 0)
            if piece.kind == STEP:
                inside.pieces.append(piece._replace(start=start))
        inside.pieces.reverse()
        inside.longs.reverse()
        for place, long in enumerate(inside.longs):
            if long.start < start:
                self._note(long.until(start))
                inside.longs[place] = long.since(start)
        return inside

    def add(self, life: TaskLife, step: Step, inside: Inside, burst: Place | None = None) -> None:
        """Account for a step, around the steps within it; `burst` is the place of the tasks that it made."""
        place = burst or life.place
        if inside is _NOTHING:
            length, parts = step.end - step.start, None
            self._push(step.start, step.end, STEP, place, 1)
        else:
            parts = self._around(step, inside, place)
            length = _length(parts)
        if length >= self._long:
            self._longs.append(Long(step.start, step.end, STEP, place, (life, step), length, parts))

    def _around(self, step: Step, inside: Inside, place: Place) -> list[tuple[int, int]]:
        """Account for a step, and anew for what is within it; gives back when the step itself held the thread."""
        parts, at = [], step.start
        for piece in inside.pieces:
            if piece.kind != STEP or piece.end > step.end:
                continue
            if piece.start > at:
                self._push(at, piece.start, STEP, place, 0)
                parts.append((at, piece.start))
            self._push(piece.start, piece.end, STEP, piece.place, piece.ended)
            at = piece.end
        if step.end > at or not inside.pieces:
            self._push(at, step.end, STEP, place, 1)
            parts.append((at, step.end))
        else:
            self._rows[len(self._whose) * _WIDTH + _ENDED] += 1
        for long in inside.longs:
            if long.kind == STEP and long.end <= step.end:
                self._note(long)
        return parts

    def looked(self, polls: tuple[int, ...]) -> None:
        """Looks at the selector after which no step came."""
        self._between(polls[-1], polls)

    def held(self, start: int) -> Held:
        """How the time since `start` divides, as far as it is remembered."""
        count = len(self._whose)
        first = bisect_right(range(count), start, key=self._end)
        if first == count:
            return Held(0, 0, 0, 0, 0)
        parts = array("q", (after - earlier for earlier, after in zip(self._row(first), self._row(count), strict=True)))
        begun = self._rows[first * _WIDTH]
        if begun < start:
            parts[_SUM[self._whose[first][0]]] -= start - begun
        elif first:  # a short pause before it
            parts[_CALLBACKS if self._shown else _GAP] += begun - max(start, self._end(first - 1))
        return Held(*parts[_STEPS:])

    def longest(self, start: int) -> Iterator[Long]:
        """The long steps, callbacks and gaps since `start`, the last first, cut at it."""
        for long in reversed(self._longs):
            if long.end <= start:
                break
            yield long.since(start)

    def since(self, start: int) -> Iterator[Piece]:
        """All pieces since `start`, the last first."""
        for at in range(len(self._whose) - 1, -1, -1):
            if self._end(at) <= start:
                break
            yield self._piece(at)

    def _piece(self, at: int) -> Piece:
        ended = self._rows[(at + 1) * _WIDTH + _ENDED] - self._rows[at * _WIDTH + _ENDED]
        return Piece(self._rows[at * _WIDTH], self._end(at), *self._whose[at], ended)

    def _row(self, at: int) -> array[int]:
        return self._rows[at * _WIDTH : (at + 1) * _WIDTH]

    def _end(self, at: int) -> int:
        return self._rows[at * _WIDTH + _END]

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
                self._push(start, end, IDLE, None, 0)
                at = end
        self._pause(at, until, kind)

    def _pause(self, start: int, end: int, kind: int) -> None:
        if end - start >= self._short:
            self._push(start, end, kind, None, 0)
            if end - start >= self._long:
                self._longs.append(Long(start, end, kind, None, None, end - start))
        elif end > start:
            self._rows[len(self._whose) * _WIDTH + _SUM[kind]] += end - start
            self._until = end

    def _note(self, long: Long) -> None:
        if long.length >= self._long:
            self._longs.append(long)

    def _push(self, start: int, end: int, kind: int, place: Place | None, ended: int) -> None:
        length = end - start
        if end > self._until:
            self._until = end
        if length <= 0:
            return
        at, rows = len(self._whose) * _WIDTH, self._rows
        following = at + _WIDTH
        if len(rows) < following + _WIDTH:
            self._grow()
        self._whose.append((kind, place))
        rows[at + _START], rows[at + _END] = start, end
        rows[following + _STEPS : following + _WIDTH] = rows[at + _STEPS : following]
        rows[following + _SUM[kind]] += length
        rows[following + _ENDED] += ended
        if len(self._whose) >= 2 * _KEPT:
            self._forget()

    def _grow(self) -> None:
        self._rows.frombytes(bytes(8 * len(self._rows)))

    def _forget(self) -> None:
        """The older half of the pieces goes."""
        del self._whose[:_KEPT]
        self._rows[: (_KEPT + 1) * _WIDTH] = self._rows[_KEPT * _WIDTH : (2 * _KEPT + 1) * _WIDTH]

    def _pop(self) -> Piece:
        piece = self._piece(len(self._whose) - 1)
        self._whose.pop()
        self._until = piece.start
        return piece
