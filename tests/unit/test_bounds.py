"""What the cold side remembers is bounded, whatever was lost."""

from __future__ import annotations

import pytest

from loopscope.model import clock
from loopscope.pipeline.export.outbox import Outbox
from loopscope.pipeline.export.provider import Provider
from loopscope.pipeline.pipeline import UNHEARD, Pipeline
from loopscope.pipeline.spans import traces
from loopscope.settings import Settings
from tests.records import SECOND, Cold, Pulse, birth, span_start, step
from tests.unit.test_rounds import Queue, Sink, unmetered


def test_spans_that_never_end_do_not_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest trace is forgotten for a new one."""
    monkeypatch.setattr(traces, "KNOWN", 100)
    cold = Cold()
    for trace in range(1, 1_001):
        cold.feed(span_start(trace, trace))
    assert list(cold.traces._foreign) == list(range(901, 1_001))


@pytest.mark.parametrize(("lives", "segment", "apart"), [(0, 60, 5), (10_000, 60, 5), (100_000, 60, 50), (10, 8, 2)])
def test_the_more_tasks_live_the_more_seldom_they_are_looked_at(lives: int, segment: float, apart: int) -> None:
    """What that costs is bounded: a share of a processor, not an amount for each step."""
    provider, swept = Provider(), list[int]()
    settings = Settings(segment_seconds=segment)
    pipeline = Pipeline(Queue(), provider, settings, lambda: Outbox([Sink()], provider.resource), unmetered())
    pipeline.assembler.lives.update(dict.fromkeys(range(lives)))  # type: ignore[arg-type]
    pipeline.sweep = lambda now: iter(swept.append(now) or ())  # type: ignore[func-returns-value, method-assign]
    for ago, times in ((apart - 1, 0), (apart, 1)):
        pipeline._swept = clock() - ago * SECOND
        for _ in pipeline.round():
            pass
        assert len(swept) == times


def test_tasks_whose_end_was_lost_are_given_up() -> None:
    """Once all that was on its way at a sweep was taken; those that live, and whose end came, stay."""
    queue, provider = Queue(), Provider()
    pipeline = Pipeline(queue, provider, Settings(), lambda: Outbox([Sink()], provider.resource), unmetered())
    lost, alive, late = Pulse(index=1, over=True), Pulse(index=1), Pulse(index=1, over=True)
    for task, pulse in ((1, lost), (2, alive), (3, late)):
        queue.queue += [birth(task, 0, pulse=pulse), step(task, 0, 0, 1, 2)]
    queue.queue.append(step(4, 7, 0, 1, 2))
    while (record := queue.take()) is not None:
        pipeline.assembler.feed(record)

    def sweep(now: int) -> set[int]:
        for _ in (*pipeline._bury(), *pipeline.sweep(now)):
            pass
        return set(pipeline.assembler.lives)

    assert sweep(5 * SECOND) == {1, 2, 3, 4}
    pipeline.assembler.feed(step(3, 1, 3, 4, 5, "returned"))
    assert sweep(10 * SECOND) == {2, 4}
    assert sweep(UNHEARD + 3) == {2, 4}
    assert sweep(UNHEARD + 5 * SECOND) == {2}
    assert set(pipeline.tracer.kin.lives) == {2}
    tasks = [dict(span.attributes) for span in pipeline._held if span.name.startswith("task ")]
    told = [(task["asyncio.task.id"], task["asyncio.task.state"]) for task in tasks]
    segments = [(2, "waiting"), (4, "waiting")]
    assert told == [(3, "returned"), (1, "waiting"), *segments, (4, "waiting")]


def test_however_many_ends_are_lost_they_are_given_up_as_soon() -> None:
    """Those that are over do not put off the next sweep; and one sweep and what was recorded before it are enough."""
    queue, provider = Queue(), Provider()
    pipeline = Pipeline(queue, provider, Settings(), lambda: Outbox([Sink()], provider.resource), unmetered())
    for begun in (0, 20_000):
        queue.queue += [birth(begun + task, 0, pulse=Pulse(index=1, over=True)) for task in range(1, 20_001)]
        pipeline._swept = clock() - 60 * SECOND
        for _ in pipeline.round():
            pass
        assert (len(pipeline.assembler.lives), pipeline._apart) == (20_000, 5 * SECOND)
        assert min(pipeline.assembler.lives) > begun


def test_a_line_of_rotated_traces_is_not_kept_by_one_that_waits() -> None:
    """Each sweep a task without an open span moves on to the latest trace."""
    said_yes = iter([False] + [True] * 100)
    cold = Cold(sample=lambda trace_id, name: next(said_yes))
    waits, busy = Pulse(index=1), Pulse()
    cold.feed(birth(1, 0, pulse=waits), step(1, 0, 0, 1, 2), birth(2, 2, creator=1, pulse=busy))
    for minute in range(20):
        at = minute * 61 * SECOND + 3
        cold.feed(step(2, minute, at, at, at + 1))
        busy.index = minute + 1
        cold.sweep(at + 2)
    assert len(cold.asked) == 20
    home, length = cold.tracer.kin.lives[1].notes.home, 0
    while home.next is not None:
        home, length = home.next, length + 1
    assert length == 0
