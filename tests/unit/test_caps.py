"""No trace and no task span outgrows its cap; what is coalesced keeps exact sums."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from loopscope.pipeline.spans.visit import Caps
from tests.records import MS, OWN_TRACE, SECOND, Cold, Identity, adds_up, birth, nanoseconds, said, span_start, step

MICROSECOND = 1_000


def run(cold: Cold, count: int, slow: float, delayed: float, failed: float, seed: int = 1) -> dict[int, str]:
    """One task with many steps; which of them are notable, and why."""
    random, now, notable = Random(seed), 0, {}
    cold.feed(birth(1, 0))
    for index in range(count):
        lag = ran = random.randrange(1, 50) * MICROSECOND
        error, pick = None, random.random()
        if pick < slow:
            ran, notable[index] = 10 * MS, "slow"
        elif pick < slow + delayed:
            lag, notable[index] = MS, "delayed"
        elif pick < slow + delayed + failed:
            error, notable[index] = "ValueError", "failed"
        ready = now + random.randrange(100) * MICROSECOND
        now = ready + lag + ran
        state = "returned" if index == count - 1 else None
        cold.feed(step(1, index, ready, ready + lag, now, state, error=error))
    return notable


def totals(cold: Cold) -> tuple[int, int, int]:
    """(steps, running, ready) of all step and steps spans."""
    count = running = ready = 0
    for span in cold.steps:
        group = span.name.startswith("steps ")
        count += said(span, "asyncio.step.count") if group else 1
        running += nanoseconds(span, "asyncio.step.running.duration") if group else span.end - span.start
        ready += nanoseconds(span, "asyncio.step.ready.duration")
    return count, running, ready


def kept(cold: Cold) -> list[int]:
    """Indexes of the steps with spans of their own."""
    return [said(span, "asyncio.step.index") for span in cold.steps if span.name.startswith("step ")]


@pytest.mark.parametrize("pattern", [(0, 0, 0), (0.01, 0.01, 0.01), (0.3, 0.3, 0.3), (1, 0, 0)])
@pytest.mark.parametrize("most", [8, 9, 13, 100, 2_000])
def test_a_task_span_holds_no_more_than_its_cap(pattern: tuple[float, float, float], most: int) -> None:
    """Whatever comes: never more children than the cap, and their totals are the task's."""
    cold = Cold(Caps(most, 15_000, MS, 10 * MS))
    run(cold, 5_000, *pattern)
    (task,) = cold.tasks
    assert most // 2 < len(cold.steps) <= most
    assert said(task, "asyncio.task.step.count") == 5_000
    sums = tuple(nanoseconds(task, f"asyncio.task.{state}.duration") for state in ("running", "ready"))
    assert totals(cold) == (5_000, *sums)
    assert adds_up(task)
    assert {0, 4_999} <= set(kept(cold)), "first and last keep their own"
    assert cold.tracer.steps.coalesced == 5_000 - len(kept(cold))
    assert cold.lost == {}


def test_a_hundred_thousand_steps() -> None:
    """On the default caps; the notable ones keep their own while there is room."""
    cold = Cold()
    notable = run(cold, 100_000, 0.0008, 0.0008, 0.0008)
    assert len(cold.steps) <= 2_000
    assert totals(cold)[0] == 100_000
    alone = set(kept(cold))
    beyond = [index for index in notable if index >= 1_500]
    assert [index for index in beyond if index in alone] == beyond[: sum(index in alone for index in beyond)]
    assert sum(index in alone for index in beyond) > 100
    for one, other in zip(cold.steps, cold.steps[1:], strict=False):
        assert one.end <= other.start


