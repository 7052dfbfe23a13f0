"""Long lives are told while they last: segments, rotation of own traces."""

from __future__ import annotations

import pytest

from loopscope.model import REQUEST, UNTOLD, CancelRequest
from loopscope.pipeline.spans.span import Span
from loopscope.pipeline.spans.visit import Caps
from tests.records import (
    OWN_TRACE,
    SECOND,
    Cold,
    Identity,
    Pulse,
    adds_up,
    birth,
    nanoseconds,
    said,
    span_end,
    span_start,
    step,
)

A = Identity(1, 11)


def told(cold: Cold) -> list[tuple[object, ...]]:
    """(trace, start, end in seconds, state, steps) of each task span, and that it adds up."""
    assert all(adds_up(task) for task in cold.tasks)
    return [
        (task.trace_id, task.start // SECOND, task.end // SECOND, said(task, "asyncio.task.state"),
         said(task, "asyncio.task.step.count"))
        for task in cold.tasks
    ]  # fmt: skip


def previous(span: Span) -> list[tuple[int, int]]:
    """Where the `previous_segment` links of a span lead."""
    return [
        (link.trace_id, link.span_id)
        for link in span.links or ()
        if ("asyncio.link", "previous_segment") in link.attributes
    ]


def in_request(pulse: Pulse | None = None, end: int = 2) -> Cold:
    """A task in a request's span that stays open; one step."""
    pulse = pulse or Pulse(index=1)
    return Cold().feed(
        span_start(1, 0), birth(1, 0, span=A, pulse=pulse), step(1, 0, 0, 1, end, span=A, after=A)
    )  # fmt: skip


def test_a_stuck_task_is_told_again_and_again() -> None:
    """At 60, 120, 240, 480 s …, at last every hour, each segment linked to the one before."""
    cold = in_request()
    for second in range(0, 4 * 3600, 5):
        cold.sweep(second * SECOND)
    ends = [60, 120, 240, 480, 960, 1920, 3840, 7440, 11040]
    starts = [0, *ends]
    assert told(cold) == [(1, start, end, "waiting", int(not start)) for start, end in zip(starts, ends, strict=False)]
    for one, other in zip(cold.tasks, cold.tasks[1:], strict=False):
        assert previous(other) == [(1, one.span_id)]
        assert other.parent_id == 11
    assert [said(task, "asyncio.task.awaiting") for task in cold.tasks] == ["asyncio.sleep"] * len(ends)


def test_a_request_that_a_task_survived_is_not_told_while_another_stands() -> None:
    """Which was not seen; the first one was taken back."""
    pulse = Pulse(index=1, cancels=1)
    cold = in_request(pulse).feed((REQUEST, 1, 1, 3 * SECOND, CancelRequest("stop", None, 0, None), 0))
    cold.sweep(60 * SECOND)
    pulse.uncancelled = 2
    cold.sweep(120 * SECOND)
    assert [said(task, "asyncio.task.cancel.requested_by") for task in cold.tasks] == ["stop", None]


def test_what_waits_when_all_ends() -> None:
    """For what is told then, as at the end of a segment."""
    cold = in_request(pulse := Pulse(index=1)).finish(5 * SECOND)
    assert (said(cold.tasks[0], "asyncio.task.state"), said(cold.tasks[0], "asyncio.task.awaiting")) == (
        "waiting",
        "asyncio.sleep",
    )
    cold = in_request(pulse)
    pulse.ready = 4 * SECOND
    cold.finish(5 * SECOND)
    assert (said(cold.tasks[0], "asyncio.task.state"), said(cold.tasks[0], "asyncio.task.awaiting")) == ("ready", None)


def test_a_process_that_lives_on_after_its_end() -> None:
    """As one does whose signal is blocked, or that is a container's first: the task is the one that it was."""
    cold = in_request(Pulse(index=1)).finish(5 * SECOND)
    cold.feed(step(1, 1, 6 * SECOND, 6 * SECOND, 7 * SECOND, span=A, after=A)).finish(8 * SECOND)
    before, after = cold.tasks
    assert (said(after, "asyncio.task.id"), said(after, "asyncio.task.seen_late"), after.name) == (1, None, before.name)
    assert set(cold.assembler.lives) == {1}


