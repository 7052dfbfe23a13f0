"""Spans that are held back: of long steps, until their victims are known; of steps whose waker still runs."""

from __future__ import annotations

from loopscope.model import TASK
from loopscope.pipeline.spans.steps import HELD, HOLD
from loopscope.pipeline.spans.visit import Caps
from tests.records import MS, Cold, birth, said, step

CAPS = Caps(2_000, 15_000, MS, 10 * MS, hold=MS)
LONG = [birth(1, 0, "parse"), birth(2, 0, "fetch"), step(1, 0, 0, 0, 20 * MS)]


def test_a_long_step_waits_for_its_victims() -> None:
    """It is written with what it did to them, soon after."""
    cold = Cold(CAPS).feed(*LONG)
    assert cold.steps == []
    cold.feed(step(2, 0, 0, 20 * MS, 21 * MS))
    assert [span.name for span in cold.steps] == []  # as long as the threshold itself
    cold.tick(20 * MS + HOLD)
    (parse,) = cold.steps
    assert parse.name == "step parse" and parse.end == 20 * MS
    assert said(parse, "asyncio.step.delayed.count") == 1
    assert said(parse, "asyncio.step.delayed.duration") == 0.02
    cold.tick(21 * MS + HOLD)
    fetch = cold.steps[1]
    assert said(fetch, "asyncio.step.delayed_by.name") == "parse"
    assert said(fetch, "asyncio.step.delayed_by.task") == "Task-1"
    assert said(fetch, "asyncio.step.delayed_by.duration") == 0.02
    link = next(link for link in fetch.links or () if dict(link.attributes)["asyncio.link"] == "delayed_by")
    assert (link.trace_id, link.span_id) == (parse.trace_id, parse.span_id)
    assert dict(link.attributes)["asyncio.step.delayed_by.duration"] == 0.02


def test_a_long_step_that_hurt_nobody_says_nothing() -> None:
    cold = Cold(CAPS).feed(*LONG).finish(50 * MS)
    assert said(cold.steps[0], "asyncio.step.delayed.count") is None


def test_at_the_end_all_is_written() -> None:
    """A flush or an exit waits for nothing."""
    cold = Cold(CAPS).feed(*LONG).finish(21 * MS)
    assert [span.name for span in cold.spans] == ["task parse", "step parse"]


def test_no_more_than_so_many_are_held() -> None:
    """The oldest goes first."""
    cold = Cold(CAPS).feed(*(birth(task, 0) for task in range(1, HELD + 11)))
    cold.feed(*(step(task, 0, 0, task * 2 * MS, (task * 2 + 1) * MS) for task in range(1, HELD + 11)))
    assert len(cold.steps) == 10


def test_a_waker_whose_step_still_runs() -> None:
    """A step that ends inside of the step that woke it is linked to it all the same."""
    cold = Cold(CAPS).feed(
        birth(1, 0, "main"), birth(2, 10, "eager", creator=1),
        step(2, 0, 10, 10, 20, "returned", waker=1, waker_step=0), step(1, 0, 0, 5, 30, "returned"),
    )  # fmt: skip
    assert [span.name for span in cold.steps] == ["step main"]
    cold.finish(40)
    main, eager = cold.steps
    assert [(link.span_id, dict(link.attributes)["asyncio.link"]) for link in eager.links or ()] == [
        (main.span_id, "woken_by")
    ]


def test_a_waker_that_never_gets_a_span() -> None:
    """Its victim goes out without the link."""
    cold = Cold(CAPS).feed(
        birth(1, 0, "main"), birth(2, 0, "woken"), step(2, 0, 0, 10, 20, kind=TASK, waker=1, waker_step=3)
    ).tick(20 + HOLD)  # fmt: skip
    assert [span.name for span in cold.steps] == ["step woken"] and not cold.steps[0].links
    assert not cold.tracer.steps._owed
