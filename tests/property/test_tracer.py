"""The trace model holds in any world: parents exist, sums add up, nothing is told twice or out of its span."""

from __future__ import annotations

from collections import Counter
from typing import Any, defaultdict

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from loopscope.model import BARE
from loopscope.pipeline.spans.span import Span
from loopscope.pipeline.spans.visit import Caps
from tests.property.world import World
from tests.records import MS, OWN_SPAN, OWN_TRACE, SECOND, Cold, adds_up, nanoseconds, said

seeds, turns = st.integers(0, 1 << 32), st.integers(1, 250)


def under(spans: list[Span]) -> dict[tuple[int, int], list[Span]]:
    """Spans by (trace, parent), by start."""
    found: dict[tuple[int, int], list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda one: (one.start, said(one, "asyncio.step.index") or 0)):
        found[span.trace_id, span.parent_id].append(span)
    return found


def alone(spans: list[Span]) -> list[Span]:
    """The steps that have a span of their own."""
    return [span for span in spans if span.name.startswith("step ")]


def check_tree(world: World) -> None:
    """Every parent exists in the trace; ids are unique; children of task spans are within them."""
    cold = world.cold
    ours = {(span.trace_id, span.span_id): span for span in cold.spans}
    assert len(ours) == len(cold.spans)
    for span in cold.spans:
        parent = ours.get((span.trace_id, span.parent_id))
        if span.name.startswith(("step ", "steps ")):
            assert parent is not None and parent.name.startswith("task "), span.name
            assert parent.start <= span.start <= span.end <= parent.end
        elif span.parent_id >= OWN_SPAN:
            assert parent is not None, f"{span.name} stands under a span that was never written"
        elif span.parent_id:
            assert span.parent_id in world.application[span.trace_id]
        else:
            assert span.trace_id >= OWN_TRACE


def check_sums(world: World) -> None:
    """A task span's sums are its duration and those of its steps; visits of a task in a trace do not overlap."""
    children = under(world.cold.steps)
    visits: dict[tuple[int, int], list[Span]] = defaultdict(list)
    for task in world.cold.tasks:
        assert adds_up(task), task.attributes
        steps = children[task.trace_id, task.span_id]
        visits[task.trace_id, said(task, "asyncio.task.id")].append(task)
        if not steps and said(task, "asyncio.task.step.count") and said(task, "loopscope.detail.level") >= BARE:
            assert task.end - task.start < SECOND
            continue
        assert sum(said(step, "asyncio.step.count") or 1 for step in steps) == said(task, "asyncio.task.step.count")
        running = [
            nanoseconds(s, "asyncio.step.running.duration") if s.name.startswith("steps") else s.end - s.start
            for s in steps
        ]
        assert sum(running) == nanoseconds(task, "asyncio.task.running.duration")
        ready = sum(nanoseconds(step, "asyncio.step.ready.duration") for step in steps)
        if any(("asyncio.link", "previous_segment") in link.attributes for link in task.links or ()):
            assert ready >= nanoseconds(
                task, "asyncio.task.ready.duration"
            )  # it was cut in the middle of a step's wait
        else:
            assert ready == nanoseconds(task, "asyncio.task.ready.duration")
        for one, other in zip(steps, steps[1:], strict=False):
            assert one.end <= other.start
    for found in visits.values():
        found.sort(key=lambda one: (one.start, one.end))
        for one, other in zip(found, found[1:], strict=False):
            assert one.end <= other.start


def check_told(world: World) -> None:
    """Each recorded step once in each trace that it worked for, with its exact times."""
    told: dict[tuple[int, int], list[Span]] = defaultdict(list)
    for span in world.cold.steps:
        owner = next(t for t in world.cold.tasks if t.span_id == span.parent_id)
        told[said(owner, "asyncio.task.id"), said(span, "asyncio.step.index")].append(span)
    for key, spans in told.items():
        assert {(span.start, span.end) for span in spans} == {world.recorded[key]}
        assert len({span.trace_id for span in spans}) == len(spans)
        assert all(said(span, "asyncio.step.shared") is (True if len(spans) > 1 else None) for span in spans)
    if not world.unsampled:
        assert set(told) == set(world.recorded)


@effort(max_examples=300)
@given(seeds, turns)
def test_any_world_is_told_exactly(seed: int, turns: int) -> None:
    """Creators, eager children, requests, pools, segments, rotation, late sweeps; everything sampled."""
    world = World(seed, Cold()).run(turns)
    check_tree(world)
    check_sums(world)
    check_told(world)
    assert world.cold.lost == {}


