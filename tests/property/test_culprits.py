"""For random histories of threads: what delays are made of adds up, and each task-second is assigned once."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from loopscope.model import CALLBACK, Record, Step
from loopscope.pipeline.assembler import Assembler
from loopscope.pipeline.culprits import Culprits
from loopscope.pipeline.occupancy import CALLBACK as CALLBACKS
from loopscope.pipeline.occupancy import GAP, IDLE, STEP, Occupancy
from loopscope.pipeline.sinks import Sinks
from tests.records import Told, birth, step


@dataclass(frozen=True)
class Turn:
    """What happens next on a thread: a callback, a look at the selector, then a step of a task."""

    task: int
    callback: int
    look: int
    ready: int
    length: int


turns = st.lists(
    st.builds(
        Turn, st.integers(1, 5), st.integers(0, 30), st.integers(0, 30), st.integers(0, 120), st.integers(0, 60)
    ),
    min_size=1,
    max_size=40,
)  # fmt: skip


def history(turns: list[Turn], shown: bool) -> list[Record]:
    """The records of one thread on which these happen one after the other."""
    records: list[Record] = [birth(task) for task in range(1, 6)]
    index, last, now = dict.fromkeys(range(1, 6), 0), dict.fromkeys(range(1, 6), 1), 1
    for turn in turns:
        look = now + turn.callback
        start = look + turn.look
        ready = max(start - turn.ready, last[turn.task])
        polls = ((look, start) if turn.look else ()) if shown else None
        now = start + turn.length
        records.append(step(turn.task, index[turn.task], ready, start, now, kind=CALLBACK, polls=polls))
        index[turn.task] += 1
        last[turn.task] = now
    return records


@given(turns, st.booleans(), st.integers(1, 80))
def test_delays_add_up(turns: list[Turn], shown: bool, threshold: int) -> None:
    """Steps, callbacks, looks and the unknown are the victim's ready time; the named part is no more than that."""
    sink = Told()
    records = history(turns, shown)
    assembler = Assembler(Sinks(Culprits(threshold), sink))
    for record in records:
        assembler.feed(record)
    steps = [(life, one) for life in sink.lives for one in sink.steps[id(life)]]
    began = min(one.start for _, one in steps)
    occupancy = Occupancy(threshold)
    for life, one in sorted(steps, key=lambda pair: (pair[1].start, pair[1].end)):
        inside = occupancy.before(one)
        assert not any(inside)
        held = occupancy.held(one.ready)
        seen = one.start - max(one.ready, began)
        assert held.steps + held.callbacks + held.idle + held.gap == max(seen, 0)
        assert (held.gap == 0) if shown else (held.callbacks == held.idle == 0)
        if one.delay is not None:
            window = one.start - one.ready + (one.unpolled or 0)
            assert window >= threshold
            assert 0 < one.delay.duration <= window
        occupancy.add(life, one, inside)


@given(turns, st.integers(1, 80))
def test_each_task_second_is_assigned_once(turns: list[Turn], threshold: int) -> None:
    """A culprit's harm is just the time that it held the thread, for long or as the one named, while delayed tasks were
    ready."""
    sink = Told()
    assembler = Assembler(Sinks(Culprits(threshold), sink))
    for record in history(turns, True):
        assembler.feed(record)
    steps = [(life.id, one) for life in sink.lives for one in sink.steps[id(life)]]
    victims = [one for _, one in steps if one.start - one.ready >= threshold]

    def overlap(culprit: Step, victim: Step) -> int:
        return max(min(culprit.end, victim.start) - max(culprit.start, victim.ready), 0)

    for task, culprit in steps:
        kept = [
            time
            for victim in victims
            if victim is not culprit and (time := overlap(culprit, victim))
            and (time >= threshold or (victim.delay is not None and victim.delay.by == (task, culprit.index)))
        ]  # fmt: skip
        harm = culprit.harm
        assert (harm.count, harm.duration) == (len(kept), sum(kept)) if harm is not None else not kept


@effort(max_examples=12)
@given(st.integers(1, 6_000), st.integers(0, 2**20))
def test_sums_of_a_window(count: int, back: int) -> None:
    """However many pieces came, and as far as they are remembered: what the running sums say is what is there."""
    occupancy, now = Occupancy(50), 1
    sink = Told()
    assembler = Assembler(sink)
    assembler.feed(birth(1))
    for index in range(count):
        polls = (now + 1, now + 2) if index % 2 else ()
        assembler.feed(step(1, index, now, now + 3, now + 10 + index % 50, polls=polls))
        now += 10 + index % 50
    for life in sink.lives:
        for one in sink.steps[id(life)]:
            occupancy.add(life, one, occupancy.before(one))
    pieces = list(occupancy.since(0))
    assert min(count, 2_048) <= len(pieces) < 4_096
    since = max(now - back, pieces[-1].start)
    parts = [0] * 4
    for piece in pieces:
        parts[piece.kind] += max(piece.end - max(piece.start, since), 0)
    held = occupancy.held(since)
    assert parts == [held.steps, held.callbacks, held.idle, held.gap]
    assert held.ended == sum(piece.kind == STEP and piece.end > since for piece in pieces)


@given(turns, st.booleans())
def test_pieces_are_disjoint_and_whole(turns: list[Turn], shown: bool) -> None:
    """The pieces of a thread tile its time."""
    occupancy = Occupancy(10)
    sink = Told()
    assembler = Assembler(sink)
    for record in history(turns, shown):
        assembler.feed(record)
    steps = [(life, one) for life in sink.lives for one in sink.steps[id(life)]]
    for life, one in sorted(steps, key=lambda pair: (pair[1].start, pair[1].end)):
        occupancy.add(life, one, occupancy.before(one))
    pieces = list(occupancy.since(0))[::-1]
    assert all(first.end == second.start for first, second in zip(pieces, pieces[1:], strict=False))
    assert {piece.kind for piece in pieces} <= {STEP, CALLBACKS, IDLE, GAP}
    assert sum(piece.end - piece.start for piece in pieces if piece.kind == STEP) == sum(
        one.end - one.start for _, one in steps
    )
