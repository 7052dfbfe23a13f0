"""Under which span an own task span stands, and who is linked as the waker."""

from __future__ import annotations

import pytest

from loopscope.pipeline.spans.visit import Caps
from tests.records import MS, OWN_TRACE, SECOND, Cold, Identity, Pulse, birth, gone, said, span_end, span_start, step


def tree(cold: Cold) -> dict[str, str | None]:
    """Each task span's name, and its parent's."""
    names = {span.span_id: span.name for span in cold.tasks}
    return {span.name: names.get(span.parent_id) for span in cold.tasks}


def test_a_child_stands_under_its_creator() -> None:
    """In the creator's own trace; the creator is named too."""
    cold = Cold().feed(
        birth(1, 0, "parent"), birth(2, 2, "child", creator=1), step(1, 0, 0, 1, 3), step(2, 0, 2, 4, 5, "returned"),
        step(1, 1, 5, 6, 7, "returned"),
    )  # fmt: skip
    assert tree(cold) == {"task child": "task parent", "task parent": None}
    assert {span.trace_id for span in cold.spans} == {OWN_TRACE}
    child = cold.tasks[0]
    assert (said(child, "asyncio.task.creator.id"), said(child, "asyncio.task.creator.name")) == (1, "Task-1")
    assert cold.asked == [(OWN_TRACE, "task parent")]


def test_eager_children_come_before_their_creators_step() -> None:
    """Three deep, each finished in its creator's first step."""
    cold = Cold().feed(
        birth(1, 0, "a"), birth(2, 1, "b", creator=1), birth(3, 2, "c", creator=2),
        step(3, 0, 2, 2, 3, "returned"), step(2, 0, 1, 1, 4, "returned"), step(1, 0, 0, 0, 5, "returned"),
    )  # fmt: skip
    assert tree(cold) == {"task c": "task b", "task b": "task a", "task a": None}
    assert {span.trace_id for span in cold.spans} == {OWN_TRACE}


def test_a_creator_without_own_steps_is_a_parent_still() -> None:
    """Its steps went to a request, its child was created in none: it is told, empty, when it ends."""
    span = Identity(1, 11)
    cold = Cold().feed(
        birth(1, 7, "handler"), span_start(1, 8), birth(2, 9, "child", creator=1),
        step(2, 0, 9, 9, 9, "returned"), step(1, 0, 7, 8, 10, "returned", activated=[span]),
    )  # fmt: skip
    own = [task for task in cold.tasks if task.trace_id == OWN_TRACE]
    assert [(task.name, task.start, task.end) for task in own] == [("task child", 9, 9), ("task handler", 7, 7)]
    assert own[0].parent_id == own[1].span_id
    assert said(own[1], "asyncio.task.step.count") == 0


def test_such_a_creator_that_raises_says_what() -> None:
    """By the step that it did for the request."""
    span = Identity(1, 11)
    cold = Cold().feed(
        birth(1, 7, "handler"), span_start(1, 8), birth(2, 9, "child", creator=1),
        step(2, 0, 9, 9, 9, "returned"), step(1, 0, 7, 8, 10, "raised", error="ValueError", activated=[span]),
    ).finish(SECOND)  # fmt: skip
    own = [task for task in cold.tasks if task.trace_id == OWN_TRACE]
    assert (own[1].error, said(own[1], "error.type")) == (True, "ValueError")


def test_such_a_creator_is_told_at_the_end_of_all() -> None:
    """Also where nothing of it ended, three deep."""
    cold = Cold().feed(
        birth(1, 0, "a"), birth(2, 1, "b", creator=1), birth(3, 2, "c", creator=2), step(3, 0, 2, 2, 3, "returned")
    )  # fmt: skip
    assert tree(cold.finish(9)) == {"task c": "task b", "task b": "task a", "task a": None}


def test_an_excluded_creator_is_looked_through() -> None:
    """Neither it nor the loop's housekeeping gets a span for having children."""
    hidden = Pulse(muted=True, excluded=True)
    cold = Cold().feed(
        birth(1, 0, "main"), birth(2, 1, "hidden", creator=1, pulse=hidden), step(1, 0, 0, 0, 1),
        birth(3, 2, "hidden", creator=2, pulse=hidden), birth(4, 3, "child", creator=3),
        step(4, 0, 3, 3, 4, "returned"), gone(3, 5, True), gone(2, 5, True), step(1, 1, 6, 6, 7, "returned"),
        birth(5, 8, "hidden", pulse=hidden), birth(6, 9, "orphan", creator=5), step(6, 0, 9, 9, 10, "returned"),
    )  # fmt: skip
    assert tree(cold.finish(20)) == {"task child": "task main", "task main": None, "task orphan": None}