@effort(max_examples=200)
@given(seeds, turns)
def test_sampled_out_traces_get_no_span(seed: int, turns: int) -> None:
    """Neither the application's nor our own; the rest is told exactly."""
    cold = Cold(sample=lambda trace_id, name: trace_id % 3 > 0)
    world = World(seed, cold, unsampled=True, long=False).run(turns)
    check_tree(world)
    check_sums(world)
    check_told(world)
    out = {trace_id for trace_id, _ in cold.asked if not trace_id % 3} | world.hidden
    assert not out & {span.trace_id for span in cold.spans}


@effort(max_examples=100)
@given(seeds, turns)
def test_the_ended_leave_nothing(seed: int, turns: int) -> None:
    """Tracer and assembler remember the living only."""
    world = World(seed, cold := Cold())
    for _ in range(turns):
        world.turn()
    world.drain()
    living = {sim.id for sim in world.tasks} - world.ended
    assert set(cold.assembler.lives) == living
    assert set(cold.tracer._leaving) <= living


@effort(max_examples=200)
@given(
    seeds, turns, st.integers(4, 60), st.sampled_from([0, 20]), st.sampled_from([1, 60]),
    st.sampled_from(["steps", "slow"]),
)  # fmt: skip
def test_full_traces_in_any_world(seed: int, turns: int, room: int, rate: int, segment: int, detail: str) -> None:
    """No own trace has more spans than it may, none stands under one that is not told, and no link leads to one.

    The application's may: one that was forgotten is met anew.
    """
    more: dict[str, Any] = {"detail": detail, **({"rate": rate} if rate else {})}
    cold = Cold(Caps(2_000, room, MS, 10 * MS), segment * SECOND, **more)
    World(seed, cold).run(turns)
    told = {(span.trace_id, span.span_id) for span in cold.spans}
    counts = Counter(span.trace_id for span in cold.spans if span.trace_id >= OWN_TRACE)
    assert all(count <= room for count in counts.values())
    for step in cold.steps:
        assert (step.trace_id, step.parent_id) in told
        for link in step.links or ():
            assert (link.trace_id, link.span_id) in told, link
    for task in cold.tasks:
        assert task.trace_id < OWN_TRACE or not task.parent_id or (task.trace_id, task.parent_id) in told
        for link in task.links or ():
            segment = ("asyncio.link", "previous_segment") in link.attributes
            assert not segment or (link.trace_id, link.span_id) in told, link


@pytest.mark.parametrize("seed", range(3))
def test_worlds_are_not_trivial(seed: int) -> None:
    """Many tasks, requests, own traces, visits, segments and shared steps come up."""
    world = World(seed, cold := Cold()).run(1_500)
    links = [value for span in cold.spans for link in span.links or () for _, value in link.attributes]
    assert len(world.recorded) > 300
    assert len({span.trace_id for span in cold.spans if span.trace_id < OWN_TRACE}) > 10
    assert len({span.trace_id for span in cold.spans if span.trace_id >= OWN_TRACE}) > 10
    assert {"previous_segment", "created_by"} <= set(links)
    assert any(said(span, "asyncio.step.shared") for span in cold.steps)
    assert len(cold.tasks) > len(world.tasks)


@effort(max_examples=200)
@given(seeds, turns, st.integers(1, 200))
def test_any_detail_in_any_world(seed: int, turns: int, rate: int) -> None:
    """However many spans may come: what is told is told exactly, and what is worth it is told."""
    cold = Cold(Caps(2_000, 15_000, MS, 10 * MS, hold=MS // 2), rate=rate)
    world = World(seed, cold).run(turns)
    check_tree(world)
    check_sums(world)
    told = {(said(span, "asyncio.task.name"), said(span, "asyncio.step.index")) for span in alone(cold.steps)}
    worth = {
        (f"Task-{task}", index) for (task, index), (start, end) in world.recorded.items() if end - start >= MS // 2
    }
    assert worth <= told
    assert set(cold.lost) <= {"budget"}
    levels = {said(task, "loopscope.detail.level") for task in cold.tasks} - {None}
    assert not levels or cold.budget.changes


@effort(max_examples=150)
@given(seeds, turns, st.integers(8, 40), st.integers(16, 300))
def test_caps_hold_in_any_world(seed: int, turns: int, steps: int, spans: int) -> None:
    """Never more spans than the caps; totals stay exact where no span was dropped."""
    cold = Cold(Caps(steps, spans, MS, 10 * MS), segment=SECOND)
    world = World(seed, cold, long=False).run(turns)
    for children in under(cold.steps).values():
        assert len(children) <= steps
    sizes: dict[int, int] = defaultdict(int)
    for span in cold.spans:
        sizes[span.trace_id] += 1
    assert max(sizes.values(), default=0) <= spans
    if not cold.lost:
        check_tree(world)
        check_sums(world)
    else:
        assert max(sizes.values()) == spans
