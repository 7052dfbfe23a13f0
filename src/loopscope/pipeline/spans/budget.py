"""How much detail the spans have: less where more spans come than the budget pays for, and all again by itself.

A bucket holds ten seconds' worth of spans. Once it is empty, detail goes down level by level, in the order that costs
users least; what is slow, delayed, failed or stalled is never touched. It comes back a level at a time. If it must go
down again at once, the next try waits twice as long.
"""

from __future__ import annotations

from collections import deque

from loopscope import conventions as c
from loopscope.model import BARE, FULL, REQUESTS
from loopscope.pipeline.spans.span import Event
from loopscope.pipeline.spans.traces import SECOND

#: a rate that no process reaches
UNBOUNDED = 1 << 62

#: why detail went down, or that it comes back
RATE, BUFFER, CALM = "rate", "buffer", "calm"

#: seconds of the rate that the bucket holds, and that may be owed
BURST, DEBT = 10, 5
#: filled share of the buffer from which detail goes down
FILL = 0.5
#: how often time is looked at, how long the first try to come back waits, and the last (nanoseconds)
LOOK, PATIENCE, PATIENCE_MOST = SECOND // 10, SECOND, 60 * SECOND
#: changes that are remembered for the task spans that were open then
CHANGES = 16


class Budget:
    """The level of detail now."""

    def __init__(self, rate: int) -> None:
        #: spans a second
        self.rate = rate
        self.level = FULL
        self._room: float = rate * BURST
        #: the latest time that was told, and when the level last changed
        self._now = self._changed = 0
        #: when time is to be looked at again
        self.due = 0
        self._patience = PATIENCE
        #: the level came back last, rather than went down
        self._rising = False
        self._changes: deque[Event] = deque(maxlen=CHANGES)
        #: changes by cause, and the level that it came to
        self.changes: dict[str, dict[int, int]] = {}

    def spend(self, time: int) -> None:
        """One more span goes out, that ended at `time`."""
        if time > self._now:
            self._refill(time)
        self._room -= 1
        if self._room < 0:
            self._room = max(self._room, -self.rate * DEBT)
            if self.level < REQUESTS and -self._room > self.level * self.rate:
                self._change(self.level + 1, RATE)

    def look(self, now: int, fill: float) -> None:
        """Time goes by; `fill` is the filled share of the buffer.

        A full one is no reason to leave tasks out: that saves what comes after it.
        """
        self.due = now + LOOK
        if now > self._now:
            self._refill(now)
        if fill >= FILL:
            if self.level == FULL or (self.level < BARE and now - self._changed >= SECOND):
                self._change(self.level + 1, BUFFER)
        elif self.level and self._room >= self.rate and now - self._changed >= self._patience:
            self._change(self.level - 1, CALM)
        elif not self.level and now - self._changed >= PATIENCE_MOST:
            self._patience = PATIENCE

    def of(self, own: bool) -> int:
        """The level that counts for a trace of loopscope's own, or of the application's."""
        return self.level if own or self.level >= REQUESTS else FULL

    def events(self, start: int, end: int) -> list[Event] | None:
        """The changes of detail between two readings of the clock, for a span that was open then."""
        if not self._changes or self._changes[-1].time < start:
            return None
        return [event for event in self._changes if start <= event.time <= end] or None

    def _refill(self, time: int) -> None:
        if self._now:
            self._room = min(self._room + (time - self._now) * self.rate / SECOND, self.rate * BURST)
        self._now = time

    def _change(self, level: int, cause: str) -> None:
        rising = level < self.level
        if self._rising and not rising and self._now - self._changed < 2 * self._patience:
            self._patience = min(2 * self._patience, PATIENCE_MOST)
        self._rising = rising
        self.level = level
        self._changed = self._now
        counts = self.changes.setdefault(cause, {})
        counts[level] = counts.get(level, 0) + 1
        self._changes.append(Event(c.DETAIL, self._now, [(c.DETAIL_LEVEL, level), (c.CAUSE, cause)]))
