"""Spans become a Timeline: tasks of all their spans, steps once, edges, what others did, and what is missing."""

from __future__ import annotations

import random
from typing import Any

import pytest

from loopscope import conventions as c
from loopscope.recording.assembly import assemble
from loopscope.recording.spans import Event, Link, Span, Spans
from loopscope.recording.timeline import CREATED_BY, DELAYED_BY, WOKEN_BY, Delay, Edge, Stall, Timeline
from tests.views.made import MS, TRACE, at, link, old_jaeger, span, step, step_id, task
from tests.views.seed import seed

PROCESS = "shop/7/here"
OTHER = "cd" * 16


def made(*spans: Span) -> Timeline:
    """Their Timeline."""
    return assemble(Spans(list(spans)))


def key(id: int) -> tuple[str, int]:
    """A task of the usual process."""
    return PROCESS, id


def edges(timeline: Timeline, kind: str) -> list[str]:
    """`task step < task step`, later first."""
    return [
        f"{edge.later[0][1]} {edge.later[1]} < {edge.earlier[0][1]} {edge.earlier[1]}"
        for edge in timeline.edges
        if edge.kind == kind
    ]


def test_seed() -> None:
    timeline = made(*seed())
    assert timeline.missing == [] and timeline.trace_ids == [TRACE] and list(timeline.processes) == [PROCESS]
    assert [(t.key[1], t.name, t.qualname, t.state, t.steps, t.creator) for t in timeline.tasks.values()] == [
        (1, "Task-1", "main", "returned", 3, 0),
        (2, "Task-2", "model_gen", "returned", 3, 1),
        (3, "Task-3", "model_gen", "returned", 3, 1),
    ]
    order = [(step.task[1], step.index) for step in timeline.steps]
    assert order == [(1, 0), (2, 0), (3, 0), (3, 1), (2, 1), (3, 2), (1, 1), (2, 2), (1, 2)]
    assert edges(timeline, WOKEN_BY) == ["2 0 < 1 0", "3 0 < 1 0", "1 1 < 3 2", "1 2 < 2 2"]
    assert edges(timeline, CREATED_BY) == ["2 0 < 1 0", "3 0 < 1 0"]
    first = timeline.steps[2]
    assert (first.ready, first.start, first.ready_duration, first.running) == (at(15), at(30), 15 * MS, 10 * MS)
    assert (first.waker_kind, first.waker_task, first.place) == ("start", "Task-1", "/demo/seed.py:5")
    assert [(line.text, line.task, line.index) for line in timeline.printed][3:5] == [
        ("enter task1", key(2), 0),
        ("enter task2", key(3), 0),
    ]
    assert (timeline.start, timeline.end) == (at(0), at(8070))


def test_order_and_repetition_do_not_matter() -> None:
    spans = seed() * 2
    expected = made(*seed())
    for number in range(10):
        random.Random(number).shuffle(spans)
        assert made(*spans) == expected


def test_of_two_copies_the_fuller_counts() -> None:
    """A backend may hold a span twice, once without what came with it."""
    whole = task(1, "main", 0, 5, 0)
    bare = span(whole.name, 0, 5, {c.TASK_ID: 1}, id=whole.span_id)
    assert made(whole, bare) == made(bare, whole) == made(whole)


def test_segments_are_one_task() -> None:
    timeline = made(
        task(1, "worker", 0, 60, 1, running=10, state="waiting"),
        task(1, "worker", 60, 100, 1, running=5, ready=5, state="cancelled", id="2" * 16),
        step(1, "worker", 0, 0, 10),
        step(1, "worker", 1, 80, 85, 5, parent="2" * 16),
    )
    (only,) = timeline.tasks.values()
    assert (only.start, only.end, only.state, only.steps) == (at(0), at(100), "cancelled", 2)
    assert (only.running, only.ready, only.waiting) == (15 * MS, 5 * MS, 80 * MS)
    assert only.visits == [(at(0), at(60)), (at(60), at(100))]
    assert timeline.missing == []


