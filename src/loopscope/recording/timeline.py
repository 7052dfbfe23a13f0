"""The seam between trace files and views: tasks, their steps, and where they ran. Times are Unix nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class StepBar:
    """One step, or `count` coalesced ones."""

    name: str
    index: int
    count: int
    start: int
    end: int
    #: nanoseconds that it was ready before it started
    ready: int
    outcome: str
    awaiting: str
    waker: str
    place: str
    thread: int


@dataclass(slots=True)
class TaskLane:
    """One task, over all its spans in one trace."""

    id: int
    name: str
    qualname: str
    start: int
    end: int
    state: str
    #: nanoseconds
    running: int
    ready: int
    waiting: int
    thread: str
    error: str = ""
    count: int = 0
    steps: list[StepBar] = field(default_factory=list)


@dataclass(slots=True)
class TraceTimeline:
    """One trace."""

    trace_id: str
    start: int
    end: int
    lanes: list[TaskLane]


@dataclass(slots=True)
class Timeline:
    """What a recording holds, trace by trace, oldest first."""

    traces: list[TraceTimeline]
    #: lines that could not be read
    unreadable: int = 0

    @property
    def steps(self) -> int:
        """How many steps were recorded."""
        return sum(bar.count for trace in self.traces for lane in trace.lanes for bar in lane.steps)


Attributes = dict[str, Any]
