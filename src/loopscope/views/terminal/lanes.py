"""The cells of a lane: what a task did in each piece of time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loopscope.recording.timeline import Step, Task
from loopscope.views.terminal.style import MANY, NONE, READY, RUNNING, WAITING


@dataclass(frozen=True, slots=True)
class Axis:
    """Time, divided into columns."""

    start: int
    end: int
    columns: int

    def at(self, time: int) -> int:
        """The column of a moment."""
        column = (time - self.start) * self.columns // max(self.end - self.start, 1)
        return min(max(column, 0), self.columns - 1)

    def begin(self, column: int) -> int:
        """When a column begins."""
        return self.start + (self.end - self.start) * column // self.columns

    def parts(self, start: int, end: int) -> Iterable[tuple[int, int]]:
        """(column, nanoseconds) of each column that an interval touches; a moment counts as one nanosecond."""
        first, last = self.at(start), self.at(max(start, end - 1))
        if first == last:
            return ((first, max(end - start, 1)),)
        inner = [(column, self.begin(column + 1) - self.begin(column)) for column in range(first + 1, last)]
        return ((first, max(self.begin(first + 1) - start, 1)), *inner, (last, max(end - self.begin(last), 1)))


class Lane:
    """The states of one task, or of many that are folded into one lane."""

    def __init__(self, axis: Axis) -> None:
        self._axis = axis
        self._alive = [0] * axis.columns
        self._ready = [0] * axis.columns
        self._running = bytearray(axis.columns)
        self._many = bytearray(axis.columns)

    def task(self, task: Task) -> None:
        """A task lives."""
        for start, end in task.visits or [(task.start, task.end)]:
            for column, part in self._axis.parts(start, end):
                self._alive[column] += part

    def step(self, step: Step) -> None:
        """A step, or coalesced ones: of these it is only known how long they ran together."""
        lasts = step.end - step.start
        alone = step.count == 1 or 2 * step.running >= lasts
        into = self._running if alone else self._many
        for column, _ in self._axis.parts(step.start, step.end):
            into[column] = 1
        if step.count == 1 and step.ready < step.start:
            for column, part in self._axis.parts(step.ready, step.start):
                self._ready[column] += part

    def marks(self) -> str:
        """A mark a column: running, if only for a moment; else ready or waiting, whichever was longer."""
        return "".join(map(self._mark, range(self._axis.columns)))

    def _mark(self, column: int) -> str:
        if self._running[column]:
            return RUNNING
        if self._many[column]:
            return MANY
        if 2 * self._ready[column] >= max(self._alive[column], 1):
            return READY
        return WAITING if self._alive[column] else NONE
