"""A bucket that fills at a steady rate: what may be spent for ever, and how much of it at once."""

from __future__ import annotations

from loopscope.pipeline.spans.traces import SECOND


class Bucket:
    """Holds `burst` seconds' worth of `rate` a second, of which `debt` seconds' worth may be owed."""

    __slots__ = ("_burst", "_debt", "now", "rate", "room")

    def __init__(self, rate: float, burst: float, debt: float) -> None:
        self.rate = float(rate)
        self._burst = self.rate * burst
        self._debt = -self.rate * debt
        #: what may be spent now; less than 0: what is owed
        self.room = self._burst
        #: the latest clock reading that was told, in nanoseconds
        self.now = 0

    def fill(self, time: int) -> None:
        """Time has come to this clock reading."""
        if time > self.now:
            if self.now:
                room = self.room + (time - self.now) * self.rate / SECOND
                self.room = room if room < self._burst else self._burst
            self.now = time

    def spend(self, amount: float) -> float:
        """Take so much out of it; what is left."""
        room = self.room - amount
        self.room = room if room > self._debt else self._debt
        return room
