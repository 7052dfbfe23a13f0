"""How much processor time the thread took that does our work."""

from __future__ import annotations

from threading import get_ident  # as they were: an application's tests replace them
from time import thread_time_ns


class Computed:
    """Measures from one asking to the next, as long as the same thread asks."""

    __slots__ = ("_last", "_thread")

    def __init__(self) -> None:
        self._thread = self._last = 0

    def since(self) -> int:
        """Nanoseconds of processor time since this thread last asked; 0 where another one did."""
        thread, now = get_ident(), thread_time_ns()
        taken = now - self._last if thread == self._thread else 0
        self._thread, self._last = thread, now
        return max(taken, 0)
