"""Histories of random tasks as the records that capture would have written, whole and damaged."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from loopscope.model import CANCELLED, RAISED, RETURNED, YIELD, YIELDED, Record
from tests.records import birth, gone, step

#: how a task's history ends
ALIVE, FREED, UNRECORDED = "alive", "freed", "unrecorded"
ENDS = (RETURNED, RAISED, CANCELLED, FREED, UNRECORDED, ALIVE)

#: (waiting, ready, running) nanoseconds of a step, and whether it was ready from its own last end by a bare yield
Moves = tuple[int, int, int, bool]


@dataclass(frozen=True)
class History:
    """A task: its records in order, and what must come of them."""

    task: int
    end: str
    records: tuple[Record, ...]
    running: int
    ready: int


def history(task: int, born: int, moves: list[Moves], end: str, late: bool, thread: int) -> History:
    """The records of one task."""
    records: list[Record] = [birth(task, born, late=late)]
    now, running, ready = born, 0, 0
    for index, (waited, lag, ran, yielded) in enumerate(moves):
        by_yield = yielded and index > 0
        since = now + (0 if by_yield else waited)
        start = since + lag
        last = index == len(moves) - 1
        state = end if last and end in (RETURNED, RAISED, CANCELLED) else None
        before = by_yield and state is None
        records.append(
            step(
                task,
                index,
                0 if by_yield else since,
                start,
                start + ran,
                state,
                outcome=YIELDED if before else None,
                kind=YIELD if by_yield else "task",
                thread=thread,
            )  # fmt: skip
        )
        now = start + ran
        running += ran
        ready += lag
    if end in (FREED, UNRECORDED):
        records.append(gone(task, now, end == UNRECORDED))
    return History(task, end, tuple(records), running, ready)


_durations = st.one_of(st.just(0), st.integers(1, 50), st.integers(1, 10**9))
_moves = st.lists(st.tuples(_durations, _durations, _durations, st.booleans()), max_size=8)


@st.composite
def histories(draw: st.DrawFn, most: int = 5) -> list[History]:
    """A few tasks on a few threads. One that ends by a step has a step."""
    made = []
    for task in range(1, draw(st.integers(1, most)) + 1):
        moves = draw(_moves)
        end = draw(st.sampled_from(ENDS if moves else (FREED, UNRECORDED, ALIVE)))
        made.append(
            history(task, draw(st.integers(1, 10**6)), moves, end, draw(st.booleans()), draw(st.integers(1, 3)))
        )
    return made


@st.composite
def interleaved(draw: st.DrawFn, of: list[History]) -> list[Record]:
    """All records in some order that keeps each task's."""
    turns = draw(st.permutations([number for number, one in enumerate(of) for _ in one.records]))
    left = [iter(one.records) for one in of]
    return [next(left[number]) for number in turns]


@st.composite
def repeated(draw: st.DrawFn, records: list[Record]) -> list[Record]:
    """The records, some of them once more at any later place."""
    out = list(records)
    for record in draw(st.lists(st.sampled_from(records), max_size=6)):
        place = draw(st.integers(out.index(record) + 1, len(out)))
        out.insert(place, record)
    return out
