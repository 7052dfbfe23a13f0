"""The garbage collector's times: recorded where they are long, and kept for the watchdog."""

from __future__ import annotations

import gc
import threading
from collections import deque

from loopscope.capture.buffer import Buffer
from loopscope.model import COLLECTION, clock

#: a collection that takes less is not recorded (nanoseconds)
LEAST = 1_000_000
#: collections remembered
_REMEMBERED = 64


class Collector:
    """Listens to `gc.callbacks`. There is one collection at a time in a process."""

    __slots__ = ("_buffer", "_hook", "_lately", "_since")

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        #: since when one goes on, 0 while none does
        self._since = 0
        self._lately: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)
        self._hook = self._told

    def install(self) -> None:
        """Listen."""
        gc.callbacks.append(self._hook)

    def remove(self) -> None:
        """Listen no more."""
        if self._hook in gc.callbacks:
            gc.callbacks.remove(self._hook)

    def _told(self, phase: str, info: dict[str, int]) -> None:
        now = clock()
        if phase == "start":
            self._since = now
            return
        since, self._since = self._since, 0
        if since and now - since >= LEAST:
            self._lately.append((since, now))
            self._buffer.put_vital((COLLECTION, threading.get_ident(), since, now))

    def within(self, start: int, end: int) -> int:
        """How long it ran between two clock readings, as far as remembered; one that still goes on counts."""
        since = self._since
        total = max(0, end - max(since, start)) if since else 0
        # a tuple is allocated while the deque is read, and a collection that this brings about would write to it
        for began, ended in list(self._lately):
            total += max(0, min(ended, end) - max(began, start))
        return total
