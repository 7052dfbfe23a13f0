"""Makes a Timeline of spans, in whatever order and from however many sources they came."""

from __future__ import annotations

from loopscope.recording.assembly import gaps
from loopscope.recording.assembly.edges import edges
from loopscope.recording.assembly.foreign import foreign
from loopscope.recording.assembly.kinds import Sorted
from loopscope.recording.assembly.occupancy import Occupancy
from loopscope.recording.assembly.steps import Steps
from loopscope.recording.assembly.tasks import Tasks
from loopscope.recording.spans import Spans
from loopscope.recording.timeline import Timeline

__all__ = ["assemble"]


def assemble(found: Spans) -> Timeline:
    """The Timeline; the order of the spans does not matter, nor that one came twice."""
    spans = Sorted(found.spans)
    tasks = Tasks(spans)
    steps = Steps(spans, tasks)
    made = tasks.finished(steps)
    timeline = Timeline(
        processes=spans.processes.found,
        tasks=dict(sorted(made.items(), key=lambda item: (item[1].start, item[0]))),
        steps=sorted(steps.found, key=lambda step: (step.start, -step.end, step.task, step.index)),
        printed=sorted(steps.printed, key=lambda line: line.time),
        trace_ids=list(dict.fromkeys(span.trace_id for span in spans.all)),
    )
    occupancy = Occupancy(timeline.steps)
    timeline.edges = edges(spans, tasks, steps, timeline, occupancy)
    timeline.foreign = foreign(spans, tasks, steps, timeline, occupancy)
    timeline.missing = [*found.missing, *gaps.missing(spans, tasks, steps, timeline)]
    return timeline