def test_a_step_starts_the_count_anew() -> None:
    """Told at 60 and 120; a step at 130 s ends the silence: told again at 180."""
    cold = in_request(pulse := Pulse(index=1))
    for second in range(0, 130, 5):
        cold.sweep(second * SECOND)
    pulse.index = 2
    cold.feed(step(1, 1, 130 * SECOND, 130 * SECOND, 130 * SECOND + 1, span=A, after=A))
    for second in range(135, 260, 5):
        cold.sweep(second * SECOND)
    assert told(cold) == [(1, 0, 60, "waiting", 1), (1, 60, 120, "waiting", 0), (1, 120, 180, "waiting", 1),
                          (1, 180, 240, "waiting", 0)]  # fmt: skip


@pytest.mark.parametrize(
    ("pulse", "state", "end"),
    [(Pulse(index=1), "waiting", 61), (Pulse(index=1, ready=40 * SECOND), "ready", 40),
     (Pulse(index=1, started=50 * SECOND), "running", 50)],
)  # fmt: skip
def test_a_segment_says_what_the_task_is_doing(pulse: Pulse, state: str, end: int) -> None:
    """And ends where that began, so that no step is cut in two; the next begins there."""
    cold = in_request(pulse).sweep(61 * SECOND)
    assert told(cold) == [(1, 0, end, state, 1)]
    since = pulse.ready or pulse.started or 70 * SECOND
    cold.feed(step(1, 1, since, since, 80 * SECOND, "returned", span=A))
    assert told(cold)[1] == (1, end, 80, "returned", 1)
    assert cold.steps[-1].start >= cold.tasks[-1].start
    assert nanoseconds(cold.tasks[-1], "asyncio.task.running.duration") == 80 * SECOND - since


def test_records_on_their_way_are_not_cut_off() -> None:
    """Capture is two steps ahead: the segment ends with the last step that is known, and theirs count whole."""
    now = 61 * SECOND
    pulse = Pulse(index=3, ready=now + 9)
    cold = in_request(pulse, end=5 * SECOND).sweep(now)
    assert told(cold) == [(1, 0, 5, "waiting", 1)]
    cold.feed(
        step(1, 1, 60 * SECOND, 60 * SECOND, 60 * SECOND + 7, span=A, after=A),
        step(1, 2, now, now, now + 5, "returned", span=A),
    )  # fmt: skip
    assert told(cold)[1:] == [(1, 5, 61, "returned", 2)]
    assert nanoseconds(cold.tasks[1], "asyncio.task.running.duration") == 12


def test_nor_off_one_of_two_visits() -> None:
    """The step on its way works for both."""
    b = Identity(2, 21)
    pulse, late = Pulse(index=2, ready=61 * SECOND), 60 * SECOND
    cold = Cold().feed(
        span_start(1, 0), span_start(2, 0), birth(1, 0, pulse=pulse), step(1, 0, 0, 1, 2, activated=[b, A], after=A)
    )  # fmt: skip
    for visit in cold.tracer.kin.lives[1].notes.visits:
        visit.left = 0  # not half a second ago
    cold.sweep(61 * SECOND).feed(step(1, 1, late, late, 61 * SECOND, "returned", span=A, activated=[b]))
    ours = {span.span_id: span for span in cold.tasks}
    assert sorted(span.trace_id for span in cold.tasks) == [1, 1, 2, 2]
    assert all(ours[one.parent_id].start <= one.start <= one.end <= ours[one.parent_id].end for one in cold.steps)


def test_a_stuck_task_whose_last_record_was_lost_is_told() -> None:
    """The records never come: by the next sweep that is known."""
    cold = in_request(Pulse(index=2)).sweep(61 * SECOND).sweep(66 * SECOND).sweep(130 * SECOND)
    assert told(cold) == [(1, 0, 0, "waiting", 1), (1, 0, 66, "waiting", 0)]


def test_a_running_task_is_not_told_as_waiting() -> None:
    """A step that never ends: what came before is told once, as running."""
    cold = in_request(Pulse(index=1, started=10 * SECOND))
    for second in range(0, 600, 5):
        cold.sweep(second * SECOND)
    assert told(cold) == [(1, 0, 10, "running", 1)]


