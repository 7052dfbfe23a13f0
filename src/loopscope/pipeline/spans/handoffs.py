"""Executor spans: which task span holds the step that handed a function over, and what is said of its run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from loopscope import conventions as c
from loopscope.model import Handoff, TaskLife
from loopscope.pipeline.recent import Recent
from loopscope.pipeline.spans.describe import SECOND
from loopscope.pipeline.spans.span import Attributes, Span
from loopscope.pipeline.spans.traces import Trace
from loopscope.pipeline.spans.visit import CROWDED, Caps, Visit

#: hand-offs that wait for the record of their step, and closed visits that are remembered of one task, at most
WAITING, CLOSED = 4096, 8
#: a task span may hold one executor span for as many step spans; and as many again of what failed or took long
SHARE = 4


class Holder(NamedTuple):
    """A task span that is closed, and the steps that it holds."""

    first: int
    last: int
    trace: Trace
    span_id: int


class Handoffs:
    """Gives an executor span to every task span that holds the submitting step."""

    def __init__(
        self,
        new_span_id: Callable[[], int],
        emit: Callable[[Visit | None, Span], None],
        lost: Callable[[str, int], None],
        caps: Caps,
    ) -> None:
        self._new_span_id = new_span_id
        self._emit = emit
        self._lost = lost
        self._caps = caps
        #: executor spans under a task span, by its id
        self._written: Recent[int, int] = Recent(4096)
        #: by task
        self._closed: Recent[int, list[Holder]] = Recent(4096)
        #: hand-offs whose step's record has not come, by task
        self._waiting: dict[int, list[Handoff]] = {}
        self._count = 0

    def closed(self, task: int, visit: Visit) -> None:
        """A task span was written."""
        if visit.first < 0 or visit.silent:
            return
        holder = Holder(visit.first, visit.last, visit.trace, visit.span_id)
        holders = self._closed.get(task)
        if holders is None:
            self._closed.put(task, [holder])
            return
        holders.append(holder)
        del holders[:-CLOSED]

    def handed(self, handoff: Handoff, life: TaskLife | None, known: bool) -> None:
        """A function has run that a step handed over. `known`: the task was heard of; `life`: and it lives."""
        if (life is None and known) or (life is not None and handoff.step < life.steps):
            self._write(handoff, life)
        else:
            if self._count >= WAITING:  # of tasks that were never heard of
                self._lost("handoff", self._count)
                self._waiting.clear()
                self._count = 0
            self._count += 1
            self._waiting.setdefault(handoff.task, []).append(handoff)

    def stepped(self, life: TaskLife) -> None:
        """The record of a step has come, and its task spans are open."""
        if not self._waiting or life.id not in self._waiting:
            return
        waiting = self._waiting.pop(life.id)
        self._count -= len(waiting)
        for handoff in waiting:
            self.handed(handoff, life, True)

    def ended(self, id: int, excluded: bool) -> None:
        """A task has ended: no more records of its steps come. Those of one that is excluded are not missed."""
        if self._waiting and id in self._waiting:
            waiting = self._waiting.pop(id)
            self._count -= len(waiting)
            if not excluded:
                self._lost("handoff", len(waiting))

    def _write(self, handoff: Handoff, life: TaskLife | None) -> None:
        visits: Iterable[Visit] = () if life is None else life.notes.visits
        for visit in visits:
            if 0 <= visit.first <= handoff.step <= visit.last and visit.room:
                self._span(handoff, visit.trace, visit.span_id, visit)
        for holder in self._closed.get(handoff.task) or ():
            if holder.first <= handoff.step <= holder.last:
                self._span(handoff, holder.trace, holder.span_id, None)

    def _span(self, handoff: Handoff, trace: Trace, parent: int, visit: Visit | None) -> None:
        written = self._written.get(parent) or 0
        notable = handoff.error is not None or handoff.end - handoff.submitted >= self._caps.slow
        full = written >= self._caps.steps // SHARE * (1 + notable)
        if full or not trace.take(self._caps.spans):
            trace.lost += 1
            self._lost("executors" if full else CROWDED, 1)
            return
        self._written.put(parent, written + 1)
        span = Span(
            c.EXECUTOR_SPAN + handoff.function, trace.trace_id, self._new_span_id(), parent, handoff.submitted,
            handoff.end, _attributes(handoff), error=handoff.error is not None, trace_state=trace.trace_state,
        )  # fmt: skip
        self._emit(visit, span)


def _attributes(handoff: Handoff) -> Attributes:
    attributes: Attributes = [(c.TASK_ID, handoff.task), (c.STEP_INDEX, handoff.step)]
    if handoff.start:
        attributes += [
            (c.EXECUTOR_QUEUE, (handoff.start - handoff.submitted) / SECOND),
            (c.EXECUTOR_RUNNING, (handoff.end - handoff.start) / SECOND),
            (c.THREAD_ID, handoff.thread),
            (c.THREAD_NAME, handoff.thread_name),
        ]
    function = f"{handoff.module}.{handoff.function}" if handoff.module else handoff.function
    attributes.append((c.CODE_FUNCTION, function))
    if handoff.error is not None:
        attributes.append((c.ERROR_TYPE, handoff.error))
    return attributes
