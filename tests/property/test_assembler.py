"""The assembler: any interleaving, any loss, any repetition, any cut into chunks."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from loopscope.model import BIRTH, DESTROYED, STEP, YIELD, Record
from loopscope.pipeline.assembler import Assembler
from tests.property.strategies import ALIVE, FREED, UNRECORDED, History, histories, interleaved, repeated
from tests.records import Told, birth, gone, step


def fed(records: list[Record]) -> tuple[Assembler, Told]:
    """What the assembler tells of records."""
    told = Told()
    assembler = Assembler(told)
    for record in records:
        assembler.feed(record)
    return assembler, told


def check(told: Told) -> None:
    """What must hold whatever came in."""
    for life in told.lives:
        steps = told.steps[id(life)]
        last, index = life.born, -1
        for one in steps:
            assert last <= one.ready <= one.start <= one.end
            assert one.index > index
            last, index = one.end, one.index
        assert life.running == sum(one.end - one.start for one in steps)
        assert life.ready == sum(one.start - one.ready for one in steps)
        assert life.last_end == last
        assert life.missing >= 0


def state(end: str) -> str | None:
    """The state of a task whose history ends so."""
    return {FREED: DESTROYED, UNRECORDED: None, ALIVE: None}.get(end, end)


@given(st.data())
def test_whole_histories_come_out_as_they_went_in(data: st.DataObject) -> None:
    """Every step, exact sums, the state of the end; only the living are left."""
    made = data.draw(histories())
    assembler, told = fed(data.draw(interleaved(made)))
    check(told)
    by_id = {life.id: life for life in told.lives}
    assert sorted(by_id) == [one.task for one in made]
    for one in made:
        life, steps = by_id[one.task], [record for record in one.records if record[0] == STEP]
        assert (life.running, life.ready, life.missing) == (one.running, one.ready, 0)
        assert [(s.start, s.end) for s in told.steps[id(life)]] == [(r[5], r[6]) for r in steps]
        assert life.state == state(one.end)
    assert set(assembler.lives) == {one.task for one in made if one.end == ALIVE}
    assert sorted(e[1] for e in told.events if e[0] == "ended") == [one.task for one in made if one.end != ALIVE]


@given(st.data())
def test_what_is_lost_is_counted_exactly(data: st.DataObject) -> None:
    """A task's missing steps are those lost between two that arrived; before the first one if its birth did."""
    made = data.draw(histories())
    records = data.draw(interleaved(made))
    kept = [record for record in records if data.draw(st.booleans())]
    assembler, told = fed(kept)
    check(told)
    arrived = {id(record) for record in kept}
    ended = {one.task for one in made if one.end != ALIVE and id(one.records[-1]) in arrived}
    assert not ended & set(assembler.lives)
    for life in told.lives:
        one = made[life.id - 1]
        came = [record[2] for record in one.records if record[0] == STEP and id(record) in arrived]
        first = 0 if id(one.records[0]) in arrived else min(came, default=0)
        assert life.missing == (max(came) + 1 - first - len(came) if came else 0)
        assert life.late == (one.records[0][9] if id(one.records[0]) in arrived else True)


@given(st.data())
def test_what_comes_twice_is_told_once(data: st.DataObject) -> None:
    """Repeated births, steps and ends, even after the end, change nothing."""
    made = data.draw(histories())
    records = data.draw(interleaved(made))
    _, told = fed(records)
    assembler, again = fed(data.draw(repeated(records)))
    assert again.events == told.events
    assert set(assembler.lives) == {one.task for one in made if one.end == ALIVE}


_time = st.integers(0, 60)
_garbled = st.one_of(
    st.builds(birth, st.integers(1, 2), _time, late=st.booleans()),
    st.builds(
        step, st.integers(1, 2), st.integers(0, 9), _time, _time, _time, st.sampled_from([None, None, "returned"])
    ),
    st.builds(gone, st.integers(1, 2), _time, st.booleans()),
)


@given(st.lists(_garbled, max_size=20))
@example([birth(1, 50), step(1, 0, 10, 20, 60)])
@example([step(1, 0, 30, 20, 10), step(1, 1, 5, 5, 5)])
def test_whatever_comes_in_lives_are_consistent(records: list[Record]) -> None:
    """Records of two tasks in any order, with any times."""
    _, told = fed(records)
    check(told)


@given(st.data())
def test_chunks_tell_the_same_as_the_whole(data: st.DataObject) -> None:
    """However the records are cut into rounds."""
    made = data.draw(histories())
    records = data.draw(interleaved(made))
    whole, told = fed(records)
    again = Told()
    assembler = Assembler(again)
    rest = records
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        for record in rest[:size]:
            assembler.feed(record)
        rest = rest[size:]
    assert again.events == told.events
    assert set(assembler.lives) == set(whole.lives)


def test_histories_are_not_trivial() -> None:
    """The strategy's building block: three steps, one after a bare yield, as capture writes them."""
    from tests.property.strategies import history

    one: History = history(7, 100, [(0, 5, 10, False), (0, 3, 20, True), (1, 2, 30, False)], "returned", False, 1)
    assert one.records[0] == birth(7, 100) or one.records[0][0] == BIRTH
    assert [(r[2], r[4][0], r[4][1], r[5], r[6]) for r in one.records[1:]] == [
        (0, 100, "task", 105, 115),
        (1, 0, YIELD, 118, 138),
        (2, 139, "task", 141, 171),
    ]
    assert (one.running, one.ready) == (60, 10)


def test_a_yield_after_a_gap_was_not_ready_all_the_while() -> None:
    """A bare yield is ready from its own last end; where that step is not known, from its start."""
    _, told = fed([birth(1, 0), step(1, 0, 0, 10, 20), step(1, 5, 0, 9_000, 9_010, kind=YIELD)])
    assert [event[2].start - event[2].ready for event in told.events if event[0] == "stepped"] == [10, 0]
    assert told.lives[0].missing == 4
