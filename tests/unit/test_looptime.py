"""Active and idle time of loops, exact and estimated, of hand-made steps and looks at the selector."""

from __future__ import annotations

from loopscope.model import Frame, Look
from loopscope.pipeline.metrics.looptime import LOOPS, NESTED, Loops, Total, Utilization
from tests.records import MS, SECOND


def test_looks_are_idle_the_rest_is_active() -> None:
    """Look 0-100, step 110-150, look 160-300 and at once again 305-310, step 312-320, look 330-400."""
    loops = Loops()
    loops.step(1, 105, 110, 150, [0, 100])
    loops.step(1, 311, 312, 320, [160, 300, 305, 310])
    loops.looked(1, [330, 400])
    assert loops.total() == Total(active=400 - (100 + 140 + 5 + 70), idle=100 + 140 + 5 + 70)
    assert loops.coverage() == {1: (40 + 8) / 85}
    assert loops.share == (40 + 8) / 85


def test_a_step_that_began_before_others_holds_them() -> None:
    """An eager first step, or hundreds: they are recorded first and covered once."""
    for inner in (1, 7, NESTED - 10):
        loops = Loops()
        for place in range(inner):
            loops.step(1, 0, 110 + 10 * place, 115 + 10 * place, [0, 100] if not place else [])
        end = 200 + 10 * inner
        loops.step(1, 101, 105, end, [])
        assert loops.total() == Total(active=end - 100, idle=100)
        assert loops.coverage() == {1: (end - 105) / (end - 100)}


def test_the_very_first_step_holds_others() -> None:
    loops = Loops()
    loops.step(1, 0, 110, 115, None)
    loops.step(1, 101, 105, 200, None)
    assert loops.total() == Total(estimated_active=95)
    assert loops.coverage() == {1: 1.0}


def test_more_steps_within_one_than_are_remembered() -> None:
    """Nothing grows, and no time is covered twice."""
    loops = Loops()
    for place in range(NESTED * 3):
        loops.step(1, 0, 110 + 10 * place, 115 + 10 * place, [])
    loops.step(1, 101, 105, 10 * NESTED * 4, [])
    assert loops.coverage()[1] <= 1.0
    assert len(loops._loops[1]._before) <= NESTED


def test_a_look_within_a_step_is_another_loops() -> None:
    """A loop that runs inside a step of another one."""
    loops = Loops()
    loops.step(1, 0, 100, 500, [0, 90, 200, 300])
    assert loops.total() == Total(active=410, idle=90)


def test_estimate() -> None:
    """Short gaps are the loop's work; of a long one, what the next step was ready for."""
    loops = Loops()
    loops.step(2, 0, 0, 1 * MS, None)
    loops.step(2, 0, 1 * MS + 400_000, 2 * MS, None)  # gap 0.4 ms: active
    loops.step(2, 8 * MS, 10 * MS, 11 * MS, None)  # gap 8 ms, 2 of them ready: idle 6
    assert loops.total() == Total(estimated_active=11 * MS - 6 * MS, estimated_idle=6 * MS)


def test_loops_add_up_after_they_are_forgotten() -> None:
    loops = Loops()
    for loop in range(3 * LOOPS):
        loops.step(loop, 105, 110, 150, [0, 100])
    assert loops.total() == Total(active=50 * 3 * LOOPS, idle=100 * 3 * LOOPS)
    assert len(loops.coverage()) == LOOPS


def test_a_named_callback_is_covered() -> None:
    """As far as it was looked at; two looks at one are counted once."""
    frame = Frame(test_estimate.__code__, 1)
    loops = Loops()
    loops.step(1, 105, 110, 150, [0, 100])
    loops.held(Look(1, 1, 0, -1, 200, 260, None, (frame,)))
    loops.held(Look(1, 1, 0, -1, 200, 280, None, (frame,)))
    loops.held(Look(1, 1, 7, 3, 200, 290, None, (frame,)))  # a step is covered by its own record
    loops.held(Look(1, 1, 0, -1, 200, 295, None, ()))
    loops.step(1, 301, 301, 311, [])
    assert loops.coverage() == {1: (40 + 10 + 80) / 211}


def test_utilization_of_the_interval() -> None:
    loops = Loops()
    utilization = Utilization(loops)
    assert utilization.read(0) is None
    loops.step(1, 60, 60, 100, [0, 60])
    assert utilization.read(SECOND) == 0.4
    loops.step(1, 180, 180, 200, [100, 180])
    assert utilization.read(SECOND + 5) == 0.4, "the same collection, or another reader at once"
    assert utilization.read(2 * SECOND) == 0.2
    assert utilization.read(3 * SECOND) == 0.0, "waiting all the while"