def test_a_shared_step_counts_once() -> None:
    shared = {c.STEP_SHARED: True}
    printed = [Event(c.PRINTED, at(5), {c.PRINTED_TEXT: "hello"})]
    timeline = made(
        task(1, "handle", 0, 30, 2, running=20, ready=1),
        step(1, "handle", 0, 0, 10, said=shared, events=printed),
        step(1, "handle", 1, 20, 30, 1, said=shared),
        task(1, "handle", 0, 30, 2, running=20, ready=1, trace=OTHER, id="3" * 16),
        step(1, "handle", 0, 0, 10, said=shared, trace=OTHER, parent="3" * 16, id="4" * 16, events=printed),
        step(1, "handle", 1, 20, 30, 1, said=shared, trace=OTHER, parent="3" * 16, id="5" * 16,
             events=[Event(c.STALL, at(25), {c.STALL_CAUSE: "python", c.STALL_HELD: 0.005, c.CODE_STACKTRACE: "x"})]),
        step(2, "woken", 0, 40, 50, parent="6" * 16, links=[Link(OTHER, "5" * 16, {c.LINK: c.WOKEN_BY})]),
        task(2, "woken", 31, 50, 1, running=10, id="6" * 16),
    )  # fmt: skip
    one = timeline.tasks[key(1)]
    assert (one.steps, one.running, one.ready, one.waiting) == (2, 20 * MS, 1 * MS, 9 * MS)
    assert [(step.task[1], step.index) for step in timeline.steps] == [(1, 0), (1, 1), (2, 0)]
    assert timeline.steps[1].stalls == [Stall(at(25), "python", 5 * MS, "x")]
    assert Edge(WOKEN_BY, (key(1), 1), (key(2), 0)) in timeline.edges
    assert set(timeline.trace_ids) == {TRACE, OTHER} and timeline.missing == []
    assert [(line.text, line.stream) for line in timeline.printed] == [("hello", "stdout")]


def test_coalesced_steps() -> None:
    said = {c.STEP_INDEX: 1, c.STEP_COUNT: 500, c.STEP_RUNNING: 0.02, c.STEP_READY: 0.003, c.TASK_NAME: "Task-1"}
    timeline = made(
        task(1, "poll", 0, 1000, 502, running=40),
        step(1, "poll", 0, 0, 10),
        span("steps poll", 20, 900, said, parent=f"{1:016x}"),
        step(1, "poll", 501, 990, 1000),
        span("ready poll", 985, 990, {c.TASK_NAME: "Task-1"}, parent=f"{1:016x}"),
        span("wait asyncio.sleep", 900, 985, {c.TASK_NAME: "Task-1"}, parent=f"{1:016x}"),
    )
    many = timeline.steps[1]
    assert (many.count, many.running, many.ready_duration, many.outcome) == (500, 20 * MS, 3 * MS, "coalesced")
    assert (len(timeline.steps), timeline.foreign, timeline.missing) == (3, [], [])


def test_a_coalesced_step_that_stands_alone_in_another_trace() -> None:
    """It counts once, and links to it lead to those that it was coalesced with."""
    said = {c.STEP_INDEX: 1, c.STEP_COUNT: 50, c.STEP_RUNNING: 0.02, c.STEP_READY: 0.0, c.TASK_NAME: "Task-1"}
    timeline = made(
        task(1, "poll", 0, 100, 51, running=30),
        step(1, "poll", 0, 0, 10),
        span("steps poll", 20, 100, said, parent=f"{1:016x}"),
        task(1, "poll", 30, 35, 1, running=5, trace=OTHER, id="3" * 16),
        step(1, "poll", 7, 30, 35, trace=OTHER, parent="3" * 16, id="4" * 16),
        task(2, "woken", 30, 60, 1, running=10),
        step(2, "woken", 0, 50, 60, 16, links=[Link(OTHER, "4" * 16, {c.LINK: c.WOKEN_BY})]),
    )
    one = timeline.tasks[key(1)]
    assert (one.steps, one.running, [step.count for step in timeline.steps]) == (51, 30 * MS, [1, 50, 1])
    assert edges(timeline, WOKEN_BY) == ["2 0 < 1 1"] and timeline.missing == []


