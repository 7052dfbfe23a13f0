"""Sampled-out traces: no span, the task muted after a while, and heard again."""

from __future__ import annotations

from typing import Any

import pytest

from loopscope.model import NEVER
from loopscope.pipeline.spans.tracer import MUTE_AFTER
from tests.records import OWN_TRACE, SECOND, Cold, Identity, Pulse, birth, said, span_end, span_start, step

OUT, IN = Identity(1, 11, trace_flags=0), Identity(2, 21)


def steps(cold: Cold, pulse: Pulse, count: int, at: int = 10, **more: Any) -> None:
    """Feed steps as capture would: none while the task is muted."""
    for _ in range(count):
        if not pulse.muted:
            cold.feed(step(1, pulse.index, at, at, at + 1, **more))
        pulse.index += 1


def test_a_sampled_out_request_gets_no_span() -> None:
    """Nor does the task's own trace stand in for it."""
    cold = Cold().feed(
        birth(1, 0, span=OUT), step(1, 0, 0, 1, 2, span=OUT, activated=[OUT], after=OUT),
        step(1, 1, 3, 4, 5, "returned", span=OUT),
    )  # fmt: skip
    assert (cold.finish(9).spans, cold.asked) == ([], [])


def test_a_child_in_a_sampled_out_request_gets_none_either() -> None:
    """It inherits the context."""
    cold = Cold().feed(
        birth(1, 0), birth(2, 2, creator=1, span=OUT), step(1, 0, 0, 1, 3, activated=[OUT]),
        step(2, 0, 2, 4, 5, "returned", span=OUT),
    )  # fmt: skip
    assert (cold.finish(9).spans, cold.asked) == ([], [])


def test_a_worker_that_outlives_a_sampled_out_request() -> None:
    """Its trace is stale after a while, for what it creates too; its creator was born into none."""
    cold = Cold().feed(birth(1, 0), step(1, 0, 0, 1, 2, activated=[OUT], after=OUT))
    cold.feed(birth(2, 2, creator=1, span=OUT), step(2, 0, 2, 3, 4, span=OUT, after=OUT)).sweep(61 * SECOND)
    late = 62 * SECOND
    cold.feed(step(2, 1, late, late, late + 1, span=OUT, after=OUT), birth(3, late, creator=2, span=OUT))
    cold.feed(step(3, 0, late, late + 2, late + 3, "returned", span=OUT))
    assert [(span.name, said(span, "asyncio.task.id")) for span in cold.finish(late + 9).tasks] == [
        ("task work", 3), ("task work", 2),
    ]  # fmt: skip


def test_a_task_born_into_a_sampled_out_trace_by_nobody_known() -> None:
    """As new as itself is the trace: a worker that was started from a synchronous request outlives it too."""
    cold = Cold().feed(
        birth(1, 0, span=OUT), step(1, 0, 0, 1, 2, span=OUT, after=OUT), birth(2, 2, creator=1, span=OUT)
    )
    cold.feed(step(2, 0, 2, 3, 4, "returned", span=OUT)).sweep(61 * SECOND)
    assert cold.spans == []
    late = 62 * SECOND
    cold.feed(step(1, 1, late, late, late + 1, "returned", span=OUT)).finish(late + 9)
    assert [said(span, "asyncio.step.index") for span in cold.steps] == [1]


def test_a_step_for_both_kinds_is_told_in_the_sampled_one_only() -> None:
    """And is not shared."""
    cold = Cold().feed(birth(1, 0), span_start(2, 1), step(1, 0, 0, 1, 2, "returned", activated=[OUT, IN]))
    assert [(span.trace_id, said(span, "asyncio.step.shared")) for span in cold.steps] == [(2, None)]


def test_the_sampler_of_an_own_trace_is_asked_once() -> None:
    """Its no goes for all tasks of the trace; its attributes stand on the root of a sampled one."""
    cold = Cold(sample=lambda trace_id, name: False).feed(
        birth(1, 0), step(1, 0, 0, 1, 2), birth(2, 2, creator=1), step(2, 0, 2, 3, 4, "returned"),
        step(1, 1, 5, 6, 7, "returned"),
    )  # fmt: skip
    assert (cold.spans, cold.asked) == ([], [(OWN_TRACE, "task work")])
    cold = Cold().feed(
        birth(1, 0, "root"), birth(2, 2, "child", creator=1), step(1, 0, 0, 1, 2), step(2, 0, 2, 3, 4, "returned"),
        step(1, 1, 5, 6, 7, "returned"),
    )  # fmt: skip
    assert [(span.name, said(span, "sampler.said")) for span in cold.tasks] == [("task child", None), ("task root", 1)]


def test_after_512_steps_for_nobody_a_task_is_muted() -> None:
    """Not one earlier; the gap in its numbers is no loss."""
    said_yes = iter([False, True])
    cold, pulse = Cold(sample=lambda trace_id, name: next(said_yes)), Pulse()
    cold.feed(birth(1, 0, pulse=pulse))
    steps(cold, pulse, MUTE_AFTER - 1)
    assert (MUTE_AFTER, pulse.muted) == (512, False)
    steps(cold, pulse, 1)
    assert pulse.muted
    steps(cold, pulse, 1_000)
    cold.sweep(30 * SECOND)
    assert pulse.muted, "its trace is not old yet"
    cold.sweep(60 * SECOND + 10)
    assert not pulse.muted, "the trace rotates: the sampler is asked again"
    steps(cold, pulse, 2, at=61 * SECOND)
    cold.feed(step(1, pulse.index, 62 * SECOND, 62 * SECOND, 62 * SECOND + 1, "returned"))
    assert [said(span, "asyncio.step.index") for span in cold.steps] == [1512, 1513, 1514]
    assert [said(task, "asyncio.task.step.missing") for task in cold.tasks] == [None]
    assert len(cold.asked) == 2


