"""Executor spans: under the task span of the step that submitted, whichever record comes first, within bounds."""

from __future__ import annotations

import pytest

from loopscope.model import HANDOFF, MISHAP, NEVER_RETRIEVED, PENDING_DESTROYED, Handoff, Record
from loopscope.pipeline.spans import handoffs
from loopscope.pipeline.spans.span import Span
from loopscope.pipeline.spans.visit import Caps
from tests.records import MS, OWN_TRACE, SECOND, Cold, Identity, Pulse, birth, gone, said, span_start, step


def handoff(
    task: int, index: int, submitted: int = MS, start: int = 3 * MS, end: int = 7 * MS, error: str | None = None
) -> Record:
    """A function has run."""
    return HANDOFF, Handoff(task, index, "resize", submitted, start, end, 9, "pool_0", error, "app")


def executors(cold: Cold) -> list[Span]:
    """The executor spans."""
    return [span for span in cold.spans if span.name.startswith("executor ")]


def test_what_is_said() -> None:
    cold = Cold().feed(birth(1), step(1, 0, 0, 0, 2 * MS), handoff(1, 0, error="ValueError"))
    (span,) = executors(cold)
    assert (span.name, span.trace_id, span.start, span.end, span.error) == (
        "executor resize",
        OWN_TRACE,
        MS,
        7 * MS,
        True,
    )
    assert dict(span.attributes) == {
        "asyncio.task.id": 1, "asyncio.step.index": 0, "asyncio.executor.queue.duration": 0.002,
        "asyncio.executor.running.duration": 0.004, "thread.id": 9, "thread.name": "pool_0",
        "code.function.name": "app.resize", "error.type": "ValueError",
    }  # fmt: skip
    (task,) = cold.finish(SECOND).tasks
    assert span.parent_id == task.span_id


@pytest.mark.parametrize("ends", [False, True])
def test_an_excluded_task_misses_none(ends: bool) -> None:
    cold = Cold().feed(birth(1, pulse=Pulse(index=1, excluded=True)), handoff(1, 0))
    if ends:
        cold.feed(step(1, 0, 0, 0, 2 * MS, "returned"))
    assert (executors(cold), cold.lost) == ([], {})


@pytest.mark.parametrize("when", range(4))
def test_whichever_record_comes_first(when: int) -> None:
    """Before the birth, before the step's record, after it, after the end."""
    records = [birth(1), step(1, 0, 0, 0, MS), step(1, 1, 2 * MS, 2 * MS, 3 * MS, "returned")]
    records.insert(when, handoff(1, 0))
    cold = Cold().feed(*records)
    (span,), (task,) = executors(cold), cold.tasks
    assert (span.parent_id, cold.lost) == (task.span_id, {})


def test_each_trace_that_the_step_works_for() -> None:
    """And no other visit of the task's."""
    one, other = Identity(7, 70), Identity(8, 80)
    cold = Cold().feed(
        span_start(7, 0), span_start(8, 0), birth(1),
        step(1, 0, 0, 0, MS), step(1, 1, MS, MS, 2 * MS, activated=[one, other]), step(1, 2, 3 * MS, 3 * MS, 4 * MS),
        handoff(1, 1), handoff(1, 2),
    ).finish(SECOND)  # fmt: skip
    assert sorted(span.trace_id for span in executors(cold)) == [7, 8, OWN_TRACE]
    parents = {task.span_id: task.trace_id for task in cold.tasks}
    assert all(parents[span.parent_id] == span.trace_id for span in executors(cold))


def test_a_trace_that_is_sampled_out() -> None:
    cold = Cold(sample=lambda trace_id, name: False).feed(birth(1), step(1, 0, 0, 0, MS), handoff(1, 0))
    assert (cold.finish(SECOND).spans, cold.lost) == ([], {})


def test_with_no_step_spans() -> None:
    cold = Cold(detail="tasks").feed(birth(1), handoff(1, 0), step(1, 0, 0, 0, MS, "returned"))
    assert [span.name for span in cold.spans] == ["executor resize", "task work"]


def test_whose_process_is_not_looked_into() -> None:
    cold = Cold().feed(birth(1), step(1, 0, 0, 0, MS), handoff(1, 0, start=0))
    keys = {key for key, _ in executors(cold)[0].attributes}
    assert keys == {"asyncio.task.id", "asyncio.step.index", "code.function.name"}


def test_bounds() -> None:
    """Of a trace, of a task span, and of those whose task is never heard of."""
    cold = Cold(Caps(40, 15_000, MS, 10 * MS)).feed(birth(1), step(1, 0, 0, 0, MS), *[handoff(1, 0)] * 12)
    assert len(executors(cold)) == 10 and cold.lost == {"executors": 2}
    cold.feed(*[handoff(1, 0, error="ValueError")] * 6, *[handoff(1, 0, end=12 * MS)] * 6)
    assert len(executors(cold)) == 20 and cold.lost == {"executors": 4}, "more room for what failed or was slow"
    cold = Cold(Caps(2_000, 5, MS, MS)).feed(birth(1), step(1, 0, 0, 0, MS), *[handoff(1, 0)] * 12)
    assert len(executors(cold)) <= 5 and cold.lost["trace_size"] == 12 - len(executors(cold))
    cold = Cold().feed(*[handoff(task, 0) for task in range(1, handoffs.WAITING + 2)])
    assert cold.lost == {"handoff": handoffs.WAITING}


def test_a_step_that_never_came() -> None:
    """Its record was lost, and its task ended."""
    cold = Cold().feed(birth(1), step(1, 0, 0, 0, MS), handoff(1, 5), gone(1, 2 * MS))
    assert (executors(cold), cold.lost) == ([], {"handoff": 1})


def test_mishaps() -> None:
    """On a task span that is still to be written, each kind once; of tasks that nobody knows, nowhere."""
    cold = Cold().feed(
        birth(1), step(1, 0, 0, 0, MS), (MISHAP, 1, MS, PENDING_DESTROYED), (MISHAP, 1, MS, PENDING_DESTROYED),
        (MISHAP, 1, MS, NEVER_RETRIEVED), (MISHAP, 0, MS, NEVER_RETRIEVED), (MISHAP, 99, MS, NEVER_RETRIEVED),
        gone(1, 2 * MS),
    )  # fmt: skip
    assert [said(task, "asyncio.task.mishap") for task in cold.tasks] == ["destroyed_pending,never_retrieved"]
