"""Who delayed whom, from hand-made records: steps, callbacks, bursts, nested steps, I/O that nobody looked at."""

from __future__ import annotations

from collections.abc import Iterable

from loopscope.model import CALLBACK, IO, TASK, TIMER, Delay, Harm, Record
from loopscope.pipeline.assembler import Assembler
from loopscope.pipeline.culprits import Culprits
from loopscope.pipeline.sinks import Sinks
from tests.records import MS, Told, birth, polled, step


def told(records: Iterable[Record], threshold: int = MS) -> dict[tuple[int, int], tuple[Delay | None, Harm | None]]:
    """By (task, step): what delayed it, and its harm."""
    sink = Told()
    assembler = Assembler(Sinks(Culprits(threshold), sink))
    for record in records:
        assembler.feed(record)
    return {
        (life.id, one.index): (one.delay, one.harm) for life in sink.lives for one in sink.steps[id(life)]
    }  # fmt: skip


def short(delay: Delay | None) -> tuple[str, str | None, int, int] | None:
    """(name, task, duration, steps)."""
    return None if delay is None else (delay.name, delay.task, delay.duration, delay.steps)


def test_a_step_that_holds_the_thread() -> None:
    """The victim names it, and it knows its harm."""
    found = told(
        [
            birth(1, 0, "parse"), birth(2, 0, "fetch"),
            step(2, 0, 0, 1, 2),
            step(1, 0, 0, 2, 50 * MS),
            step(2, 1, 10 * MS, 50 * MS + 5, 51 * MS, kind=TIMER),
        ]
    )  # fmt: skip
    assert short(found[2, 1][0]) == ("parse", "Task-1", 40 * MS, 1)
    delay = found[2, 1][0]
    assert delay is not None and delay.by == (1, 0) and delay.function == "app.parse"
    assert found[1, 0] == (None, Harm(1, 40 * MS))


def test_below_the_threshold_nothing_is_said() -> None:
    found = told([birth(1), birth(2), step(1, 0, 0, 1, MS), step(2, 0, 0, MS, 2 * MS)], threshold=2 * MS)
    assert found[2, 0] == (None, None) and found[1, 0] == (None, None)


def test_the_longest_of_two_is_named_and_both_have_harmed() -> None:
    found = told(
        [
            birth(1, 0, "long"), birth(2, 0, "longer"), birth(3, 0, "victim"),
            step(1, 0, 0, 0, 10 * MS), step(2, 0, 0, 10 * MS, 30 * MS), step(3, 0, 0, 30 * MS, 31 * MS),
        ]
    )  # fmt: skip
    assert short(found[3, 0][0]) == ("longer", "Task-2", 20 * MS, 1)
    assert found[1, 0][1] == Harm(2, 20 * MS) and found[2, 0][1] == Harm(1, 20 * MS)