def test_notable_steps_past_the_plain_room() -> None:
    """The written sequence: six plain of eight, then groups around what is slow, and the last one."""
    cold = Cold(Caps(16, 1_000, MS, 10 * MS)).feed(birth(1, 0))
    for index in range(20):
        slow = index == 15
        start = index * 100 * MS
        cold.feed(
            step(1, index, start, start, start + (20 * MS if slow else MS // 4), "returned" if index == 19 else None)
        )
    spans = [
        (span.name, said(span, "asyncio.step.index"), said(span, "asyncio.step.count")) for span in cold.steps[12:]
    ]
    assert kept(cold)[:12] == list(range(12))
    assert spans == [
        ("steps work", 12, 3), ("step work", 15, None), ("steps work", 16, 3), ("step work", 19, None)
    ]  # fmt: skip


def test_one_step_alone_shares_no_span() -> None:
    """Between two that have their own: it has its own too, with all that is said of a step, where links to it lead."""
    cold = Cold(Caps(24, 1_000, MS, 10 * MS)).feed(birth(1, 0), birth(2, 0, "woken"))
    for index in range(24):
        start = index * 100 * MS
        slow = index in (19, 21)
        end = start + (20 * MS if slow else MS // 4)
        cold.feed(step(1, index, start, start, end, "returned" if index == 23 else None))
    cold.feed(step(2, 0, 3 * SECOND, 3 * SECOND, 3 * SECOND + 1, waker=1, waker_step=20)).finish(4 * SECOND)
    told = [(span.name, said(span, "asyncio.step.index")) for span in cold.steps]
    assert told == [*[("step work", index) for index in range(24)], ("step woken", 0)]
    assert cold.tracer.steps.coalesced == 0
    (lonely,) = [span for span in cold.steps if said(span, "asyncio.step.index") == 20]
    (woken,) = [span for span in cold.steps if span.name == "step woken"]
    assert [link.span_id for link in woken.links or ()] == [lonely.span_id]
    assert said(lonely, "asyncio.step.outcome") == "suspended"


def test_groups_are_cut_about_every_second() -> None:
    """So that a coalesced hour is not one bar."""
    cold = Cold(Caps(100, 1_000, MS, 10 * MS)).feed(birth(1, 0))
    for index in range(1_000):
        start = index * 10 * MS
        cold.feed(step(1, index, start, start, start + 1, "returned" if index == 999 else None))
    groups = [span for span in cold.steps if span.name.startswith("steps ")]
    assert 8 <= len(groups) <= 10
    assert all(group.end - group.start <= 1.1 * SECOND for group in groups)


def test_a_shared_last_step_stays_shared() -> None:
    """Though it was held back."""
    a, b = Identity(1, 11), Identity(2, 21)
    cold = Cold(Caps(8, 1_000, MS, 10 * MS)).feed(birth(1, 0), span_start(1, 0), span_start(2, 0))
    for index in range(20):
        state = "returned" if index == 19 else None
        cold.feed(step(1, index, index, index, index + 1, state, activated=[a, b], after=a))
    last = [span for span in cold.steps if said(span, "asyncio.step.index") == 19]
    assert [said(span, "asyncio.step.shared") for span in last] == [True, True]


def test_twenty_thousand_tasks_in_one_trace() -> None:
    """Never more spans than the cap; the root and what failed are told, and what found no room is counted."""
    cold = Cold().feed(birth(1, 0, "main"), step(1, 0, 0, 1, 2))
    for task in range(2, 20_002):
        start = task * 10
        if task % 1_000 == 0:
            cold.feed(birth(late := 100_000 + task, start, "failed", creator=1))
            cold.feed(step(late, 0, start, start, start + 1, "raised", error="ValueError"))
        cold.feed(birth(task, start, creator=1), step(task, 0, start, start, start + 1),
                  step(task, 1, start + 2, start + 3, start + 5, "returned"))  # fmt: skip
    cold.feed(step(1, 1, 300_000, 300_001, 300_002, "returned")).finish(SECOND)
    ((trace, size),) = Counter(span.trace_id for span in cold.spans).items()
    assert trace == OWN_TRACE and 15_000 * 7 // 8 < size <= 15_000
    assert sum(span.name == "step failed" for span in cold.steps) == 20
    ours = {span.span_id for span in cold.spans}
    assert all(span.parent_id in ours for span in cold.spans if span.parent_id)
    (root,) = [task for task in cold.tasks if task.name == "task main"]
    assert (said(root, "asyncio.task.step.count"), root.parent_id) == (2, 0)
    assert said(root, "asyncio.task.span.dropped") == cold.lost["trace_size"] > 0
    complete = Counter(span.parent_id for span in cold.steps)
    cut = [task for task in cold.tasks if complete[task.span_id] < said(task, "asyncio.task.step.count")]
    assert len(cut) <= 2, "only that at the limit, and main"
    without = 20_021 - len(cold.tasks)
    assert cold.lost["trace_size"] >= without


@pytest.mark.parametrize("at_once", [1, 50, 400])
def test_tasks_that_run_at_once(at_once: int) -> None:
    """However the tasks' steps interleave."""
    cold = Cold(Caps(40, 500, MS, 10 * MS))
    now = 0
    for first in range(1, 801, at_once):
        tasks = range(first, first + at_once)
        for task in tasks:
            cold.feed(birth(task, now, creator=1 if task > 1 else 0))
        for index in range(12):
            for task in tasks:
                now += 10
                if task > 1:
                    cold.feed(step(task, index, now, now, now + 5, "returned" if index == 11 else None))
                elif not index:
                    cold.feed(step(1, 0, now, now, now + 5))
    cold.finish(now)
    assert {count <= 500 for count in Counter(span.trace_id for span in cold.spans).values()} == {True}
    ours = {span.span_id for span in cold.spans}
    assert all(span.parent_id in ours for span in cold.spans if span.parent_id)
    assert any(task.span_id for task in cold.tasks if said(task, "asyncio.task.id") == 1)


@pytest.mark.parametrize("cap", [8, 12, 16, 40, 400])
def test_there_is_room_for_slow_steps_behind_plain_ones(cap: int) -> None:
    """One at least of the smallest caps, and of each all but a few of the spans are used for them."""
    cold = Cold(Caps(cap, 15_000, MS, 10 * MS)).feed(birth(1, 0))
    slow = [index for index in range(cap, 3 * cap) if index % 4 == 0]
    for index in range(3 * cap):
        start = index * 20 * MS
        end = start + (15 * MS if index in slow else 1)
        cold.feed(step(1, index, start, start, end, "returned" if index == 3 * cap - 1 else None))
    own = [said(span, "asyncio.step.index") for span in cold.steps if span.name.startswith("step ")]
    assert len(set(own) & set(slow)) >= max((cap // 4 - 4) // 2, 1)
    assert cap - 4 <= len(cold.steps) <= cap