def test_creators_are_found_around_other_steps() -> None:
    """An eager child's first step ran inside of the creator's, which then created another task."""
    timeline = made(
        task(1, "outer", 0, 100, 1), step(1, "outer", 0, 0, 100),
        task(2, "inner", 40, 60, 1, said={c.TASK_CREATOR_ID: 1}), step(2, "inner", 0, 40, 60),
        task(3, "later", 80, 120, 1, said={c.TASK_CREATOR_ID: 1}), step(3, "later", 0, 110, 120),
    )  # fmt: skip
    assert edges(timeline, CREATED_BY) == ["2 0 < 1 0", "3 0 < 1 0"]


def test_foreign_spans_where_two_threads_run() -> None:
    """Of two steps that run then, the one that works for the span's trace, or the one on the thread that it names."""
    spans = [
        task(1, "here", 0, 50, 1), step(1, "here", 0, 0, 50),
        task(2, "there", 0, 50, 1, trace=OTHER), step(2, "there", 0, 0, 50, trace=OTHER, said={c.THREAD_ID: 2}),
    ]  # fmt: skip
    hosts = [
        made(*spans, span("x", 5, 6, said, scope="o", trace=trace)).foreign[0].task
        for trace, said in ((TRACE, {}), (OTHER, {}), ("ef" * 16, {}), (TRACE, {c.THREAD_ID: 2}))
    ]
    assert hosts == [key(1), key(2), None, key(2)]


def test_delays_and_details() -> None:
    said = {
        c.STEP_WAKER_KIND: "io", c.DELAYED_BY_NAME: "parse", c.DELAYED_BY_TASK: "Task-1", c.DELAYED_BY_DURATION: 0.018,
        c.DELAYED_BY_COUNT: 3, c.DELAYED_BY_FUNCTION: "loads", c.DELAYED_BY_PLACE: "/a/b.py:3", c.STEP_UNPOLLED: 0.002,
        c.WAIT_QUEUE_SIZE: 4, c.WAIT_PLACE: "/a/c.py:9",
    }  # fmt: skip
    timeline = made(
        task(1, "parse", 0, 20, 1, running=20),
        step(1, "parse", 0, 0, 20, said={c.DELAYED_COUNT: 2, c.DELAYED_DURATION: 0.03}),
        task(2, "victim", 0, 30, 1, running=10, ready=18),
        step(2, "victim", 0, 20, 30, 18, said=said, links=[link(c.DELAYED_BY, 1, 0)]),
    )
    culprit, victim = timeline.steps
    assert (culprit.delayed_count, culprit.delayed_duration) == (2, 30 * MS)
    assert victim.delay == Delay("parse", 18 * MS, "Task-1", 3, "loads", "/a/b.py:3")
    assert (victim.unpolled, victim.details) == (2 * MS, {c.WAIT_QUEUE_SIZE: "4", c.WAIT_PLACE: "/a/c.py:9"})
    assert edges(timeline, DELAYED_BY) == ["2 0 < 1 0"]


def test_edges_where_a_backend_dropped_what_links_say() -> None:
    from loopscope.recording import documents

    spans = [
        *seed(),
        task(4, "victim", 4045, 4070, 1, running=5, ready=5),
        step(4, "victim", 0, 4060, 4065, 12, links=[link(c.DELAYED_BY, 3, 2)],
             said={c.DELAYED_BY_NAME: "model_gen", c.DELAYED_BY_TASK: "Task-3", c.DELAYED_BY_DURATION: 0.01}),
    ]  # fmt: skip
    whole = made(*spans)
    assert edges(whole, DELAYED_BY) == ["4 0 < 3 2"]
    without = assemble(documents.read(old_jaeger(spans)))
    assert without.edges == whole.edges
    unlinked = [span("x", 0, 1)] and [
        Span(**{**{name: getattr(one, name) for name in Span.__slots__}, "links": ()}) for one in seed()
    ]
    assert edges(made(*unlinked), WOKEN_BY) == ["2 0 < 1 0", "3 0 < 1 0", "1 1 < 3 2", "1 2 < 2 2"]


