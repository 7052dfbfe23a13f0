"""Divides a Timeline into what belongs in one picture: traces that overlap in time, as those of one task do."""

from __future__ import annotations

from collections.abc import Iterator

from loopscope.recording.timeline import TaskKey, Timeline


def chapters(timeline: Timeline) -> list[Timeline]:
    """The parts of a Timeline, by start; what is missing stays with the whole."""
    chapter_of = _numbered(timeline)
    parts = [Timeline(processes=timeline.processes) for _ in range(max(chapter_of.values(), default=-1) + 1)]
    for trace in timeline.trace_ids:
        if trace in chapter_of:
            parts[chapter_of[trace]].trace_ids.append(trace)
    owners: dict[TaskKey, Timeline] = {}
    for key, traces in _traces(timeline).items():
        owners[key] = part = parts[chapter_of[next(iter(traces))]]
        part.tasks[key] = timeline.tasks[key]
    for step in timeline.steps:
        owners[step.task].steps.append(step)
    for span in timeline.foreign:
        part = owners[span.task] if span.task is not None else parts[chapter_of[span.trace_id]]
        part.foreign.append(span)
    for line in timeline.printed:
        later = (part for part in parts if part.end >= line.time)
        into = owners[line.task] if line.task in owners else next(later, parts[-1] if parts else None)
        if into is not None:
            into.printed.append(line)
    return parts


def _traces(timeline: Timeline) -> dict[TaskKey, dict[str, None]]:
    """The traces of each task; one that has no span of its own has those of its steps."""
    found = {key: dict.fromkeys(trace for trace, _ in task.spans) for key, task in timeline.tasks.items()}
    for step in timeline.steps:
        found[step.task].setdefault(step.trace_id)
    return {key: traces or {"": None} for key, traces in found.items()}


def _numbered(timeline: Timeline) -> dict[str, int]:
    """The chapter of each trace."""
    numbers: dict[str, int] = {}
    until, number = -1, -1
    for start, end, trace in sorted(_intervals(timeline)):
        if start > until:
            number += 1
        until = max(until, end)
        numbers[trace] = number
    return numbers


def _intervals(timeline: Timeline) -> Iterator[tuple[int, int, str]]:
    """(start, end, trace) of each trace; a task's traces all last as long as the task."""
    extent: dict[str, tuple[int, int]] = {}
    found = [
        (trace, timeline.tasks[key].start, timeline.tasks[key].end)
        for key, traces in _traces(timeline).items() for trace in traces
    ]  # fmt: skip
    for trace, start, end in found + [(span.trace_id, span.start, span.end) for span in timeline.foreign]:
        known = extent.get(trace, (start, end))
        extent[trace] = min(known[0], start), max(known[1], end)
    return ((start, end, trace) for trace, (start, end) in extent.items())
