"""Says in sentences what a trace does not hold."""

from __future__ import annotations

from collections.abc import Iterator

from loopscope import conventions as c
from loopscope.model import BARE
from loopscope.recording.assembly.kinds import Sorted
from loopscope.recording.assembly.steps import Steps
from loopscope.recording.assembly.tasks import Tasks, overlap, task_parents
from loopscope.recording.spans import Span, whole
from loopscope.recording.timeline import TaskKey, Timeline


def missing(spans: Sorted, tasks: Tasks, steps: Steps, timeline: Timeline) -> Iterator[str]:
    """One sentence for each kind of gap."""
    yield from _parents(spans)
    if steps.without:
        yield (
            f"{_count(len(steps.without), 'task')} can be told from steps alone: "
            "still alive when this was read, or the trace was cut"
        )
    bare = {key for key, of_task in tasks.spans.items() if any(map(_bare, of_task))}
    yield from _cut(timeline, bare)
    yield from _twice(timeline)
    yield from _lost(spans, tasks)
    unnamed = sum(1 for key in tasks.spans if key[1] < 0)
    if unnamed:
        yield f"{_count(unnamed, 'task span')} without {c.TASK_ID}: each is shown as a task of its own"
    if tasks.mixed:
        yield (
            "several processes sent spans under one identity, and their tasks are mixed: "
            "give each its own service.instance.id or process.pid"
        )
    if spans.timeless:
        yield f"{_count(spans.timeless, 'span')} left out: they do not say when they were"
    backwards = sum(1 for span in spans.all if span.end < span.start)
    if backwards:
        yield f"{_count(backwards, 'span')} end before they begin: the clock was set back, they are drawn as moments"


def _parents(spans: Sorted) -> Iterator[str]:
    absent = sum(1 for _ in task_parents(spans))
    if absent:
        yield (
            f"{_count(absent, 'task span')} under a span that is not here: it was not exported to the same place, "
            "has not ended yet, or was cut away"
        )


def _bare(span: Span) -> bool:
    return whole(span.attributes, c.DETAIL_LEVEL) >= BARE


def _cut(timeline: Timeline, bare: set[TaskKey]) -> Iterator[str]:
    """A backend may cut a trace and say nothing: then a task counts more steps than there are.

    Those of `bare` may have none because they were told with less detail.
    """
    present: dict[TaskKey, int] = {}
    for step in timeline.steps:
        present[step.task] = present.get(step.task, 0) + step.count
    stepless = {key for key in bare if timeline.tasks[key].steps and not present.get(key)}
    if stepless:
        yield (
            f"{_count(len(stepless), 'quick task')} without steps: more spans came than MAX_SPANS_PER_SECOND, "
            "so they were told with less detail"
        )
    expected = sum(task.steps for key, task in timeline.tasks.items() if key not in stepless)
    absent = expected - sum(present.values())
    if absent <= 0:
        return
    if not timeline.steps:
        yield f"no step has a span ({_count(expected, 'step')}): recorded with DETAIL=tasks, or the trace was cut"
        return
    concerned = sum(
        1 for key, task in timeline.tasks.items() if key not in stepless and task.steps > present.get(key, 0)
    )
    yield (
        f"{absent} of {expected} steps have no span, in {_count(concerned, 'task')}: dropped when they were recorded, "
        "or cut away by the backend (Tempo does so past max_bytes_per_trace)"
    )


def _twice(timeline: Timeline) -> Iterator[str]:
    """Steps say whether they are told in several traces; where there are none, a task's sums cannot be set right."""
    told = {step.task for step in timeline.steps}
    concerned = sum(1 for key, task in timeline.tasks.items() if key not in told and overlap(task.visits))
    if concerned:
        yield (
            f"{_count(concerned, 'task')} worked for several traces at once, and no step of theirs is here: "
            "what a step did for two of them counts twice"
        )


def _lost(spans: Sorted, tasks: Tasks) -> Iterator[str]:
    dropped: dict[str, int] = {}
    for span in spans.tasks:
        count = whole(span.attributes, c.TASK_SPANS_DROPPED)
        dropped[span.trace_id] = max(dropped.get(span.trace_id, 0), count)
    total = sum(dropped.values())
    if total:
        yield (
            f"{_count(total, 'span')} dropped when they were recorded: the trace was full (MAX_SPANS_PER_TRACE), "
            "or too many came (MAX_SPANS_PER_SECOND)"
        )
    unseen = sum(
        max(whole(span.attributes, c.TASK_STEP_MISSING) for span in of_task) for of_task in tasks.spans.values()
    )
    if unseen:
        yield f"{_count(unseen, 'step')} went unrecorded: there was no room for their records (BUFFER_SIZE)"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
