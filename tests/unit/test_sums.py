"""The sums of hand-made records: each thing counted once, whatever was lost or passed by."""

from __future__ import annotations

from typing import Any

from loopscope import conventions as c
from loopscope.model import (
    CANCEL,
    LIBRARY,
    MISHAP,
    NEVER_AWAITED,
    RETURNED,
    CancelRequest,
    Delay,
    Place,
    Step,
    TaskLife,
    Wait,
)
from loopscope.pipeline.assembler import Assembler
from loopscope.pipeline.metrics.sums import Sums
from loopscope.pipeline.metrics.tally import LIMIT, OTHER, Tally
from loopscope.pipeline.sinks import Sinks
from tests.records import MS, Pulse, Told, birth, gone, place, step


class Noting(Told):
    """Stands before the sums and notes on steps what the analyses do."""

    def __init__(self, **notes: Any) -> None:
        super().__init__()
        self.notes = notes

    def stepped(self, life: TaskLife, step: Step) -> None:
        """See Sink."""
        for name, value in self.notes.items():
            setattr(step, name, value)


def fed(*records: Any, **notes: Any) -> Sums:
    sums = Sums()
    assembler = Assembler(Sinks(Noting(**notes), sums))
    for record in records:
        assembler.feed(record)
    return sums


def waiting(record: tuple[Any, ...], *details: tuple[str, Any]) -> tuple[Any, ...]:
    """The step awaits a Wait with these details."""
    return (*record[:8], Wait("asyncio.Lock.acquire", details), *record[9:])


def test_tasks_and_how_they_ended() -> None:
    sums = fed(
        birth(1), birth(2), birth(3), birth(4), birth(5),
        step(1, 0, 0, 1, 2, "returned"), step(2, 0, 0, 2, 3, "raised"), step(3, 0, 0, 3, 4, "cancelled"), gone(4, 9),
    )  # fmt: skip
    assert sums.alive == 1
    assert sums.exits == {"returned": 1, "raised": 1, "cancelled": 1, "destroyed": 1}


def test_an_end_of_which_nothing_was_recorded() -> None:
    """Its steps are known by the number that capture counted to."""
    sums = fed(birth(1, pulse=Pulse(index=7)), step(1, 0, 0, 1, 2), gone(1, 9, unrecorded=True))
    assert (sums.alive, sums.steps) == (0, 7)
    assert sums.exits["unknown"] == 1


def test_step_time() -> None:
    sums = fed(birth(1), step(1, 0, 0, 3, 10), step(1, 1, 20, 25, 27, "returned"))
    assert (sums.steps, sums.running, sums.ready) == (2, 7 + 2, 3 + 5)


def test_a_gap_counts_its_steps_and_no_time() -> None:
    """Muted or lost: two steps were recorded, five were taken."""
    sums = fed(birth(1), step(1, 0, 0, 1, 2), step(1, 4, 10, 11, 12))
    assert (sums.steps, sums.running) == (5, 2)


def test_a_task_seen_in_mid_life_counts_from_there() -> None:
    assert fed(step(1, 100, 5, 6, 7), step(1, 101, 8, 9, 10)).steps == 2


def test_excluded_tasks_count() -> None:
    sums = fed(birth(1, pulse=Pulse(excluded=True, muted=True)), step(1, 0, 0, 1, 6))
    assert (sums.alive, sums.steps, sums.running) == (1, 1, 5)


def test_delay_includes_what_was_not_polled() -> None:
    sums = fed(birth(1), step(1, 0, 0, 5, 6), unpolled=8)
    found = sums.delays.read(0)
    assert found is not None and found.max == 13


def test_delayed_by_name() -> None:
    delay = Delay("parse", None, 3 * MS, 1, "", "", (0, -1))
    sums = fed(birth(1), step(1, 0, 0, 5, 6), step(1, 1, 7, 8, 9), delay=delay)
    assert sums.delayed.read() == {"parse": (2, 6 * MS)}


def test_contention_by_place() -> None:
    """From the end of the step that began to wait to the moment when the task was ready."""
    held = (c.WAIT_PLACE, "app.py:7")
    sums = fed(
        birth(1), waiting(step(1, 0, 0, 1, 10), ("x", 1), held), waiting(step(1, 1, 40, 50, 60), held),
        step(1, 2, 65, 66, 67),
        birth(2), waiting(step(2, 0, 0, 70, 75), ("x", 1)), step(2, 1, 80, 81, 82),
    )  # fmt: skip
    assert sums.waits.read() == {("asyncio.Lock.acquire", "app.py:7"): (2, 30 + 5)}


def test_a_wait_whose_end_was_lost_is_none() -> None:
    held = (c.WAIT_PLACE, "app.py:7")
    sums = fed(birth(1), waiting(step(1, 0, 0, 1, 10), held), step(1, 2, 40, 50, 60))
    assert sums.waits.read() == {}
    assert fed(birth(1), waiting(step(1, 0, 0, 1, 10), held), gone(1, 90)).waits.read() == {}