def test_a_muted_task_is_heard_again_when_it_activates_a_sampled_span() -> None:
    """Capture unmutes it; the next 512 for nobody mute it again."""
    cold, pulse = Cold(sample=lambda trace_id, name: False), Pulse()
    cold.feed(birth(1, 0, pulse=pulse))
    steps(cold, pulse, 100)
    pulse.hush = NEVER + pulse.index
    cold.feed(span_start(2, 20), span_end(2, 21))
    steps(cold, pulse, 1, activated=[IN])
    steps(cold, pulse, MUTE_AFTER)
    assert pulse.muted
    cold.tick(30 * SECOND)
    assert [(span.name, said(span, "asyncio.step.index")) for span in cold.steps] == [("step work", 100)]


def test_a_record_from_before_it_was_muted_does_not_mute_it_again() -> None:
    """It has activated a sampled span since, of which the record comes later."""
    cold, pulse = Cold(sample=lambda trace_id, name: False), Pulse()
    cold.feed(birth(1, 0, pulse=pulse))
    steps(cold, pulse, MUTE_AFTER)
    assert pulse.muted
    pulse.hush = NEVER + MUTE_AFTER + 9
    cold.feed(step(1, MUTE_AFTER + 1, SECOND, SECOND, SECOND + 1), span_start(2, 2 * SECOND))
    assert not pulse.muted
    pulse.index = MUTE_AFTER + 9
    steps(cold, pulse, 1, at=2 * SECOND, activated=[IN])
    steps(cold, pulse, MUTE_AFTER - 1, at=3 * SECOND)
    assert not pulse.muted
    steps(cold, pulse, 1, at=4 * SECOND)
    assert pulse.muted
    [task] = cold.finish(5 * SECOND).tasks
    assert said(task, "asyncio.task.step.missing") is None


def test_a_task_that_is_in_a_sampled_span_by_now_is_not_muted() -> None:
    """Its idle steps' records are read late."""
    cold, pulse = Cold(sample=lambda trace_id, name: False), Pulse()
    cold.feed(birth(1, 0, pulse=pulse))
    pulse.index, pulse.hush = 603, NEVER + 600
    for index in range(600):
        cold.feed(step(1, index, 10, 10, 11))
    assert not pulse.muted
    cold.feed(span_start(2, 20), step(1, 600, 20, 21, 22, activated=[IN], after=IN))
    steps(cold, pulse, MUTE_AFTER - 3, at=SECOND)
    assert not pulse.muted


def test_a_gap_of_a_task_that_is_heard_for_a_while_is_no_loss() -> None:
    """It may be passed by again after that, and be heard again later."""
    cold, pulse = Cold(sample=lambda trace_id, name: False), Pulse()
    cold.feed(birth(1, 0, pulse=pulse))
    steps(cold, pulse, MUTE_AFTER + 100)
    pulse.hush = pulse.index + 2
    steps(cold, pulse, 1, at=SECOND)
    cold.feed(step(1, pulse.index, SECOND, SECOND, 2 * SECOND))
    pulse.index += 1
    steps(cold, pulse, 100)
    pulse.hush = NEVER + pulse.index + 3  # which it did then, too
    cold.feed(span_start(2, 3 * SECOND), step(1, pulse.index, 4 * SECOND, 4 * SECOND, 5 * SECOND, activated=[IN]))
    index = pulse.index + 7
    pulse.index = index + 20
    for later in range(3):  # while it makes others current, of which nobody knows yet
        pulse.hush = NEVER + pulse.index + later
        cold.feed(step(1, index + 2 * later, 6 * SECOND, 6 * SECOND, 7 * SECOND, span=IN, after=IN))
    cold.feed(step(1, index + 5, 7 * SECOND, 7 * SECOND, 7 * SECOND, "returned", span=IN))
    [task] = cold.finish(8 * SECOND).tasks
    assert said(task, "asyncio.task.step.missing") == 2, "but the first ones, these were lost"


@pytest.mark.parametrize("seen", [dict[str, Any](activated=[OUT]), dict[str, Any](activated=[IN])])
def test_a_task_that_activates_spans_is_never_muted(seen: dict[str, Any]) -> None:
    """A connection handler of sampled-out requests: the next one may be sampled."""
    cold, pulse = Cold(sample=lambda trace_id, name: False), Pulse()
    cold.feed(birth(1, 0, pulse=pulse), span_start(2, 1))
    steps(cold, pulse, 5 * MUTE_AFTER, **seen)
    assert not pulse.muted


def test_a_task_in_a_sampled_out_request_is_muted_and_looked_at_again() -> None:
    """At every sweep: its request may be over."""
    cold, pulse = Cold(), Pulse()
    cold.feed(birth(1, 0, pulse=pulse), step(1, 0, 0, 1, 2, activated=[OUT], after=OUT))
    pulse.index = 1
    steps(cold, pulse, MUTE_AFTER + 9, span=OUT)
    assert pulse.muted
    cold.sweep(5 * SECOND)
    assert not pulse.muted
    assert cold.spans == []