def test_foreign_spans() -> None:
    database = {"scope": "db", "kind": "CLIENT"}
    timeline = made(
        span("GET /users", 1, 90, kind="SERVER", scope="asgi", id="a" * 16),
        task(1, "handle", 0, 95, 2, running=20),
        step(1, "handle", 0, 0, 10),
        step(1, "handle", 1, 80, 95),
        span("SELECT", 2, 70, parent="a" * 16, **database, status="ERROR", message="no such table"),
        span("COMMIT", 50, 60, parent="a" * 16, **database),
        span("elsewhere", 40, 50, scope="other", resource={"service.name": "billing"}, parent="a" * 16),
        span("executor resize", 5, 50, {c.TASK_ID: 1, c.THREAD_ID: 9, c.THREAD_NAME: "pool_0", c.EXECUTOR_QUEUE: 0.004},
             parent=f"{1:016x}"),
    )  # fmt: skip
    told = {(one.name, one.kind): one.task for one in timeline.foreign}
    assert told == {
        ("GET /users", "server"): key(1),
        ("SELECT", "client"): key(1),
        ("COMMIT", "client"): key(1),  # it begins in no step, but stands under what does
        ("elsewhere", "internal"): None,
        ("resize", "executor"): key(1),
    }
    run = next(one for one in timeline.foreign if one.kind == "executor")
    assert (run.thread, run.thread_name, run.queued) == (9, "pool_0", 4 * MS)
    assert next(one for one in timeline.foreign if one.name == "SELECT").error == "no such table"