def test_a_long_line_of_creators_without_steps() -> None:
    """Steps lost in a flood, or a task that excludes itself and starts its like again."""
    for pulse in (None, Pulse(muted=True, excluded=True)):
        cold = Cold()
        for task in range(1, 5_001):
            cold.feed(birth(task, task, "again", creator=task - 1, pulse=pulse), gone(task - 1, task, True))
        cold.feed(birth(6_000, 6_000, "last", creator=5_000), step(6_000, 0, 6_000, 6_000, 6_001, "returned"))
        assert "task last" in tree(cold)
        assert len(cold.asked) == 1


def test_a_creator_that_ended_without_a_span_is_no_parent() -> None:
    """Nobody will write it: the child is a root."""
    cold = Cold().feed(
        birth(1, 0, "gone"), birth(2, 1, "child", creator=1), gone(1, 2), step(2, 0, 1, 3, 4, "returned")
    )  # fmt: skip
    assert tree(cold.finish(9)) == {"task child": None}


def test_a_child_created_as_its_creators_trace_grows_old() -> None:
    """The creator's step began in the old trace, the child was created in the new one: no parent of another trace."""
    late = 61 * SECOND
    cold = Cold().feed(
        birth(1, 0, "parent"), step(1, 0, 0, 1, 2), birth(2, late, "child", creator=1),
        step(1, 1, 3, 4, late + 1), step(2, 0, late, late + 2, late + 3, "returned"),
        step(1, 2, late + 4, late + 5, late + 6, "returned"),
    )  # fmt: skip
    ours = {(span.trace_id, span.span_id) for span in cold.tasks}
    assert [span.name for span in cold.tasks] == ["task child", "task parent", "task parent"]
    assert all((span.trace_id, span.parent_id) in ours for span in cold.tasks if span.parent_id)
    assert [span.trace_id - OWN_TRACE for span in cold.tasks] == [1, 0, 1]
    assert cold.tasks[0].parent_id == cold.tasks[2].span_id


def test_the_waker_is_named_and_linked() -> None:
    """The link leads to the waking step's span, in the same trace where it has several."""
    a, b = Identity(1, 11), Identity(2, 21)
    cold = Cold().feed(
        birth(1, 0, "waker"), birth(2, 0, "woken", span=b), span_start(1, 1), span_start(2, 1),
        step(1, 0, 0, 1, 5, activated=[a, b]), step(2, 0, 3, 6, 7, "returned", span=b, waker=1, waker_step=0, kind="task"),
    )  # fmt: skip
    woken = cold.steps[-1]
    inside = next(span for span in cold.steps if span.trace_id == 2 and span.name == "step waker")
    assert [(link.trace_id, link.span_id, link.attributes) for link in woken.links or ()] == [
        (2, inside.span_id, [("asyncio.link", "woken_by")])
    ]
    assert said(woken, "asyncio.step.waker.kind") == "task"
    assert said(woken, "asyncio.step.waker.name") == "waker"
    assert said(woken, "asyncio.step.waker.task") == "Task-1"


def test_a_creator_without_own_steps_stands_where_it_did_though_its_own_creator_rotated_first() -> None:
    """The stand-in of the old trace is written when the task moves on; its creator has moved already."""
    request = Identity(1, 11)
    cold = Cold(segment=SECOND)
    cold.feed(
        birth(1, 0, "main"), step(1, 0, 0, 0, 1), birth(2, 2, "handler", creator=1), span_start(1, 3),
        birth(3, 4, "background", creator=2), step(2, 0, 2, 3, 5, activated=[request], after=request),
        step(3, 0, 4, 6, 7),
        *(step(task, 1, late, late, late + 1) for task, late in ((1, 2 * SECOND), (3, 2 * SECOND + 9))),
    )  # fmt: skip
    for trace in (OWN_TRACE, OWN_TRACE + 1):
        names = {span.name: span for span in cold.finish(3 * SECOND).tasks if span.trace_id == trace}
        assert names["task background"].parent_id == names["task handler"].span_id
        assert names["task handler"].parent_id == names["task main"].span_id


