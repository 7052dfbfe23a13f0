"""The spans of others, each in the task that it ran in as far as that can be told, and the runs of executors."""

from __future__ import annotations

from loopscope import conventions as c
from loopscope.recording.assembly.kinds import Sorted
from loopscope.recording.assembly.occupancy import Occupancy
from loopscope.recording.assembly.steps import Steps
from loopscope.recording.assembly.tasks import Tasks
from loopscope.recording.spans import ERROR, Span, nanoseconds, text, whole
from loopscope.recording.timeline import Foreign, Step, TaskKey, Timeline

_EXECUTOR = "executor"
_SERVICE = "service.name"


def foreign(spans: Sorted, tasks: Tasks, steps: Steps, timeline: Timeline, occupancy: Occupancy) -> list[Foreign]:
    """All of them, by start."""
    hosts = _Hosts(spans, tasks, steps, timeline, occupancy)
    found = [_foreign(span, _EXECUTOR, hosts.of_executor(span)) for span in spans.executors]
    found += [_foreign(span, span.kind.lower(), hosts.of(span)) for span in spans.foreign]
    return sorted(found, key=lambda one: (one.start, -one.end, one.trace_id, one.span_id))


def _foreign(span: Span, kind: str, task: TaskKey | None) -> Foreign:
    said = span.attributes
    return Foreign(
        name=span.name.removeprefix(c.EXECUTOR_SPAN) if kind == _EXECUTOR else span.name,
        start=span.start,
        end=max(span.start, span.end),
        task=task,
        service=text(span.resource, _SERVICE),
        kind=kind,
        error=(text(said, c.ERROR_TYPE) or span.message or "error") if span.status == ERROR else "",
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        thread=whole(said, c.THREAD_ID),
        thread_name=text(said, c.THREAD_NAME),
        queued=nanoseconds(said, c.EXECUTOR_QUEUE),
    )


class _Hosts:
    """Finds the task that a span ran in."""

    def __init__(self, spans: Sorted, tasks: Tasks, steps: Steps, timeline: Timeline, occupancy: Occupancy) -> None:
        self._spans = spans
        self._tasks = tasks
        self._steps = steps
        self._timeline = timeline
        self._occupancy = occupancy
        self._known: dict[tuple[str, str], TaskKey | None] = {}

    def of_executor(self, span: Span) -> TaskKey | None:
        """An executor's run stands under the task that handed it over, and says its id."""
        said = self._spans.processes.key(span), whole(span.attributes, c.TASK_ID)
        parent = self._tasks.owner.get((span.trace_id, span.parent_id))
        return said if parent is None and said in self._timeline.tasks else parent

    def of(self, span: Span) -> TaskKey | None:
        """The task whose step it began in; else that of the span it stands under, in the same process."""
        line: list[Span] = []
        host: TaskKey | None = None
        up: Span | None = span
        while up is not None and up not in line:
            place = up.trace_id, up.span_id
            host = self._known[place] if place in self._known else self._began_in(up) or self._task_of(place)
            if host is not None:
                break
            line.append(up)
            above = self._spans.by_place.get((up.trace_id, up.parent_id))
            local = above is not None and self._spans.processes.key(above) == self._spans.processes.key(span)
            up = above if local else None
        for one in line:
            self._known[one.trace_id, one.span_id] = host
        return host

    def _task_of(self, place: tuple[str, str]) -> TaskKey | None:
        step = self._steps.by_place.get(place)
        return self._tasks.owner.get(place) if step is None else step.task

    def _began_in(self, span: Span) -> TaskKey | None:
        process, thread = self._spans.processes.key(span), whole(span.attributes, c.THREAD_ID)
        threads = [thread] if thread else list(self._occupancy.threads(process))
        inner = [next(self._occupancy.running(process, one, span.start), None) for one in threads]
        found = [step for step in inner if step is not None]
        if len(found) > 1:  # several threads: the one that works for this trace
            found = [step for step in found if self._works_for(step, span.trace_id)]
        return found[0].task if len(found) == 1 else None

    def _works_for(self, step: Step, trace_id: str) -> bool:
        return any(trace == trace_id for trace, _ in self._timeline.tasks[step.task].spans)
