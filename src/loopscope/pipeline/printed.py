"""Printed lines: gives each step those that it wrote. Their records come before the step's own."""

from __future__ import annotations

from loopscope.model import Printed, Step, TaskLife
from loopscope.pipeline.sinks import Sink

#: steps whose lines wait for their record: some run within others, and of some the record was lost
WAITING = 256


class PrintedLines(Sink):
    """A Sink that must stand before those that read `step.printed`."""

    def __init__(self) -> None:
        self._lines: dict[tuple[int, int], list[Printed]] = {}
        #: lines of steps that were given up
        self.dropped = 0

    def printed(self, id: int, index: int, line: Printed) -> None:
        """See Sink."""
        lines = self._lines.get((id, index))
        if lines is None:
            if len(self._lines) >= WAITING:
                self.dropped += len(self._lines.pop(next(iter(self._lines))))
            lines = self._lines[id, index] = []
        lines.append(line)

    def stepped(self, life: TaskLife, step: Step) -> None:
        """See Sink."""
        if self._lines:
            step.printed = self._lines.pop((life.id, step.index), None)