@pytest.mark.parametrize(
    ("spans", "told"),
    [
        ([task(1, "a", 0, 5, 1, parent="9" * 16), step(1, "a", 0, 0, 5)], "1 task span under a span that is not here"),
        ([task(1, "a", 0, 5, 3), step(1, "a", 0, 0, 5)], "2 of 3 steps have no span, in 1 task"),
        ([task(1, "a", 0, 5, 3)], "no step has a span (3 steps)"),
        (
            [task(1, "a", 0, 5, 9, said={c.DETAIL_LEVEL: 2}), task(2, "b", 0, 5, 1), step(2, "b", 0, 0, 5)],
            "1 quick task without steps: more spans came than MAX_SPANS_PER_SECOND",
        ),
        (
            [task(1, "a", 0, 5, 9, said={c.DETAIL_LEVEL: 1}), task(2, "b", 0, 5, 1), step(2, "b", 0, 0, 5)],
            "9 of 10 steps have no span, in 1 task",
        ),
        ([task(1, "a", 0, 5, 1, said={c.TASK_SPANS_DROPPED: 4}), step(1, "a", 0, 0, 5)], "4 spans dropped"),
        ([task(1, "a", 0, 5, 1, said={c.TASK_STEP_MISSING: 1}), step(1, "a", 0, 0, 5)], "1 step went unrecorded"),
        ([step(1, "a", 0, 0, 5)], "1 task can be told from steps alone"),
        ([task(1, "a", 5, 0, 1), step(1, "a", 0, 5, 5)], "1 span end before they begin"),
        ([task(1, "a", 0, 5, 0, said={c.TASK_ID: "one"})], "1 task span without asyncio.task.id"),
        ([task(1, "a", 0, 5, 0), span("step a", -2e12, 1, {c.STEP_INDEX: 0})], "1 span left out"),
        ([task(1, "a", 0, 5, 0), task(1, "b", 0, 5, 0, id="8" * 16)], "several processes sent spans under one"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(spans: list[Span], told: str) -> None:
    (said,) = made(*spans).missing
    assert said.startswith(told)


@pytest.mark.parametrize(("start", "said"), [(3, True), (5, False)])
def test_a_task_of_several_traces_without_steps(start: float, said: bool) -> None:
    """Recorded with DETAIL=tasks: nobody can say what a step did for two traces at once."""
    told = made(task(1, "a", 0, 5, 2), task(1, "a", start, 9, 2, id="7" * 16, trace="b" * 32)).missing
    assert [one for one in told if one.startswith("1 task worked for several traces at once")] == told[1 : 1 + said]
    assert len(told) == 1 + said


def test_steps_without_their_task_span() -> None:
    """They stay one task; where another span of that task is there, they are its steps."""
    cut = [step(1, "a", 0, 0, 5), step(1, "a", 1, 20, 25, 5), step(2, "b", 0, 6, 8)]
    timeline = made(*cut)
    assert [(t.name, t.qualname, t.state, t.steps) for t in timeline.tasks.values()] == [
        ("Task-1", "a", "", 2),
        ("Task-2", "b", "", 1),
    ]
    one = timeline.tasks[timeline.steps[0].task]
    assert (one.running, one.ready, one.waiting) == (10 * MS, 5 * MS, 10 * MS)
    timeline = made(*cut, task(1, "a", 30, 40, 0, id="7" * 16))
    assert [(t.key[1], t.steps, t.start) for t in timeline.tasks.values() if t.qualname == "a"] == [(1, 2, at(0))]


def test_a_backend_may_forget_the_scope() -> None:
    spans = [span(one.name, 0, 5, one.attributes, id=one.span_id, parent=one.parent_id, scope="") for one in seed()]
    timeline = made(*spans, span("task of others", 0, 5, scope=""))
    assert (len(timeline.tasks), len(timeline.steps), [one.name for one in timeline.foreign]) == (
        3, 9, ["task of others"],
    )  # fmt: skip


def test_processes_are_told_apart() -> None:
    other = {"service.name": "shop", "process.pid": 8, "host.name": "here"}
    timeline = made(
        task(1, "main", 0, 5, 0), task(1, "main", 0, 5, 0, id="8" * 16, resource=other), span("x", 0, 1, scope="o")
    )
    assert sorted(timeline.tasks) == [("shop/7/here", 1), ("shop/8/here", 1)]
    assert {process.pid for process in timeline.processes.values()} == {7, 8}


def test_mixed_processes_do_not_eat_each_others_steps() -> None:
    """Two forks with one identity: both have a task 1 and a step 0 of it."""
    timeline = made(
        task(1, "main", 0, 5, 1), step(1, "main", 0, 0, 5),
        task(1, "main", 100, 105, 1, id="8" * 16), step(1, "main", 0, 100, 105, parent="8" * 16, id="9" * 16),
    )  # fmt: skip
    assert len(timeline.steps) == 2 and timeline.missing[0].startswith("several processes")


@pytest.mark.parametrize("wrong", ["text", -1.5, float("nan"), float("inf"), True, None, [1], {"a": 1}, 1 << 80])
def test_values_of_wrong_types(wrong: Any) -> None:
    """Any attribute may be anything; what can be told is told."""
    names = [name for name in vars(c) if name.isupper() and isinstance(getattr(c, name), str)]
    said = {getattr(c, name): wrong for name in names if "." in getattr(c, name)}
    events = [Event(c.STALL, at(1), said), Event(c.PRINTED, at(1), said)]
    timeline = made(
        task(1, "a", 0, 10, 1, said=said),
        step(1, "a", 0, 0, 5, said=said, events=events, links=[Link(TRACE, step_id(1, 1), said)]),
        step(1, "a", 1, 5, 8),
        span("executor x", 0, 5, said, parent=f"{1:016x}"),
        span("steps a", 0, 5, said, parent="7" * 16),
    )
    assert len(timeline.tasks) in (1, 2)  # what has no task span may be of the task that has the same wrong name
    assert len(timeline.steps) == 3 and len(timeline.foreign) == 1
    for one in timeline.tasks.values():
        assert one.start <= one.end and min(one.running, one.ready, one.waiting) >= 0