def own_pair() -> tuple[Cold, list[Pulse]]:
    """Two tasks that share an own trace, one step each at 0."""
    pulses = [Pulse(index=1), Pulse(index=1)]
    cold = Cold().feed(
        birth(1, 0, "parent", pulse=pulses[0]), step(1, 0, 0, 1, 2), birth(2, 3, "child", creator=1, pulse=pulses[1]),
        step(2, 0, 3, 4, 5),
    )  # fmt: skip
    return cold, pulses


def test_an_own_trace_rotates_at_the_next_step() -> None:
    """Each task moves at its own: a new trace id for both, linked to the segment before; the sampler asked once."""
    cold, _ = own_pair()
    later = 70 * SECOND
    cold.feed(step(2, 1, later, later, later + 5), step(1, 1, later, later + 5, later + 9))
    cold.feed(
        step(2, 2, later, later + 9, later + 11, "returned"), step(1, 2, later, later + 11, later + 19, "returned")
    )
    assert told(cold) == [
        (OWN_TRACE, 0, 70, "waiting", 1), (OWN_TRACE, 0, 70, "waiting", 1),
        (OWN_TRACE + 1, 70, 70, "returned", 2), (OWN_TRACE + 1, 70, 70, "returned", 2),
    ]  # fmt: skip
    assert [said(span, "asyncio.task.awaiting") for span in cold.tasks[:2]] == ["asyncio.sleep"] * 2
    assert [span.end for span in cold.tasks[:2]] == [span.start for span in cold.tasks[2:]]
    old = {span.name: span.span_id for span in cold.tasks[:2]}
    new = {span.name: span for span in cold.tasks[2:]}
    for name, span in new.items():
        assert previous(span) == [(OWN_TRACE, old[name])]
    assert new["task child"].parent_id == new["task parent"].span_id
    assert new["task parent"].parent_id == 0
    assert [trace for trace, _ in cold.asked] == [OWN_TRACE, OWN_TRACE + 1]


def test_an_own_trace_rotates_with_a_segment() -> None:
    """A task that takes no step moves when it is told."""
    cold, _ = own_pair()
    for second in range(0, 125, 5):
        cold.sweep(second * SECOND)
    cold.finish(130 * SECOND)
    assert [(span.name, *line) for span, line in zip(cold.tasks, told(cold), strict=True)] == [
        ("task parent", OWN_TRACE, 0, 60, "waiting", 1),
        ("task child", OWN_TRACE, 0, 65, "waiting", 1),
        ("task parent", OWN_TRACE + 1, 60, 120, "waiting", 0),
        ("task child", OWN_TRACE + 1, 65, 130, "waiting", 0),
        ("task parent", OWN_TRACE + 2, 120, 130, "waiting", 0),
    ]
    assert cold.tasks[3].parent_id == cold.tasks[2].span_id
    assert len([span for span in cold.tasks if previous(span)]) == 3


def test_segments_leave_nothing_out_where_the_trace_rotates_meanwhile() -> None:
    """The child moves first, and takes the parent's next span with it: the parent has waited all the time."""
    cold, pulses = own_pair()
    for second in range(0, 65, 5):
        cold.sweep(second * SECOND)
    pulses[1].index = 2
    cold.feed(step(2, 1, 70 * SECOND, 70 * SECOND, 75 * SECOND, "returned"))
    cold.feed(step(1, 1, 75 * SECOND, 76 * SECOND, 80 * SECOND, "returned"))
    parents = [span for span in cold.tasks if span.name == "task parent"]
    assert [(span.start, span.end) for span in parents] == [(0, 60 * SECOND), (60 * SECOND, 80 * SECOND)]
    assert nanoseconds(parents[1], "asyncio.task.waiting.duration") == 15 * SECOND
    children = [span for span in cold.tasks if span.name == "task child"]
    assert [(span.start, span.end) for span in children] == [(3, 70 * SECOND), (70 * SECOND, 75 * SECOND)]


