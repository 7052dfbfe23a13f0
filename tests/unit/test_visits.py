"""Which trace a step belongs to: visits, shared steps, remote parents, inherited and stale contexts."""

from __future__ import annotations

import pytest

from loopscope.model import IO
from loopscope.pipeline.spans.visit import Caps
from tests.records import (
    MS,
    OWN_TRACE,
    SECOND,
    Cold,
    Identity,
    Pulse,
    adds_up,
    birth,
    gone,
    nanoseconds,
    said,
    span_end,
    span_start,
    step,
)

A, B = Identity(1, 11), Identity(2, 21)


def visits(cold: Cold) -> list[tuple[object, ...]]:
    """(trace, parent, start, end, state, steps) of each task span, and that it adds up."""
    assert all(adds_up(task) for task in cold.tasks)
    return [
        (task.trace_id, task.parent_id, task.start, task.end, said(task, "asyncio.task.state"),
         said(task, "asyncio.task.step.count"))
        for task in cold.tasks
    ]  # fmt: skip


def placed(cold: Cold) -> list[tuple[object, ...]]:
    """(trace, index, start, end, shared) of each step span."""
    return [
        (s.trace_id, said(s, "asyncio.step.index"), s.start, s.end, said(s, "asyncio.step.shared")) for s in cold.steps
    ]


def test_a_task_of_nobody_has_a_trace_of_its_own() -> None:
    """From creation to the end of its last step, a root."""
    cold = Cold().feed(birth(1, 10), step(1, 0, 12, 20, 30), step(1, 1, 50, 55, 60, "returned"))
    assert visits(cold) == [(OWN_TRACE, 0, 10, 60, "returned", 2)]
    assert placed(cold) == [(OWN_TRACE, 0, 20, 30, None), (OWN_TRACE, 1, 55, 60, None)]
    sums = [nanoseconds(cold.tasks[0], f"asyncio.task.{s}.duration") for s in ("running", "ready", "waiting")]
    assert sums == [15, 13, 22]
    assert cold.asked == [(OWN_TRACE, "task work")]


def test_a_task_created_in_a_request_stands_under_its_span() -> None:
    """From creation; no sampler is asked."""
    cold = Cold().feed(
        span_start(1, 5), birth(1, 10, span=A), step(1, 0, 10, 20, 30, "returned", span=A, after=A)
    )  # fmt: skip
    assert visits(cold) == [(1, 11, 10, 30, "returned", 1)]
    assert cold.asked == []


def test_consecutive_steps_for_a_trace_are_a_visit() -> None:
    """A connection handler: own, two requests, own again; its own trace only where it touched no other."""
    cold = Cold().feed(
        birth(1, 0),
        step(1, 0, 0, 1, 2),
        span_start(1, 11), step(1, 1, 9, 10, 12, activated=[A], after=A),
        step(1, 2, 20, 21, 22, span=A, after=A),
        span_end(1, 31), step(1, 3, 29, 30, 32, span=A),
        span_start(2, 41), span_end(2, 42), step(1, 4, 39, 40, 43, activated=[B]),
        step(1, 5, 50, 51, 52, "returned"),
    )  # fmt: skip
    assert visits(cold) == [
        (OWN_TRACE, 0, 0, 2, "waiting", 1),
        (1, 11, 9, 32, "waiting", 3),
        (2, 21, 39, 43, "waiting", 1),
        (OWN_TRACE, 0, 50, 52, "returned", 1),
    ]
    assert [said(s, "asyncio.step.index") for s in cold.steps] == [0, 1, 2, 3, 4, 5]


def test_a_step_for_two_traces_is_told_in_each() -> None:
    """With its exact times, marked as shared, and not in its own trace."""
    cold = Cold().feed(
        birth(1, 0), span_start(1, 1), span_start(2, 2), step(1, 0, 0, 1, 9, "returned", activated=[A, B])
    )  # fmt: skip
    assert placed(cold) == [(1, 0, 1, 9, True), (2, 0, 1, 9, True)]
    assert visits(cold) == [(1, 11, 0, 9, "returned", 1), (2, 21, 0, 9, "returned", 1)]
    assert cold.asked == []


def test_the_outermost_local_span_is_the_parent() -> None:
    """ASGI attaches the remote parent first, then its own span, then inner ones."""
    remote, local, inner = Identity(1, 90, is_remote=True), Identity(1, 91), Identity(1, 92)
    cold = Cold().feed(
        birth(1, 0), span_start(1, 2), span_start(1, 3),
        step(1, 0, 0, 1, 9, "returned", activated=[remote, local, inner]),
    )  # fmt: skip
    assert [(task.parent_id, task.parent_remote) for task in cold.tasks] == [(91, False)]


