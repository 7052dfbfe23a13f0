"""Printed lines: gives each step those that it wrote. Their records come before the step's own."""

from __future__ import annotations

from loopscope.model import Handoff, Look, Printed, Step, TaskLife, Where

#: steps whose lines wait for their record: some run within others, and of some the record was lost
WAITING = 256


class PrintedLines:
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

    # ------------------------------------------------------------ the rest of a Sink

    def born(self, life: TaskLife) -> None:
        """See Sink."""

    def ended(self, life: TaskLife, time: int) -> None:
        """See Sink."""

    def span_started(self, trace_id: int, time: int) -> None:
        """See Sink."""

    def span_ended(self, trace_id: int, time: int) -> None:
        """See Sink."""

    def polled(self, where: Where, polls: tuple[int, ...]) -> None:
        """See Sink."""

    def looked(self, look: Look) -> None:
        """See Sink."""

    def collected(self, thread: int, start: int, end: int) -> None:
        """See Sink."""

    def handed(self, handoff: Handoff) -> None:
        """See Sink."""

    def mishap(self, id: int, time: int, kind: str) -> None:
        """See Sink."""