def test_who_is_named_has_harmed() -> None:
    """Also where only the end of a long step was in that time, and no long piece."""
    found = told(
        [
            birth(1, 0, "long"), birth(2, 0, "short"), birth(3, 0, "shorter"), birth(4, 14 * MS // 10, "victim"),
            step(1, 0, 0, 0, 2 * MS), step(2, 0, 0, 2 * MS, 23 * MS // 10), step(3, 0, 0, 23 * MS // 10, 26 * MS // 10),
            step(4, 0, 0, 26 * MS // 10, 27 * MS // 10),
        ]
    )  # fmt: skip
    assert short(found[4, 0][0]) == ("long", "Task-1", 6 * MS // 10, 1)
    assert found[1, 0][1] == Harm(3, 2 * 2 * MS + 6 * MS // 10)


def test_the_end_of_a_long_step_is_not_to_blame_for_what_others_did() -> None:
    """Those that were short held the thread longer; where that was not for long either, nobody is."""
    for rest, blamed in ((MS // 2, ("burst short", None, 1_020_000, 3)), (MS // 10, None)):
        found = told(
            [
                birth(1, 0, "long"), birth(2, 0, "short"), birth(3, 0, "short"), birth(4, 0, "victim"),
                step(1, 0, 0, 0, 10 * MS),
                step(2, 0, 0, 10 * MS, 10 * MS + rest), step(3, 0, 0, 10 * MS + rest, 10 * MS + 2 * rest),
                step(4, 0, 10 * MS - 20_000, 14 * MS, 15 * MS, polls=(10 * MS + 2 * rest, 14 * MS)),
            ]
        )  # fmt: skip
        assert short(found[4, 0][0]) == blamed
        assert found[1, 0][1] is None or found[1, 0][1].count == 2


def test_a_burst_of_short_steps() -> None:
    """Many short ones are told together, by the name that took most."""
    records = [birth(1, 0, "victim"), *(birth(task, 0, "worker") for task in range(2, 52))]
    records += [step(task, 0, 0, (task - 2) * MS // 2, (task - 1) * MS // 2, "returned") for task in range(2, 52)]
    found = told([*records, step(1, 0, 0, 25 * MS, 26 * MS)])
    assert short(found[1, 0][0]) == ("burst worker", None, 25 * MS, 50)
    assert found[2, 0] == (None, None)


def _made(*times: int, end: int) -> dict[tuple[int, int], tuple[Delay | None, Harm | None]]:
    """A step makes tasks at these times and ends; then each runs for 20 µs, and then a bystander."""
    records = [birth(1, 0, "maker"), birth(2, 0, "bystander")]
    records += [birth(task, born, "worker", creator=1) for task, born in enumerate(times, 3)]
    records.append(step(1, 0, 0, 0, end))
    for task, born in enumerate(times, 3):
        records.append(step(task, 0, born, end, end + 20_000, "returned"))
        end += 20_000
    return told([*records, step(2, 0, 0, end, end + 1)])


def test_the_step_that_makes_a_burst_is_part_of_it() -> None:
    """To the bystander and to the burst's own tasks; its harm is told of it all the same."""
    found = _made(*range(0, 5 * MS, MS // 80), end=5 * MS)
    assert short(found[2, 0][0]) == ("burst worker", None, 13 * MS, 401)
    first = found[3, 0][0]
    assert short(first) == ("burst worker", None, 5 * MS, 1) and first is not None and first.by == (1, 0)
    harm = found[1, 0][1]
    assert harm is not None and harm.count > 300


def test_a_step_that_makes_a_few_tasks_is_no_burst() -> None:
    found = _made(*range(0, 5 * MS, MS // 10), end=5 * MS)
    assert short(found[2, 0][0]) == ("maker", "Task-1", 5 * MS, 1)


def test_a_step_that_makes_tasks_among_other_things_is_to_blame_itself() -> None:
    """Something else before, after, or for each; a collection of garbage in the midst of a burst is nothing else."""
    burst = range(0, 5 * MS, MS // 60)
    cases = {
        "before": (_made(*(time + 6 * MS for time in burst), end=11 * MS), "maker"),
        "after": (_made(*burst, end=11 * MS), "maker"),
        "for each": (_made(*range(0, 300 * MS, MS), end=300 * MS), "maker"),
        "in its midst": (_made(*burst, *(time + 13 * MS for time in burst), end=18 * MS), "burst worker"),
    }
    for case, (found, expected) in cases.items():
        delay = found[2, 0][0]
        assert delay is not None and delay.name == expected, case


def test_callbacks_between_steps_are_what_lies_between_the_looks() -> None:
    """On a loop that shows its looks: 20 ms of callbacks, and 10 ms that it slept, whose end was late."""
    found = told(
        [
            birth(1, 0, "main"), step(1, 0, 0, 0, MS, polls=()),
            step(1, 1, 5 * MS, 31 * MS, 32 * MS, kind=TIMER, polls=(MS, 11 * MS)),
        ]
    )  # fmt: skip
    assert short(found[1, 1][0]) == ("callback", None, 20 * MS, 1)
    late = told(
        [
            birth(1, 0, "main"), step(1, 0, 0, 0, MS, polls=()),
            step(1, 1, 5 * MS, 11 * MS, 12 * MS, kind=TIMER, polls=(MS, 11 * MS)),
        ]
    )  # fmt: skip
    assert late[1, 1] == (None, None)


def test_callbacks_of_a_loop_that_does_not_show_its_looks() -> None:
    """A ready task keeps it from waiting: what lies between is callbacks, but for a timer's usual lateness."""
    for kind, ready, expected in ((CALLBACK, 2 * MS, 18 * MS), (TIMER, 2 * MS, 18 * MS), (TIMER, 19 * MS, None)):
        found = told([birth(1), step(1, 0, 0, 0, MS), step(1, 1, ready, 20 * MS, 21 * MS, kind=kind)])
        delay = found[1, 1][0]
        assert (delay and (delay.name, delay.duration)) == (expected and ("callback", expected)), kind


def test_looks_that_no_step_took() -> None:
    """They come in a record of their own."""
    found = told(
        [
            birth(1), step(1, 0, 0, 0, MS, polls=()), polled((MS, 4 * MS, 5 * MS, 9 * MS)),
            step(1, 1, 2 * MS, 12 * MS, 13 * MS, kind=CALLBACK, polls=(10 * MS, 11 * MS)),
        ]
    )  # fmt: skip
    assert short(found[1, 1][0]) == ("callback", None, MS, 1)


def test_of_nested_steps_the_innermost_holds_the_thread() -> None:
    """An eager child of 30 ms inside its creator of 32: the child is the culprit; the creator's rest is its own."""
    found = told(
        [
            birth(1, 0, "main"), birth(3, 0, "victim"), birth(2, MS, "eager", creator=1),
            step(2, 0, MS, MS, 31 * MS, "returned"), step(1, 0, 0, 0, 33 * MS), step(3, 0, 0, 33 * MS, 34 * MS),
        ]
    )  # fmt: skip
    assert short(found[3, 0][0]) == ("eager", "Task-2", 30 * MS, 1)
    assert found[2, 0][1] == Harm(1, 30 * MS) and found[1, 0][1] == Harm(1, 3 * MS)


def test_a_step_is_one_however_many_ran_within_it() -> None:
    """A step computes for 36 ms and starts eight eager children: it is to blame, for all that it held the thread itself,
    by those who were ready all the while, or only since the midst of it."""
    records = [birth(1, 0, "main"), birth(2, 0, "victim"), birth(3, 0, "late")]
    for task in range(10, 18):
        began = (task - 9) * 4 * MS
        records += [birth(task, began, "eager", creator=1), step(task, 0, began, began, began + MS, "returned")]
    records += [step(1, 0, 0, 0, 44 * MS), step(2, 0, 0, 44 * MS, 45 * MS), step(3, 0, 14 * MS, 45 * MS, 46 * MS)]
    found = told(records, threshold=5 * MS)
    assert short(found[2, 0][0]) == ("main", "Task-1", 36 * MS, 1)
    assert short(found[3, 0][0]) == ("main", "Task-1", 25 * MS, 1)
    assert found[1, 0][1] == Harm(2, 61 * MS) and found[10, 0][1] is None


def test_steps_in_steps_in_steps() -> None:
    """Each has its own time, the outermost in three parts."""
    found = told(
        [
            birth(1, 0, "outer"), birth(2, MS, "middle", creator=1), birth(3, 2 * MS, "inner", creator=2),
            birth(4, 0, "victim"), birth(5, 20 * MS, "again", creator=1),
            step(3, 0, 2 * MS, 2 * MS, 8 * MS, "returned"), step(2, 0, MS, MS, 13 * MS, "returned"),
            step(5, 0, 20 * MS, 20 * MS, 21 * MS, "returned"), step(1, 0, 0, 0, 30 * MS), step(4, 0, 0, 30 * MS, 31 * MS),
        ],
        threshold=5 * MS,
    )  # fmt: skip
    assert short(found[4, 0][0]) == ("outer", "Task-1", 17 * MS, 1)
    assert [found[task, 0][1] for task in (1, 2, 3)] == [Harm(1, 17 * MS), Harm(1, 6 * MS), Harm(1, 6 * MS)]


def test_an_end_that_was_not_right() -> None:
    """A step begins within another that had one within it, and ends after it: nothing is counted twice."""
    found = told(
        [
            birth(1, 0, "outer"), birth(2, 2 * MS, "eager", creator=1), birth(3, 0, "other"), birth(4, 0, "victim"),
            step(2, 0, 2 * MS, 2 * MS, 8 * MS, "returned"), step(1, 0, 0, 0, 24 * MS), step(3, 0, 0, 20 * MS, 30 * MS),
            step(4, 0, MS, 30 * MS, 31 * MS),
        ],
        threshold=3 * MS,
    )  # fmt: skip
    delay = found[4, 0][0]
    assert delay is not None and delay.duration == 13 * MS, delay
    assert sum(harm.duration for _, harm in found.values() if harm is not None) <= 29 * MS + 20 * MS


def test_io_that_nobody_looked_at() -> None:
    """Up to the time of the last look before it, but not from before the task suspended."""
    found = told(
        [
            birth(1, 0, "reader"), birth(2, 0, "parse"), step(1, 0, 0, 0, MS, polls=()),
            step(2, 0, 0, 2 * MS, 30 * MS, polls=(MS, MS)),
            step(1, 1, 31 * MS, 32 * MS, 33 * MS, kind=IO, waker_step=29 * MS, polls=(30 * MS, 31 * MS)),
        ]
    )  # fmt: skip
    assert short(found[1, 1][0]) == ("parse", "Task-2", 28 * MS, 1)


def test_threads_are_apart() -> None:
    """What holds one thread delays nobody on another."""
    found = told([birth(1), birth(2), step(1, 0, 0, 0, 50 * MS), step(2, 0, 0, 50 * MS, 51 * MS, thread=2)])
    assert found[2, 0] == (None, None) and found[1, 0] == (None, None)


def test_a_burst_is_found_fast() -> None:
    """Ten thousand victims of one another: no victim looks at all of the others."""
    count = 10_000
    records = [birth(task, 0, "worker") for task in range(1, count)]
    records += [step(task, 0, 0, task * 2 * MS, (task + 1) * 2 * MS, "returned", kind=TASK) for task in range(1, count)]
    found = told(records)
    last = found[count - 1, 0][0]
    assert last is not None and last.name == "burst worker" and last.steps > 2_000


def test_coverage_is_what_is_known_of_the_busy_time() -> None:
    """Three quarters in steps, a quarter in callbacks that nobody named; unknown where looks are not shown."""
    for polls, expected in (((31 * MS, 41 * MS), 0.75), (None, None)):
        culprits = Culprits(MS)
        assembler = Assembler(culprits)
        for record in (
            birth(1), step(1, 0, 0, 0, 21 * MS, polls=() if polls else None),
            step(1, 1, 40 * MS, 41 * MS, 50 * MS, polls=polls),
        ):  # fmt: skip
            assembler.feed(record)
        assert culprits.coverage(1, 0) == expected
        assert culprits.coverage(2, 0) is None
