"""The garbage collector's times: recorded where they are long, and kept for the watchdog."""

from __future__ import annotations

import gc
import threading
from collections import deque
from typing import TYPE_CHECKING

from loopscope.model import COLLECTION, clock

if TYPE_CHECKING:
    from loopscope.capture.core import Core

#: a collection that takes less is not recorded (nanoseconds)
LEAST = 1_000_000
#: collections remembered
_REMEMBERED = 64


class Collected:
    """Hears of each collection's start and end. There is one at a time in a process."""

    __slots__ = ("_core", "_lately", "_least", "since")

    def __init__(self, core: Core, lately: deque[tuple[int, int]], least: int) -> None:
        self._core = core
        self._lately = lately
        self._least = least
        #: since when one goes on, 0 while none does
        self.since = 0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        """See `gc.callbacks`."""
        now = clock()
        if phase == "start":
            self.since = now
            return
        since, self.since = self.since, 0
        if since and now - since >= self._least:
            self._lately.append((since, now))
            self._core.buffer.put_vital((COLLECTION, threading.get_ident(), since, now))


class Collector:
    """Listens to `gc.callbacks`."""

    __slots__ = ("_hook", "_lately")

    def __init__(self, core: Core) -> None:
        self._lately: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)
        self._hook = core.collected(core, self._lately, LEAST)

    def install(self) -> None:
        """Listen."""
        gc.callbacks.append(self._hook)

    def remove(self) -> None:
        """Listen no more."""
        if self._hook in gc.callbacks:
            gc.callbacks.remove(self._hook)

    def within(self, start: int, end: int) -> int:
        """How long it ran between two clock readings, as far as remembered; one that still goes on counts."""
        since = self._hook.since
        total = max(0, end - max(since, start)) if since else 0
        # a tuple is allocated while the deque is read, and a collection that this brings about would write to it
        for began, ended in list(self._lately):
            total += max(0, min(ended, end) - max(began, start))
        return total
