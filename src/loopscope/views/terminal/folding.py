"""Which tasks get a lane of their own; the rest is folded by qualname."""

from __future__ import annotations

import string
from dataclasses import dataclass, field

from loopscope.recording.timeline import Task, TaskKey, Timeline

#: so many tasks have lanes of their own; if there are more, the KEPT most interesting ones have
LANES, KEPT = 30, 18
#: kinds of folded tasks that get a lane
KINDS = 16

LETTERS = string.ascii_letters


@dataclass(frozen=True, slots=True)
class Folded:
    """Tasks with lanes of their own, by start, with their letters; and the others by qualname, most first."""

    shown: list[Task]
    letters: dict[TaskKey, str]
    folded: dict[str, list[Task]] = field(default_factory=dict)


def fold(timeline: Timeline) -> Folded:
    """Choose the lanes."""
    tasks = list(timeline.tasks.values())
    kept = set(timeline.tasks) if len(tasks) <= LANES else _interesting(timeline)
    shown = [task for task in tasks if task.key in kept]
    kinds: dict[str, list[Task]] = {}
    for task in tasks:
        if task.key not in kept:
            kinds.setdefault(task.qualname, []).append(task)
    folded = dict(sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0])))
    return Folded(shown, {task.key: LETTERS[at] for at, task in enumerate(shown)}, folded)


def _interesting(timeline: Timeline) -> set[TaskKey]:
    """Those that failed or stalled, and those that ran, were ready or kept others waiting for long."""
    harm = dict.fromkeys(timeline.tasks, 0)
    stalled: set[TaskKey] = set()
    for step in timeline.steps:
        harm[step.task] += step.delayed_duration
        if step.stalls:
            stalled.add(step.task)

    def rank(task: Task) -> tuple[bool, int]:
        return task.key in stalled or bool(task.error), harm[task.key] + task.running + task.ready

    ranked = sorted(timeline.tasks.values(), key=rank, reverse=True)
    return {task.key for task in ranked[:KEPT]}
