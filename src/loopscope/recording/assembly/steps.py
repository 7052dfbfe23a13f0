"""Makes steps of step spans: each once, though it may stand in two traces, and each under a task."""

from __future__ import annotations

import json
from bisect import bisect_right, insort
from functools import cached_property
from typing import Any

from loopscope import conventions as c
from loopscope.recording.assembly.kinds import Place, Sorted
from loopscope.recording.assembly.tasks import Tasks, place
from loopscope.recording.spans import Event, Span, nanoseconds, text, whole
from loopscope.recording.timeline import Delay, Printed, Stall, Step, StepKey, TaskKey

_WAIT = "asyncio.wait."
#: what a step says of its task: process, name, qualname, loop, and its parent's id where it has no name
Identity = tuple[str, str, str, str, str]


class Steps:
    """All steps, and which span tells of which."""

    def __init__(self, spans: Sorted, tasks: Tasks) -> None:
        self._spans = spans
        self._tasks = tasks
        self.found: list[Step] = []
        self.printed: list[Printed] = []
        #: the step that a span tells of
        self.by_place: dict[Place, Step] = {}
        #: the span that a step is made of
        self.source: dict[StepKey, Span] = {}
        #: tasks that have no span of their own, with their names
        self.without: dict[TaskKey, str] = {}
        #: by task: (steps, running, ready) that its spans count twice, because they were for two traces at once
        self.twice: dict[TaskKey, tuple[int, int, int]] = {}
        self._at: dict[StepKey, Step] = {}
        #: by task: (first index, last index) of coalesced steps
        self._groups: dict[TaskKey, list[tuple[int, int]]] = {}
        self._orphans: dict[Identity, TaskKey] = {}
        self._unnumbered = 0
        # coalesced ones first: what they hold may stand alone in another trace
        for span in sorted(spans.steps, key=lambda span: not span.name.startswith(c.STEPS_SPAN)):
            self._take(span)

    def _take(self, span: Span) -> None:
        step = self._step(span, self._task(span))
        known = self._same(step)
        if known is not None:
            self._again(span, step, known)
            return
        key = step.task, step.index
        if key in self._at or step.index < 0:  # no number, or the number of another step
            self._tasks.mixed = self._tasks.mixed or step.index >= 0
            self._unnumbered += 1
            step.index = -self._unnumbered
            key = step.task, step.index
        self._at[key] = step
        self.by_place[span.trace_id, span.span_id] = step
        self.source[key] = span
        self.found.append(step)
        if step.count > 1:
            insort(self._groups.setdefault(step.task, []), (step.index, step.index + step.count - 1))
        self._happened(step, span.events)

    def _same(self, step: Step) -> Step | None:
        """The step that is this one, told in another trace."""
        if step.index < 0:
            return None
        known = self._at.get((step.task, step.index))
        if known is not None and known.start == step.start:
            return known
        groups = self._groups.get(step.task)
        if not groups:
            return None
        first, last = groups[max(bisect_right(groups, (step.index, 1 << 63)) - 1, 0)]
        group = self._at[step.task, first]
        return group if first <= step.index <= last and group.start <= step.start <= step.end <= group.end else None

    def _again(self, span: Span, step: Step, known: Step) -> None:
        self.by_place[span.trace_id, span.span_id] = known
        if not self.source[known.task, known.index].events:
            self._happened(known, span.events)
        if (span.trace_id, span.parent_id) in self._tasks.owner:
            count, running, ready = self.twice.get(step.task, (0, 0, 0))
            self.twice[step.task] = count + step.count, running + step.running, ready + step.ready_duration

    # ------------------------------------------------------------ whose it is

    def _task(self, span: Span) -> TaskKey:
        return self._tasks.owner.get((span.trace_id, span.parent_id)) or self._orphan(span)

    def _orphan(self, span: Span) -> TaskKey:
        """The task of a step whose task span is not there."""
        process, name = self._spans.processes.key(span), text(span.attributes, c.TASK_NAME)
        group = (process, name, _qualname(span), text(span.attributes, c.LOOP_ID), "" if name else span.parent_id)
        key = self._orphans.get(group)
        if key is None:
            key = self._orphans[group] = self._adopter(group) or self._tasks.made_up(process)
            if key not in self._tasks.spans:
                self.without[key] = name
        return key

    def _adopter(self, group: Identity) -> TaskKey | None:
        """The only task of that name that has a span elsewhere: another segment, or another trace."""
        found = self._named.get(group, ())
        return found[0] if group[1] and len(found) == 1 else None

    @cached_property
    def _named(self) -> dict[Identity, list[TaskKey]]:
        """Tasks by process, name, qualname and loop."""
        named: dict[Identity, list[TaskKey]] = {}
        for key, spans in self._tasks.spans.items():
            said, qualname = spans[-1].attributes, spans[0].name.removeprefix(c.TASK_SPAN)
            identity = key[0], text(said, c.TASK_NAME), qualname, text(said, c.LOOP_ID), ""
            named.setdefault(identity, []).append(key)
        return named

    # ------------------------------------------------------------ what it says

    def _step(self, span: Span, task: TaskKey) -> Step:
        said = span.attributes
        end = max(span.start, span.end)
        count = max(whole(said, c.STEP_COUNT, 1), 1) if span.name.startswith(c.STEPS_SPAN) else 1
        ready = nanoseconds(said, c.STEP_READY)
        if ready > span.start:
            ready = 0
        return Step(
            task=task,
            index=whole(said, c.STEP_INDEX, -1),
            count=count,
            qualname=_qualname(span),
            thread=whole(said, c.THREAD_ID) or self._of_task(task, c.THREAD_ID),
            loop=whole(said, c.LOOP_ID) or self._of_task(task, c.LOOP_ID),
            ready=span.start - ready if count == 1 else span.start,
            start=span.start,
            end=end,
            running=nanoseconds(said, c.STEP_RUNNING) if c.STEP_RUNNING in said else end - span.start,
            ready_duration=ready,
            outcome=text(said, c.STEP_OUTCOME) or ("coalesced" if count > 1 else ""),
            awaiting=text(said, c.STEP_AWAITING),
            function=text(said, c.CODE_FUNCTION),
            place=place(span),
            waker_kind=text(said, c.STEP_WAKER_KIND),
            waker_name=text(said, c.STEP_WAKER_NAME),
            waker_task=text(said, c.STEP_WAKER_TASK),
            error=text(said, c.ERROR_TYPE),
            unpolled=nanoseconds(said, c.STEP_UNPOLLED),
            delay=_delay(span),
            delayed_count=whole(said, c.DELAYED_COUNT),
            delayed_duration=nanoseconds(said, c.DELAYED_DURATION),
            details={key: _detail(value) for key, value in said.items() if key.startswith(_WAIT)},
            trace_id=span.trace_id,
            span_id=span.span_id,
        )

    def _of_task(self, task: TaskKey, name: str) -> int:
        spans = self._tasks.spans.get(task)
        return whole(spans[-1].attributes, name) if spans else 0

    def _happened(self, step: Step, events: tuple[Event, ...]) -> None:
        for event in sorted(events, key=lambda event: event.time):
            said = event.attributes
            if event.name == c.STALL:
                held = nanoseconds(said, c.STALL_HELD)
                step.stalls.append(Stall(event.time, text(said, c.STALL_CAUSE), held, text(said, c.CODE_STACKTRACE)))
            elif event.name == c.PRINTED:
                told = text(said, c.PRINTED_STREAM) or "stdout", text(said, c.PRINTED_TEXT)
                self.printed.append(Printed(event.time, *told, step.task, step.index))


def _qualname(span: Span) -> str:
    return span.name.partition(" ")[2]


def _detail(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _delay(span: Span) -> Delay | None:
    said = span.attributes
    if c.DELAYED_BY_NAME not in said and c.DELAYED_BY_DURATION not in said:
        return None
    return Delay(
        name=text(said, c.DELAYED_BY_NAME),
        duration=nanoseconds(said, c.DELAYED_BY_DURATION),
        task=text(said, c.DELAYED_BY_TASK),
        steps=max(whole(said, c.DELAYED_BY_COUNT, 1), 1),
        function=text(said, c.DELAYED_BY_FUNCTION),
        place=text(said, c.DELAYED_BY_PLACE),
    )
