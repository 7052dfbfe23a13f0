"""Makes one task of all its spans: visits to several traces, segments of a long life."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from loopscope import conventions as c
from loopscope.recording.assembly.kinds import Place, Sorted
from loopscope.recording.spans import Span, nanoseconds, text, whole
from loopscope.recording.timeline import Step, Task, TaskKey

if TYPE_CHECKING:
    from loopscope.recording.assembly.steps import Steps

_ENDS = frozenset({"returned", "raised", "cancelled", "destroyed"})
_CANCEL = (c.CANCEL_REQUESTED_BY, c.CANCEL_TASK, c.CANCEL_PLACE, c.CANCEL_MESSAGE, c.CANCEL_LATENCY, c.CANCEL_SWALLOWED)
_SUMS = (c.TASK_RUNNING, c.TASK_READY, c.TASK_WAITING)


class Tasks:
    """The task spans by task, and which task each span belongs to."""

    def __init__(self, spans: Sorted) -> None:
        self.spans: dict[TaskKey, list[Span]] = {}
        self.owner: dict[Place, TaskKey] = {}
        #: task spans without an id of their task
        self.nameless = 0
        #: two tasks had one id: their processes cannot be told apart
        self.mixed = False
        for span in spans.tasks:
            key = self._key(spans.processes.key(span), span)
            spans.processes.like(key[0])
            self.spans.setdefault(key, []).append(span)
            self.owner[span.trace_id, span.span_id] = key

    def _key(self, process: str, span: Span) -> TaskKey:
        id = whole(span.attributes, c.TASK_ID, -1)
        if id < 0:
            self.nameless += 1
            return process, -self.nameless
        key = process, id
        others = self.spans.get(key)
        while others and others[0].name != span.name:
            self.mixed = True
            key = key[0] + "#", id
            others = self.spans.get(key)
        return key

    def made_up(self, process: str) -> TaskKey:
        """The key of a task that has no span."""
        self.nameless += 1
        return process, -self.nameless

    def finished(self, steps: Steps) -> dict[TaskKey, Task]:
        """All tasks, also those that only their steps tell of."""
        by_task: dict[TaskKey, list[Step]] = {}
        for step in steps.found:
            by_task.setdefault(step.task, []).append(step)
        made = {key: _task(key, spans, by_task.get(key, []), steps) for key, spans in self.spans.items()}
        for key in steps.without:
            made[key] = _from_steps(key, by_task[key], steps)
        return made


def _task(key: TaskKey, spans: list[Span], steps: list[Step], all_steps: Steps) -> Task:
    latest = max(spans, key=lambda span: (span.end, text(span.attributes, c.TASK_STATE) in _ENDS, span.start))
    said = latest.attributes
    visits = [(span.start, max(span.start, span.end)) for span in spans]
    started = min([start for start, _ in visits] + [step.start for step in steps])
    ended = max([end for _, end in visits] + [step.end for step in steps])
    running, ready, waiting = _sums(key, spans, steps, all_steps)
    count = sum(whole(span.attributes, c.TASK_STEP_COUNT) for span in spans) - all_steps.twice.get(key, (0, 0, 0))[0]
    return Task(
        key=key,
        name=text(said, c.TASK_NAME),
        qualname=latest.name.removeprefix(c.TASK_SPAN),
        start=started,
        end=ended,
        state=text(said, c.TASK_STATE),
        running=running,
        ready=ready,
        waiting=waiting,
        steps=max(count, sum(step.count for step in steps)),
        thread=whole(said, c.THREAD_ID),
        thread_name=text(said, c.THREAD_NAME),
        loop=whole(said, c.LOOP_ID),
        function=text(said, c.CODE_FUNCTION),
        place=place(latest),
        creator=whole(said, c.TASK_CREATOR_ID),
        error=text(said, c.ERROR_TYPE),
        awaiting=text(said, c.TASK_AWAITING),
        cancel={name: text(said, name) for name in _CANCEL if name in said},
        spans=[(span.trace_id, span.span_id) for span in spans],
        visits=visits,
    )


def place(span: Span) -> str:
    """file:line, empty where it is not known."""
    file, line = text(span.attributes, c.CODE_FILE), whole(span.attributes, c.CODE_LINE)
    return f"{file}:{line}" if file and line else file


def _sums(key: TaskKey, spans: list[Span], steps: list[Step], all_steps: Steps) -> tuple[int, int, int]:
    """Running, ready and waiting. What a step did for two traces at once counts once."""
    visits = [(span.start, max(span.start, span.end)) for span in spans]
    if not any(name in span.attributes for span in spans for name in _SUMS):
        return _sums_of_steps(steps, _union(visits))
    running, ready, waiting = (sum(nanoseconds(span.attributes, name) for span in spans) for name in _SUMS)
    _, ran_twice, ready_twice = all_steps.twice.get(key, (0, 0, 0))
    running, ready = max(running - ran_twice, 0), max(ready - ready_twice, 0)
    if overlap(visits):  # it waited in two traces at once, too
        waiting = max(_union(visits) - running - ready, 0)
    return running, ready, waiting


def _sums_of_steps(steps: Iterable[Step], lifetime: int) -> tuple[int, int, int]:
    running = ready = 0
    for step in steps:
        running += step.running
        ready += step.ready_duration
    return running, ready, max(lifetime - running - ready, 0)


def overlap(visits: Collection[tuple[int, int]]) -> bool:
    """Whether there is a time in which more than one of them lasts."""
    return _union(visits) < sum(end - start for start, end in visits)


def _union(visits: Iterable[tuple[int, int]]) -> int:
    """How long at least one of them lasts."""
    covered = until = 0
    for start, end in sorted(visits):
        covered += max(end - max(start, until), 0)
        until = max(until, end)
    return covered


def _from_steps(key: TaskKey, steps: list[Step], all_steps: Steps) -> Task:
    """A task whose own span is not there: it lives still, or its span was cut away."""
    start, end = min(min(step.ready, step.start) for step in steps), max(step.end for step in steps)
    running, ready, waiting = _sums_of_steps(steps, end - start)
    first = min(steps, key=lambda step: step.start)
    return Task(
        key=key, name=all_steps.without[key], qualname=first.qualname, start=start, end=end, state="", running=running,
        ready=ready, waiting=waiting, steps=sum(step.count for step in steps), thread=first.thread, loop=first.loop,
        visits=[(start, end)],
    )  # fmt: skip


def task_parents(spans: Sorted) -> Iterator[Span]:
    """The task spans whose parent is not among the spans."""
    for span in spans.tasks:
        if span.parent_id and (span.trace_id, span.parent_id) not in spans.by_place:
            yield span