def test_segments_of_one_that_moves_with_others_are_in_order() -> None:
    """Though it was told up to that moment already: it is in a step that runs another loop, say."""
    cold, pulses = own_pair()
    pulses[0].started = 50 * SECOND
    for index, second in enumerate((61, 130, 200), 1):
        pulses[1].index = index + 1
        cold.feed(step(2, index, second * SECOND, second * SECOND, second * SECOND + 1))
    cold.feed(step(1, 1, 50 * SECOND, 50 * SECOND, 210 * SECOND, "returned")).finish(220 * SECOND)
    for name in ("task parent", "task child"):
        spans = sorted((span for span in cold.tasks if span.name == name), key=lambda span: (span.trace_id, span.start))
        for one, other in zip(spans, spans[1:], strict=False):
            assert one.end == other.start and previous(other) == [(one.trace_id, one.span_id)], name
    assert all(adds_up(task) for task in cold.tasks)


def test_who_waits_for_a_task_moves_with_it() -> None:
    """The child takes its steps; the parent and who is above it take none: each has a segment in each trace."""
    pulses = [Pulse(index=1) for _ in range(3)]
    cold = Cold().feed(*(
        record
        for number, name in enumerate(["above", "parent", "child"])
        for record in (
            birth(number + 1, 3 * number, name, creator=number, pulse=pulses[number]),
            step(number + 1, 0, 3 * number, 3 * number + 1, 3 * number + 2),
        )
    ))  # fmt: skip
    moves = [second * SECOND for second in (60, 120, 180)]
    for index, at in enumerate(moves, 1):
        pulses[2].index = index + 1
        cold.feed(step(3, index, at, at + 1, at + 2))
    cold.finish(200 * SECOND)
    ours = {name: sorted((span for span in cold.tasks if span.name == name), key=lambda span: span.start)
            for name in ("task above", "task parent", "task child")}  # fmt: skip
    for name, spans in ours.items():
        assert [span.trace_id for span in spans] == [OWN_TRACE + number for number in range(4)], name
        assert [span.start for span in spans][1:] == moves, name
        assert [span.end for span in spans] == [*moves, 200 * SECOND], name
        for one, other in zip(spans, spans[1:], strict=False):
            assert previous(other) == [(one.trace_id, one.span_id)], name
    for above, below in zip(list(ours.values()), list(ours.values())[1:], strict=False):
        assert [span.parent_id for span in below] == [span.span_id for span in above]


def test_a_rotated_trace_may_be_sampled_out() -> None:
    """The sampler is asked again: nothing of the task until it says yes."""
    said_yes = iter([True, False, True])
    cold = Cold(sample=lambda trace_id, name: next(said_yes))
    cold.feed(birth(1, 0), step(1, 0, 0, 1, 2), step(1, 1, 61 * SECOND, 61 * SECOND, 61 * SECOND + 1))
    cold.feed(step(1, 2, 125 * SECOND, 125 * SECOND, 125 * SECOND + 1, "returned"))
    assert told(cold) == [(OWN_TRACE, 0, 61, "waiting", 1), (OWN_TRACE + 2, 125, 125, "returned", 1)]
    assert previous(cold.tasks[1]) == [(OWN_TRACE, cold.tasks[0].span_id)]


def test_what_is_open_is_told_at_the_end() -> None:
    """As it stands: running, ready or waiting."""
    for pulse, state, end in (
        (Pulse(index=1), "waiting", 9), (Pulse(index=1, ready=4), "ready", 4), (Pulse(index=1, started=5), "running", 5)
    ):  # fmt: skip
        cold = Cold().feed(birth(1, 0, pulse=pulse), step(1, 0, 0, 1, 2)).finish(9)
        assert [(said(t, "asyncio.task.state"), t.start, t.end) for t in cold.tasks] == [(state, 0, end)]
        assert adds_up(cold.tasks[0])


def test_a_trace_that_was_left_is_not_waited_for() -> None:
    """Its visit ends with its last step, though a sweep comes first."""
    cold = Cold().feed(
        span_start(1, 0), birth(1, 0, span=A, pulse=Pulse(index=2)), step(1, 0, 0, 1, 2, span=A, after=A),
        step(1, 1, 60 * SECOND, 60 * SECOND, 60 * SECOND + 2, span=A), span_end(1, 60 * SECOND + 1),
    )  # fmt: skip
    for moment in (60.3, 60.4, 60.9, 65):
        cold.sweep(int(moment * SECOND))
    assert [(task.start, task.end) for task in cold.tasks] == [(0, 60 * SECOND + 2)]