def quiet_family(slow: int) -> Cold:
    """Under DETAIL=slow: `a` works for a request when it creates `b`; then each takes a step, of which b's may be slow."""
    request = Identity(1, 11)
    return Cold(detail="slow").feed(
        birth(1, 0, "top"), step(1, 0, 0, 0, 1), birth(2, 1, "a", creator=1), span_start(1, 2),
        birth(3, 3, "b", creator=2), step(2, 0, 1, 2, 4, activated=[request], after=request), step(3, 0, 3, 5, 6),
        span_end(1, 7), step(2, 1, 8, 8, 9, "returned"), step(3, 1, 10, 10, 11 + slow, "returned"),
        step(1, 1, 12 + slow, 12 + slow, 13 + slow, "returned"),
    )  # fmt: skip


def test_a_span_that_others_stand_under_is_not_told_for_that_alone() -> None:
    assert quiet_family(0).finish(SECOND).spans == []


def test_what_is_told_stands_under_what_is_told() -> None:
    cold = quiet_family(SECOND).finish(5 * SECOND)
    told = {span.span_id for span in cold.tasks}
    assert [task.name for task in cold.tasks if task.trace_id != 1] != []
    assert all(task.parent_id in told | {0} for task in cold.tasks if task.trace_id != 1)


@pytest.mark.parametrize("since", ["nothing", "a step of its own", "another request"])
def test_what_is_told_does_not_stand_under_what_was_not(since: str) -> None:
    """Under DETAIL=slow: a connection's handler has silent task spans, in its own trace and in requests."""
    request, other = Identity(1, 11), Identity(2, 21)
    cold = Cold(detail="slow").feed(
        birth(1, 0, "handler"), step(1, 0, 0, 1, 2), birth(2, 3, "child", creator=1), step(2, 0, 3, 4, 5),
        span_start(1, 6), step(1, 1, 6, 6, 7, activated=[request], after=request), span_end(1, 8),
        step(1, 2, 9, 9, 10, span=request),
    )  # fmt: skip
    if since != "nothing":
        cold.feed(step(1, 3, 20, 20, 21))
    if since == "another request":
        cold.feed(span_start(2, 30), step(1, 4, 30, 30, 31, activated=[other], after=other), span_end(2, 32))
    cold.tick(SECOND).feed(step(2, 1, 2 * SECOND, 2 * SECOND, 3 * SECOND, "returned")).finish(4 * SECOND)
    [child] = [task for task in cold.tasks if task.name == "task child"]
    assert child.parent_id in {0, *(task.span_id for task in cold.tasks)}


def test_what_is_over_waits_no_more_though_its_trace_has_no_room() -> None:
    request = Identity(1, 11)
    cold = Cold(detail="slow", caps=Caps(2_000, 100, 10 * SECOND, 10 * SECOND)).feed(span_start(1, 0))
    for task in range(1, 121):
        cold.feed(birth(task, task, span=request), step(task, 0, task, task, task + 1, span=request, after=request))
    for task in range(1, 121):
        late = 1_000 + task
        cold.feed(step(task, 1, late, late, late + 1, "returned", span=request, after=request))
    assert cold.spans == [] and cold.tracer._quiet.waiting == 0


@pytest.mark.parametrize("left", [0, 5])
def test_who_others_stand_under_gets_the_room_that_there_is_by_then(left: int) -> None:
    """Its trace was full as its span was opened. Where it is still, they stand under nobody."""
    cold = Cold(Caps(2_000, 8, MS, 10 * MS)).feed(birth(1, 0, "main"), step(1, 0, 0, 1, 2))
    trace = cold.assembler.lives[1].notes.home
    trace.spans = 8
    cold.feed(birth(2, 3, "full", creator=1), step(2, 0, 3, 4, 5))
    trace.spans -= left
    cold.feed(birth(3, 6, "fails", creator=2), step(3, 0, 6, 7, 8, "raised", error="ValueError"))
    cold.finish(9)
    told = {span.name: span for span in cold.tasks}
    assert ("task full" in told, "task fails" in told) == (left > 0, left > 0)
    if left:
        assert told["task fails"].parent_id == told["task full"].span_id