def test_a_remote_parent_stands_in_until_a_local_one_is_seen() -> None:
    """And stays where none ever is."""
    remote, local = Identity(1, 90, is_remote=True), Identity(1, 91)
    cold = Cold().feed(birth(1, 0), step(1, 0, 0, 1, 2, "returned", activated=[remote]))
    assert [(task.parent_id, task.parent_remote) for task in cold.tasks] == [(90, True)]
    cold = Cold().feed(
        birth(1, 0), step(1, 0, 0, 1, 2, activated=[remote], after=remote),
        span_start(1, 4), step(1, 1, 3, 3, 5, "returned", span=remote, activated=[local]),
    )  # fmt: skip
    assert [(task.parent_id, task.parent_remote) for task in cold.tasks] == [(91, False)]


def test_a_visit_left_behind_is_closed_after_half_a_second() -> None:
    """A suspended task whose step left no span current: the visit ends with that step."""
    cold = Cold().feed(birth(1, 0), span_start(1, 1), span_end(1, 2), step(1, 0, 0, 1, 3, activated=[A]))
    assert cold.tick(3 + SECOND // 2 - 1).tasks == []
    assert visits(cold.tick(3 + SECOND // 2)) == [(1, 11, 0, 3, "waiting", 1)]


def test_a_visit_is_kept_while_its_span_is_current() -> None:
    """However long the task waits."""
    cold = Cold().feed(birth(1, 0), span_start(1, 1), step(1, 0, 0, 1, 3, activated=[A], after=A))
    assert cold.tick(30 * SECOND).tasks == []
    cold.feed(step(1, 1, 30 * SECOND, 30 * SECOND, 30 * SECOND + 7, "returned", span=A))
    assert visits(cold) == [(1, 11, 0, 30 * SECOND + 7, "returned", 2)]


def test_a_stale_context_is_not_followed() -> None:
    """5 s after the last local span ended, an inherited context leads to the task's own trace, with a link."""
    inside, outside = 5 * SECOND - 1, 5 * SECOND
    for later, traces in ((inside, [1]), (outside, [1, OWN_TRACE])):
        cold = Cold().feed(
            span_start(1, 1), birth(1, 2, span=A), step(1, 0, 2, 3, 4, span=A, after=A), span_end(1, 10),
            step(1, 1, 10 + later, 10 + later, 11 + later, "returned", span=A, after=A),
        )  # fmt: skip
        assert [task.trace_id for task in cold.tasks] == traces
    created = cold.tasks[1]
    assert created.parent_id == 0
    assert [(link.trace_id, link.span_id, link.attributes) for link in created.links or ()] == [
        (1, 11, [("asyncio.link", "created_by")])
    ]


def test_an_open_span_keeps_a_trace_fresh() -> None:
    """Also another one than that which is current."""
    cold = Cold().feed(
        span_start(1, 1), span_start(1, 2), birth(1, 2, span=A), span_end(1, 10),
        step(1, 0, 3, 99 * SECOND, 99 * SECOND + 1, "returned", span=A),
    )  # fmt: skip
    assert [task.trace_id for task in cold.tasks] == [1]


def test_a_new_span_of_a_pool_worker_ends_its_stale_life() -> None:
    """A worker of a request long gone serves another one."""
    cold = Cold().feed(
        span_start(1, 1), birth(1, 2, span=A), span_end(1, 3),
        step(1, 0, 2, 9 * SECOND, 9 * SECOND + 1, span=A, after=A),
        span_start(2, 10 * SECOND), step(1, 1, 10 * SECOND, 10 * SECOND, 10 * SECOND + 9, span=A, activated=[B], after=B),
        step(1, 2, 11 * SECOND, 11 * SECOND, 11 * SECOND + 9, "returned", span=B),
    )  # fmt: skip
    assert [(v[0], v[1], v[5]) for v in visits(cold)] == [(OWN_TRACE, 0, 1), (2, 21, 2)]


def test_no_steps_of_its_own_no_span() -> None:
    """A task that never ran is not shown, destroyed or not."""
    assert Cold().feed(birth(1, 0), gone(1, 9)).feed(birth(2, 0), gone(2, 9, True)).finish(99).spans == []


def test_a_destroyed_task_says_so() -> None:
    """Waiting until it was freed."""
    cold = Cold().feed(birth(1, 0), step(1, 0, 0, 1, 2), gone(1, 50))
    assert visits(cold) == [(OWN_TRACE, 0, 0, 50, "destroyed", 1)]


def test_states() -> None:
    """As the task ended, with status ERROR and error.type for an exception only."""
    for state, failed in (("returned", False), ("raised", True), ("cancelled", False)):
        error = "ValueError" if failed else None
        cold = Cold().feed(birth(1, 0), step(1, 0, 0, 1, 2, state, error=error)).finish(3)
        assert (said(cold.tasks[0], "asyncio.task.state"), cold.tasks[0].error) == (state, failed)
        assert said(cold.tasks[0], "error.type") == error
        assert (cold.steps[0].error, said(cold.steps[0], "error.type")) == (failed, error)


def test_a_visit_whose_task_lives_on_says_what_it_was_left_in() -> None:
    """`ready` after a bare yield, else `waiting`."""
    for outcome, state in (("yielded", "ready"), ("suspended", "waiting")):
        cold = Cold().feed(
            birth(1, 0), step(1, 0, 0, 1, 2, outcome=outcome), span_start(1, 3), step(1, 1, 3, 3, 4, activated=[A])
        )  # fmt: skip
        assert said(cold.tasks[0], "asyncio.task.state") == state


def test_steps_off() -> None:
    """DETAIL=tasks: the sums without the steps."""
    cold = Cold(detail="tasks").feed(birth(1, 0), step(1, 0, 0, 1, 2), step(1, 1, 5, 6, 8, "returned"))
    assert visits(cold) == [(OWN_TRACE, 0, 0, 8, "returned", 2)]
    assert cold.steps == []


@pytest.mark.parametrize("creators", [[1], [1, 2]])
def test_an_eager_task_under_a_remote_span_that_its_creator_has_just_activated(creators: list[int]) -> None:
    """Its first step's record comes before that which tells of the activation."""
    remote = Identity(7, 70, is_remote=True)
    last = len(creators) + 1
    cold = Cold().feed(birth(1, 0))
    for task in creators:
        cold.feed(birth(task + 1, task, creator=task, creator_step=0, span=remote))
    for task in range(last, 1, -1):
        cold.feed(step(task, 0, task, task, 20 - task, "returned", span=remote, after=remote))
    cold.feed(step(1, 0, 0, 0, 30, "returned", activated=[remote], after=remote))
    assert {span.trace_id for span in cold.spans} == {7}
    assert {task.parent_id for task in cold.tasks} == {70}


def test_io_that_may_have_waited_to_be_noticed_keeps_its_span() -> None:
    """What is coalesced neither ran long nor was delayed: with what may have come before its look."""
    cold = Cold(Caps(16, 1_000, MS, 10 * MS)).feed(birth(1, 0))
    for index in range(30):
        start = index * 100 * MS
        waited = 5 * MS if index == 20 else 0
        cold.feed(step(1, index, start, start, start + 1, "returned" if index == 29 else None, kind=IO,
                       waker_step=waited))  # fmt: skip
    assert 20 in [said(span, "asyncio.step.index") for span in cold.steps if span.name.startswith("step ")]


@pytest.mark.parametrize("kind", ["told", "excluded", "eager"])
def test_a_trace_that_was_forgotten_is_not_joined_again(kind: str) -> None:
    """Whether its creator's steps are told, passed by, or not over yet."""
    stale, late = Identity(1, 11), 200 * SECOND
    pulse = Pulse(index=1_000, muted=True, excluded=True) if kind == "excluded" else Pulse(index=3)
    cold = Cold().feed(span_start(1, 0), span_end(1, SECOND), birth(1, 0, pulse=pulse))
    cold.feed(*(step(1, index, index, index, index + 1) for index in range(3)))
    cold.sweep(100 * SECOND).sweep(late)
    by = {"told": 2, "excluded": 999, "eager": 3}[kind]
    cold.feed(birth(2, late, "job", creator=1, creator_step=by, span=stale))
    cold.feed(step(2, 0, late, late + 1, late + 2, "returned", span=stale, after=stale))
    [job] = [task for task in cold.tasks if task.name == "task job"]
    assert job.trace_id >= OWN_TRACE
    assert [(link.trace_id, link.span_id) for link in job.links or ()] == [(1, 11)]
