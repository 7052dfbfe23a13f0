"""Where the spans of the last steps are, for links to them. The native core has its own, in C."""

from __future__ import annotations

from typing import Protocol

from loopscope.pipeline.recent import Recent

#: where a step's spans are: trace id, span id, trace id, span id ...; flat, so that the garbage collector skips it
Places = tuple[int, ...]
#: steps that are remembered
STEPS = 16384


class Placed(Protocol):
    """Remembers the spans of so many steps; the step that came first is forgotten first."""

    def add(self, task: int, step: int, trace_id: int, span_id: int) -> None:
        """The step of this task has this span too."""

    def get(self, task: int, step: int) -> Places | None:
        """The spans of a task's step; None where none is remembered."""


class RecentlyPlaced:
    """The reference: a Placed in Python."""

    __slots__ = ("_places",)

    def __init__(self, size: int) -> None:
        self._places: Recent[tuple[int, int], Places] = Recent(size)

    def add(self, task: int, step: int, trace_id: int, span_id: int) -> None:
        """See Placed."""
        key = task, step
        self._places.put(key, (*(self._places.get(key) or ()), trace_id, span_id))

    def get(self, task: int, step: int) -> Places | None:
        """See Placed."""
        return self._places.get((task, step))
