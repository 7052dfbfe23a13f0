"""How much detail the spans have: less where more spans come than the budget pays for, and all again by itself.

A bucket holds ten seconds' worth of spans, another a minute's worth of processor time. Once one is empty, detail goes
down level by level, in the order that costs users least; what is slow, delayed, failed or stalled is never touched. It
comes back a level at a time. If it must go down again at once, the next try waits twice as long.
"""

from __future__ import annotations

from collections import deque

from loopscope import conventions as c
from loopscope.model import BARE, FULL, REQUESTS
from loopscope.pipeline.spans.bucket import Bucket
from loopscope.pipeline.spans.span import Event
from loopscope.pipeline.spans.traces import SECOND

#: a rate, and a share of a processor's time, that no process reaches
UNBOUNDED = 1 << 62

#: why detail went down, or that it comes back
RATE, BUFFER, CPU, CALM = "rate", "buffer", "cpu", "calm"

#: seconds of the rate that the bucket holds, and that may be owed; likewise of processor time
BURST, DEBT = 10, 5
CPU_BURST, CPU_DEBT = 60, 10
#: filled share of the buffer from which detail goes down
FILL = 0.5
#: how often time is looked at, how long the first try to come back waits, and the last (nanoseconds)
LOOK, PATIENCE, PATIENCE_MOST = SECOND // 10, SECOND, 60 * SECOND
#: changes that are remembered for the task spans that were open then
CHANGES = 16


class Budget:
    """The level of detail now."""

    __slots__ = ("_changed", "_changes", "_cpu", "_patience", "_rising", "_spans", "changes", "due", "level")

    def __init__(self, rate: int, cpu: float = UNBOUNDED) -> None:
        #: spans a second; nanoseconds of processor time a second
        self._spans = Bucket(rate, BURST, DEBT)
        self._cpu = Bucket(cpu * SECOND, CPU_BURST, CPU_DEBT)
        self.level = FULL
        #: when the level last changed
        self._changed = 0
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
        spans = self._spans
        spans.fill(time)
        room = spans.spend(1)
        if room < 0 and self.level < REQUESTS and -room > self.level * spans.rate:
            self._change(self.level + 1, RATE)

    def look(self, now: int, fill: float, cpu: int = 0) -> None:
        """Time goes by; `fill` is the filled share of the buffer, `cpu` the nanoseconds that our thread computed.

        Neither is a reason to leave tasks out: that saves too little of it.
        """
        self.due = now + LOOK
        spans = self._spans
        spans.fill(now)
        self._cpu.fill(now)
        overdrawn = self._cpu.spend(cpu) < 0
        if overdrawn or fill >= FILL:
            if self.level == FULL or (self.level < BARE and now - self._changed >= SECOND):
                self._change(self.level + 1, CPU if overdrawn else BUFFER)
        elif self.level and spans.room >= spans.rate and now - self._changed >= self._patience:
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

    def _change(self, level: int, cause: str) -> None:
        now = self._spans.now
        rising = level < self.level
        if self._rising and not rising and now - self._changed < 2 * self._patience:
            self._patience = min(2 * self._patience, PATIENCE_MOST)
        self._rising = rising
        self.level = level
        self._changed = now
        counts = self.changes.setdefault(cause, {})
        counts[level] = counts.get(level, 0) + 1
        self._changes.append(Event(c.DETAIL, now, [(c.DETAIL_LEVEL, level), (c.CAUSE, cause)]))