def test_waiting_by_the_function_that_awaits() -> None:
    """The application's own, of waits that are over; a bare yield is none, nor is one whose end was lost."""
    own, library = place("ask"), Place(None, "lib", "serve", LIBRARY, "lib.serve")
    sums = fed(
        birth(1), awaited(step(1, 0, 0, 1, 10), own), awaited(step(1, 1, 40, 41, 50), library),
        step(1, 2, 90, 91, 92), step(1, 3, 95, 96, 97, "returned", "yielded"),
        birth(2), awaited(step(2, 0, 0, 1, 10, outcome="yielded"), own), awaited(step(2, 1, 20, 21, 22), own),
        step(2, 3, 80, 81, 82),
    )  # fmt: skip
    assert sums.awaits.read() == {("asyncio.sleep", "app.ask"): (1, 30), ("asyncio.sleep", "app.work"): (1, 3)}


def awaited(record: tuple[Any, ...], point: Place) -> tuple[Any, ...]:
    """The step awaits in this function."""
    return (*record[:9], point, *record[10:])


def asked(record: tuple[Any, ...]) -> tuple[Any, ...]:
    """The step is woken by a timeout that cancels its task."""
    how = record[4][0], CANCEL, 0, 0, CancelRequest("timeout", None, 0, None)
    return (*record[:4], how, *record[5:])


def test_cancellations_by_who_asked() -> None:
    sums = fed(birth(1), asked(step(1, 0, 1, 2, 3, "cancelled")), birth(2), step(2, 0, 1, 2, 3, kind=CANCEL))
    assert sums.cancellations.read() == {"timeout": (1, 0), "unknown": (1, 0)}


def test_how_long_after_a_cancellation_tasks_end() -> None:
    """One tidies up, one swallows it, of one it is taken back, one was never asked, one for something else."""
    sums = fed(
        birth(1, 0, "tidy"), asked(step(1, 0, 1, 2, 3)), step(1, 1, 8, 9, 11, "cancelled"),
        birth(2, 0, "deaf", pulse=Pulse(cancels=1)), asked(step(2, 0, 1, 2, 3)), step(2, 1, 20, 21, 22, "returned"),
        birth(3, 0, "timed", pulse=Pulse()), asked(step(3, 0, 1, 2, 3)), step(3, 1, 8, 9, 11, "returned"),
        birth(4), step(4, 0, 1, 2, 3, "cancelled"),
        birth(5, 0, "later", pulse=Pulse(cancels=1, uncancelled=1)), asked(step(5, 0, 1, 2, 3)),
        step(5, 1, 20, 21, 22, "cancelled"),
    )  # fmt: skip
    assert sums.cancelled.read() == {"app.tidy": (1, 10), "app.deaf": (1, 21)}
    assert sums.swallowed.read() == {"app.deaf": (1, 0)}


def test_mishaps_by_kind() -> None:
    sums = Sums()
    for task in (0, 3):
        Assembler(sums).feed((MISHAP, task, 1, NEVER_AWAITED))
    assert sums.mishaps == {NEVER_AWAITED: 2}


def test_names_are_bounded() -> None:
    tally = Tally(OTHER)
    for name in range(LIMIT + 50):
        tally.add(str(name), 1)
    tally.add("0", 5)
    assert len(tally.read()) == LIMIT + 1
    assert tally.read()[OTHER] == (50, 50) and tally.read()["0"] == (2, 6)


def test_nothing_is_kept_of_the_dead() -> None:
    sums = Sums()
    assembler = Assembler(sums)
    for task in range(1, 5_000):
        assembler.feed(birth(task))
        assembler.feed(waiting(step(task, 0, 0, 1, 2), (c.WAIT_PLACE, "x")))
        assembler.feed(step(task, 1, 3, 4, 5, RETURNED))
    kept = {name: getattr(sums, name) for name in Sums.__slots__}
    assert {name for name, value in kept.items() if isinstance(value, dict) and value} == {"exits"}


def test_steps_that_are_passed_by_count_while_the_task_lives() -> None:
    """Records that were on their way when they were counted do not count again."""
    sums, pulse = Sums(), Pulse(index=3)
    assembler = Assembler(Sinks(sums))
    assembler.feed(birth(1, pulse=pulse))
    assembler.feed(step(1, 0, 0, 1, 2))
    [life] = assembler.lives.values()
    sums.passed(life)
    assert sums.steps == 1, "the records of two are on their way"
    pulse.muted, pulse.index = True, 103
    sums.passed(life)
    assert sums.steps == 103
    assembler.feed(step(1, 1, 3, 3, 4))
    assert sums.steps == 103
    pulse.muted = False
    assembler.feed(step(1, 110, 5, 5, 6))
    assert sums.steps == 111
