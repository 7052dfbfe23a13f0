"""Who takes what the assembler makes: spans, sums, and those that note on a step what others tell of it."""

from __future__ import annotations

from loopscope.model import Handoff, Look, Printed, Step, TaskLife, Where


class Sink:
    """Takes what the assembler makes; what a kind of it does not override, it does not hear."""

    def born(self, life: TaskLife) -> None:
        """A task was created, or is seen for the first time."""

    def stepped(self, life: TaskLife, step: Step) -> None:
        """It took a step; the life's sums already hold it."""

    def ended(self, life: TaskLife, time: int) -> None:
        """It ended: `life.state` says how, None where nothing was recorded of its end."""

    def span_started(self, trace_id: int, time: int) -> None:
        """The application started a local span of this trace."""

    def span_ended(self, trace_id: int, time: int) -> None:
        """The application ended a local span of this trace."""

    def polled(self, where: Where, polls: tuple[int, ...]) -> None:
        """A loop looked at its selector, no step having come since the thread's last record."""

    def looked(self, look: Look) -> None:
        """The watchdog looked at a thread that was held too long."""

    def collected(self, thread: int, start: int, end: int) -> None:
        """The garbage collector held a thread."""

    def handed(self, handoff: Handoff) -> None:
        """A function that a task handed to an executor has run."""

    def mishap(self, id: int, time: int, kind: str) -> None:
        """One of the MISHAPS befell the task of this id, 0 where it is unknown."""

    def printed(self, id: int, index: int, line: Printed) -> None:
        """A step of the task of this id printed a line; the step itself is told later."""


class Sinks(Sink):
    """Tells several sinks, in order: a later one finds what an earlier one noted on the life and on the step."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = sinks

    def born(self, life: TaskLife) -> None:
        """See Sink."""
        for sink in self._sinks:
            sink.born(life)

    def stepped(self, life: TaskLife, step: Step) -> None:
        """See Sink."""
        for sink in self._sinks:
            sink.stepped(life, step)

    def ended(self, life: TaskLife, time: int) -> None:
        """See Sink."""
        for sink in self._sinks:
            sink.ended(life, time)

    def span_started(self, trace_id: int, time: int) -> None:
        """See Sink."""
        for sink in self._sinks:
            sink.span_started(trace_id, time)

    def span_ended(self, trace_id: int, time: int) -> None:
        """See Sink."""
        for sink in self._sinks:
            sink.span_ended(trace_id, time)

    def polled(self, where: Where, polls: tuple[int, ...]) -> None:
        """See Sink."""
        for sink in self._sinks:
            sink.polled(where, polls)

    def looked(self, look: Look) -> None:
        """See Sink."""
        for sink in self._sinks:
            sink.looked(look)

    def collected(self, thread: int, start: int, end: int) -> None:
        """See Sink."""
        for sink in self._sinks:
            sink.collected(thread, start, end)

    def handed(self, handoff: Handoff) -> None:
        """See Sink."""
        for sink in self._sinks:
            sink.handed(handoff)

    def mishap(self, id: int, time: int, kind: str) -> None:
        """See Sink."""
        for sink in self._sinks:
            sink.mishap(id, time, kind)

    def printed(self, id: int, index: int, line: Printed) -> None:
        """See Sink."""
        for sink in self._sinks:
            sink.printed(id, index, line)