def test_a_segment_is_not_linked_to_one_that_is_not_told() -> None:
    """Under DETAIL=slow only the last is: one of its steps was slow."""
    cold = Cold(detail="slow").feed(birth(1, 0, pulse=(pulse := Pulse(index=1))), step(1, 0, 0, 1, 2))
    for second in range(0, 130, 5):
        cold.sweep(second * SECOND)
    pulse.index = 2
    cold.feed(step(1, 1, 130 * SECOND, 130 * SECOND, 131 * SECOND, "returned"))
    assert len(cold.tasks) == 1 and previous(cold.tasks[0]) == []


def test_nor_where_its_own_step_rotates_the_trace() -> None:
    """The next one has the link that it would have had: to what created the task, in a request that is over."""
    cold = Cold(detail="slow").feed(
        span_start(1, 0), birth(1, 0, span=A), step(1, 0, 0, 1, 2, span=A, after=A), span_end(1, 3),
        step(1, 1, 10 * SECOND, 10 * SECOND, 10 * SECOND + 1, span=A),
        step(1, 2, 80 * SECOND, 80 * SECOND, 80 * SECOND + 1, span=A),
        step(1, 3, 150 * SECOND, 150 * SECOND, 151 * SECOND, "returned", span=A),
    ).finish(160 * SECOND)  # fmt: skip
    (task,) = cold.tasks
    assert [(link.trace_id, link.span_id, dict(link.attributes)) for link in task.links or ()] == [
        (1, 11, {"asyncio.link": "created_by"})
    ]


@pytest.mark.parametrize("detail", ["steps", "slow"])
@pytest.mark.parametrize("swept", [60, 0])
def test_who_was_told_of_once_is_told_of_to_its_end(detail: str, swept: int) -> None:
    """However quick its last segment: else it would seem to live on. Cut by time, or by its step."""
    cold = Cold(detail=detail).feed(
        birth(1, 0, pulse=(pulse := Pulse(index=2))), step(1, 0, 0, 1, 2), step(1, 1, SECOND, SECOND, 2 * SECOND)
    )
    cold.budget.level = UNTOLD
    cold.sweep(swept * SECOND)
    pulse.index = 3
    last = 60 * SECOND + 1000
    cold.feed(step(1, 2, last, last, last + 10, "returned")).finish(last + 20)
    assert [said(task, "asyncio.task.state") for task in cold.tasks] == ["waiting", "returned"]
    assert previous(cold.tasks[1]) == [(OWN_TRACE, cold.tasks[0].span_id)] and not cold.lost


def test_a_segment_begins_where_the_last_one_ended() -> None:
    """The loop was held while the task was told as waiting, its timer being due, and its trace rotated meanwhile."""
    cold = Cold().feed(birth(1, 0, pulse=(pulse := Pulse(index=1))), step(1, 0, 0, 1, 2))
    for second in range(0, 125, 5):
        cold.sweep(second * SECOND)
    pulse.index = 2
    cold.feed(step(1, 1, 118 * SECOND, 185 * SECOND, 190 * SECOND, "returned"))
    segments = sorted(cold.tasks, key=lambda task: task.start)
    assert told(cold)[0] == (OWN_TRACE, 0, 60, "waiting", 1) and said(segments[-1], "asyncio.task.state") == "returned"
    assert [one.end for one in segments[:-1]] == [other.start for other in segments[1:]]
    assert (segments[-1].start, segments[-1].end) == (120 * SECOND, 190 * SECOND)


def test_thousands_of_tasks_above_one_another() -> None:
    """None of them works in the own trace but the innermost; each stands under the one before."""
    count = 3_000
    cold = Cold(detail="slow", caps=Caps(2_000, 10_000, SECOND, SECOND)).feed(span_start(1, 0), birth(1, 0))
    for task in range(2, count):
        cold.feed(birth(task, task, creator=task - 1))
    for task in range(1, count - 1):
        cold.feed(step(task, 0, task, task, task + 1, activated=[A], after=A))
    cold.feed(step(count - 1, 0, count, count, count + 2 * SECOND, "returned")).finish(10 * SECOND)
    own = {task.span_id: task for task in cold.tasks if task.trace_id == OWN_TRACE}
    assert len(own) == count - 1
    assert sum(task.parent_id in own for task in own.values()) == count - 2
