"""What another thread of ours saw in the watchdog's place.

Where a step has kept the GIL for long and lets it go, one of those who wait gets it, and only that one still finds the
step as it was. The watchdog is not always that one. So whoever of ours sleeps glances before and after: where the
watchdog is overdue, stacks are kept for it. It tells the cause, by what it measured itself.
"""

from __future__ import annotations

from typing import NamedTuple

from loopscope.capture import private, stacks
from loopscope.capture.core import Core
from loopscope.capture.life import Here
from loopscope.model import Frame, clock


class Glance(NamedTuple):
    """A step that held its thread; task 0 and step -1 for a callback, which began at some time after `since`."""

    task: int
    step: int
    since: int
    time: int
    stack: tuple[Frame, ...]


class Glances:
    """By thread, what held it longer than `threshold` (nanoseconds) since the watchdog last came."""

    def __init__(self, core: Core, threshold: int, stacks: bool) -> None:
        self._core = core
        self._threshold = threshold
        self._stacks = stacks
        #: when the watchdog is due, None where it waits for nothing
        self.due: int | None = None
        self._taken: dict[int, Glance] = {}

    def take(self) -> None:
        """Called by a thread of ours that has just slept, or is about to."""
        now, due = clock(), self.due
        if due is None or now - due < self._threshold // 2 or not self._core.on:
            return
        for here in list(self._core.threads.values()):
            if not here.polling and here.ident not in self._taken:
                self._take(here, due, now)

    def _take(self, here: Here, due: int, now: int) -> None:
        life = here.life
        task, step, since = (0, -1, max(due, here.polled)) if life is None else (life.id, life.index, life.started)
        if not since or now - since < self._threshold:
            return
        stack, busy, holder = stacks.read(private.current_frames().get(here.ident), self._stacks)
        if not busy or here.life is not life:
            return
        if holder is not None if life is None else (life.index, life.started) == (step, since):
            self._taken[here.ident] = Glance(task, step, since, now, stack)

    def of(self, here: Here) -> Glance | None:
        """What was seen of this thread, once."""
        return self._taken.pop(here.ident, None)

    def clear(self) -> None:
        """The watchdog has come."""
        self._taken.clear()
