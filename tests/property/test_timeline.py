"""Whatever happened, and however it was written: one Timeline, whose sums are those of the steps; any cut of it draws."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from loopscope.model import Anchor
from loopscope.pipeline.otlpjson import encode
from loopscope.pipeline.spans.visit import Caps
from loopscope.recording import documents, file
from loopscope.recording.assembly import assemble
from loopscope.recording.spans import Span, Spans
from loopscope.recording.timeline import Timeline
from loopscope.recording.writer import TraceFile
from loopscope.views.perfetto import trace_events
from loopscope.views.terminal import Style, draw
from loopscope.views.terminal.text import columns
from tests.property.world import World
from tests.records import MS, SECOND, Cold
from tests.views.made import EPOCH, WRITTEN
from tests.views.test_perfetto import check_nesting

seeds, turns = st.integers(0, 1 << 32), st.integers(1, 250)
SCOPE = "loopscope", "1", ""


def spans_of(cold: Cold) -> list[Span]:
    """The spans as a trace file has them."""
    written = ",".join(encode(span, Anchor(EPOCH)) for span in cold.spans)
    scope = f'{{"scope":{{"name":"loopscope"}},"spans":[{written}]}}'
    return documents.read(json.loads(f'{{"resourceSpans":[{{"scopeSpans":[{scope}]}}]}}')).spans


def check_sums(timeline: Timeline) -> None:
    """A task ran as long as its steps did, and its states add up to the time that its spans cover."""
    ran: Counter[tuple[str, int]] = Counter()
    for step in timeline.steps:
        ran[step.task] += step.running
    for key, task in timeline.tasks.items():
        covered = until = 0
        for start, end in sorted(task.visits):
            covered += max(end - max(start, until), 0)
            until = max(until, end)
        assert task.running == ran[key]
        assert task.running + task.ready + task.waiting == covered and min(task.ready, task.waiting) >= 0


def check_drawing(timeline: Timeline, width: int) -> None:
    """It can be drawn, within the width."""
    for line in draw(timeline, Style(width)).splitlines():
        assert columns(line) <= max(width, 40) and line.isprintable()
    json.dumps(trace_events(timeline))
    check_nesting(timeline)


@effort(max_examples=60)
@given(seeds, turns)
def test_any_world_is_one_timeline(seed: int, turns: int) -> None:
    """Each step once; the same Timeline out of every form and in any order."""
    world = World(seed, cold := Cold()).run(turns)
    spans = spans_of(cold)
    timeline = assemble(Spans(spans))
    assert {(step.task[1], step.index) for step in timeline.steps} == set(world.recorded)
    assert len(timeline.steps) == len(world.recorded)
    for step in timeline.steps:
        assert (step.start - EPOCH, step.end - EPOCH) == world.recorded[step.task[1], step.index]
    assert [said for said in timeline.missing if "under a span that is not here" not in said] == []
    check_sums(timeline)
    random.Random(seed).shuffle(spans)
    form = WRITTEN[random.Random(seed).choice(list(WRITTEN))]
    assert assemble(documents.read(json.loads(json.dumps(form(spans))))) == timeline


@effort(max_examples=60)
@given(seeds, turns, st.integers(8, 40))
def test_coalesced_worlds(seed: int, turns: int, steps: int) -> None:
    """The same where steps are coalesced, in one trace here and alone in another there: none counts twice."""
    world = World(seed, cold := Cold(Caps(steps, 15_000, MS, 10 * MS)), long=False).run(turns)
    timeline = assemble(Spans(spans_of(cold)))
    assert sum(step.count for step in timeline.steps) == len(world.recorded)
    assert sum(task.steps for task in timeline.tasks.values()) == len(world.recorded)
    check_sums(timeline)


@effort(max_examples=60)
@given(seeds, turns, st.floats(0, 1), st.integers(1, 300))
def test_any_cut_can_be_told_and_drawn(seed: int, turns: int, keep: float, width: int) -> None:
    """Some spans are lost, whichever: what is there is told as before, what is not is said."""
    World(seed, cold := Cold()).run(turns)
    spans = spans_of(cold)
    dice = random.Random(seed)
    kept = [span for span in spans if dice.random() < keep]
    whole, cut = assemble(Spans(spans)), assemble(Spans(kept))
    before = {(step.trace_id, step.span_id): step for step in whole.steps}
    twice = {(span.trace_id, span.span_id) for span in spans} - set(before)
    for step in cut.steps:
        known = before.get((step.trace_id, step.span_id))
        assert (
            (step.trace_id, step.span_id) in twice
            if known is None
            else (step.start, step.end) == (known.start, known.end)
        )
    made_up = any(number < 0 for _, number in cut.tasks)
    assert made_up == any("from steps alone" in said for said in cut.missing)
    check_drawing(cut, width)


@pytest.mark.parametrize("seed", range(2))
def test_a_world_in_a_trace_file(seed: int, tmp_path: Path) -> None:
    """As the process writes it, in many lines, cut at any byte."""
    World(seed, cold := Cold()).run(400)
    path = tmp_path / "trace.jsonl"
    out = TraceFile(str(path))
    encoded = [encode(span, Anchor(EPOCH)) for span in cold.spans]
    for at in range(0, len(encoded), 50):
        out.write([("service.name", "world")], SCOPE, encoded[at : at + 50])
    out.close()
    timeline = assemble(file.read(str(path)))
    assert len(timeline.steps) == len(assemble(Spans(spans_of(cold))).steps) > 50
    content = path.read_bytes()
    for cut in (len(content) - 1, len(content) // 2, len(content) // 3):
        path.write_bytes(content[:cut])
        part = file.read(str(path))
        assert len(part.spans) // 50 == content[:cut].count(b"\n") or cut == len(content) - 1
        assert cut == len(content) - 1 or part.missing == ["1 line of trace.jsonl could not be read"]


def test_worlds_are_not_trivial() -> None:
    """Shared steps, segments, several traces and edges of creation come up."""
    World(1, cold := Cold(segment=SECOND)).run(1_500)
    timeline = assemble(Spans(spans_of(cold)))
    assert len(timeline.trace_ids) > 20 and len(timeline.edges) > 20
    assert any(len(task.spans) > 3 for task in timeline.tasks.values())
    assert len(cold.steps) > len(timeline.steps) > 300
