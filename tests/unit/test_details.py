"""What DETAIL=states and DETAIL=slow write."""

from __future__ import annotations

from loopscope.model import YIELD
from loopscope.pipeline.spans.span import Span
from tests.records import MS, SECOND, Cold, birth, said, step


def bars(cold: Cold) -> list[tuple[str, int, int]]:
    """(name, start, end) of the child spans, by start."""
    return [(span.name, span.start, span.end) for span in sorted(cold.spans, key=by_start) if "task " not in span.name]


def by_start(span: Span) -> tuple[int, int]:
    """Thread order."""
    return span.start, span.end


def test_states_leaves_no_moment_without_a_bar() -> None:
    """Ready, running, waiting, to the end."""
    cold = Cold(detail="states").feed(
        birth(1, 0), step(1, 0, 0, 10, 20), step(1, 1, 50, 60, 70, kind=YIELD), step(1, 2, 0, 75, 80, "returned"),
    )  # fmt: skip
    assert bars(cold) == [
        ("ready work", 0, 10), ("step work", 10, 20), ("wait asyncio.sleep", 20, 50), ("ready work", 50, 60),
        ("step work", 60, 70), ("ready work", 70, 75), ("step work", 75, 80),
    ]  # fmt: skip
    task = next(span for span in cold.spans if span.name == "task work")
    assert {span.parent_id for span in cold.spans if span is not task} == {task.span_id}


def test_states_of_a_task_that_waits_still() -> None:
    """What it waits for is a bar to the moment of telling."""
    cold = Cold(detail="states").feed(birth(1, 0), step(1, 0, 0, 1, 2)).finish(100)
    assert bars(cold)[-1] == ("wait asyncio.sleep", 2, 100)


def test_slow_tells_nothing_of_quick_tasks() -> None:
    cold = Cold(detail="slow").feed(birth(1, 0), step(1, 0, 0, 1, 2), step(1, 1, 50, 51, 60, "returned"))
    cold.finish(SECOND)
    assert cold.spans == [] and cold.tracer._quiet.waiting == 0


def test_slow_tells_all_of_a_task_with_a_slow_step() -> None:
    """Its earlier steps too, and failed and delayed ones likewise."""
    for late in (
        step(1, 1, 50, 51, 20 * MS, "returned"),
        step(1, 1, 50, 51, 60, "raised", error="ValueError"),
        step(1, 1, 50, 2 * MS, 2 * MS + 9, "returned"),
    ):
        cold = Cold(detail="slow").feed(birth(1, 0), step(1, 0, 0, 1, 2), late).finish(SECOND)
        assert sorted(span.name for span in cold.spans) == ["step work", "step work", "task work"], late
        assert cold.tracer._quiet.waiting == 0


def test_slow_tells_what_a_told_task_stands_under() -> None:
    """Else it would be an orphan."""
    cold = Cold(detail="slow").feed(
        birth(1, 0, "main"), step(1, 0, 0, 1, 2), birth(2, 1, "child", creator=1),
        step(2, 0, 1, 2, 30 * MS, "returned"), step(1, 1, 31 * MS, 31 * MS, 31 * MS + 5, "returned"),
    ).finish(SECOND)  # fmt: skip
    main, child = (next(span for span in cold.spans if span.name == f"task {name}") for name in ("main", "child"))
    assert child.parent_id == main.span_id


def test_slow_makes_a_root_of_what_stood_under_an_untold_task() -> None:
    """Its creator ended with nothing to tell, and is gone."""
    cold = Cold(detail="slow").feed(
        birth(1, 0, "main"), birth(2, 1, "child", creator=1), step(1, 0, 0, 1, 2), step(2, 0, 1, 2, 3),
        step(1, 1, 3, 3, 4, "returned"), step(2, 1, 5, 6, 30 * MS, "returned"),
    ).finish(SECOND)  # fmt: skip
    (child,) = (span for span in cold.spans if span.name.startswith("task "))
    assert child.name == "task child" and child.parent_id == 0


def test_slow_keeps_within_bounds() -> None:
    """A long quiet task keeps no more than some hundred spans; its totals stay exact."""
    steps = [step(1, number, 10 * number, 10 * number, 10 * number + 1) for number in range(1_000)]
    cold = Cold(detail="slow").feed(birth(1, 0), *steps, step(1, 1_000, SECOND, SECOND, SECOND + 20 * MS, "returned"))
    cold.finish(2 * SECOND)
    task = next(span for span in cold.spans if span.name == "task work")
    assert said(task, "asyncio.task.step.count") == 1_001
    assert len(cold.spans) < 300
    assert cold.lost == {"quiet": 1_002 - len(cold.spans)}
