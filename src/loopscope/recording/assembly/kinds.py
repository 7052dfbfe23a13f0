"""Sorts spans by what they are to a Timeline, each once, by their start."""

from __future__ import annotations

from collections.abc import Collection

from loopscope import conventions as c
from loopscope.recording.assembly.processes import Processes
from loopscope.recording.spans import Span

#: (trace id, span id)
Place = tuple[str, str]


class Sorted:
    """The spans of loopscope's tasks, steps and executor runs, and those of others."""

    def __init__(self, spans: Collection[Span]) -> None:
        once = {(span.trace_id, span.span_id): span for span in sorted(spans, key=_whole) if span.start > 0}
        self.all = sorted(once.values(), key=lambda span: (span.start, span.trace_id, span.span_id))
        self.by_place = once
        #: spans that do not say when they were
        self.timeless = len({(span.trace_id, span.span_id) for span in spans}) - len(once)
        self.processes = Processes()
        self.tasks: list[Span] = []
        self.steps: list[Span] = []
        self.executors: list[Span] = []
        self.foreign: list[Span] = []
        for span in self.all:
            into = self._into(span)
            if into is not None:
                into.append(span)

    def _into(self, span: Span) -> list[Span] | None:
        """Where a span belongs; None for the bars of waits and ready times, which steps tell too."""
        if span.scope not in (c.SCOPE, ""):  # a backend may not have kept whose it is
            return self.foreign
        ours, name, said = bool(span.scope), span.name, span.attributes
        if name.startswith(c.TASK_SPAN) and (ours or c.TASK_ID in said):
            return self.tasks
        if name.startswith((c.STEP_SPAN, c.STEPS_SPAN)) and (ours or c.STEP_INDEX in said):
            return self.steps
        if name.startswith(c.EXECUTOR_SPAN) and (ours or c.TASK_ID in said):
            return self.executors
        if name.startswith((c.READY_SPAN, c.WAIT_SPAN)) and (ours or c.TASK_NAME in said):
            return None
        return self.foreign


def _whole(span: Span) -> tuple[int, int, int]:
    """Of two copies of a span the fuller one counts, which comes later here."""
    return len(span.attributes), len(span.links) + len(span.events), span.end
