"""The native core's dict of lives is one, and packs what is known of tasks that wait without anybody seeing it."""

from __future__ import annotations

import gc
import random
import sys
import tracemalloc
from typing import Any

import pytest

from loopscope.model import UNKNOWN, TaskLife
from loopscope.pipeline.lives import each
from loopscope.pipeline.spans.notes import Notes
from loopscope.pipeline.spans.traces import Trace
from loopscope.pipeline.spans.visit import Visit
from loopscope.settings import Settings
from tests.native.sides import Side, differs
from tests.records import Pulse, birth, step

native = pytest.importorskip("loopscope._native", exc_type=ImportError)


def a_life(chance: random.Random, id: int) -> TaskLife:
    """With anything in its slots."""

    def number() -> int:
        return chance.choice([0, 1, -1, 10**3, -(10**9), chance.getrandbits(62), -(1 << 63), (1 << 63) - 1])

    def thing() -> Any:
        return chance.choice(
            [None, True, "text", (1, 2), 0, 5, -5, 1 << 63, (1 << 64) - 1, 1 << 64, -(1 << 70), 2.5, [], b""]
        )

    life = TaskLife(id, "name", UNKNOWN, number(), thing(), chance.getrandbits(40), number(), thing())
    for name in ("steps", "missing", "last_end", "before", "running", "ready", "cancel_time", "cancel_by", "counted"):
        setattr(life, name, number())
    for name in ("state", "where", "awaiting", "awaits", "contends", "mishaps", "cancel", "late"):
        setattr(life, name, thing())
    if chance.random() < 0.8:
        life.notes = notes = Notes()
        notes.own, notes.above, notes.link, notes.idle = thing(), thing(), thing(), number()  # type: ignore[assignment]
        notes.home = trace = Trace(number(), True, True, 0)
        for _ in range(chance.randrange(4)):
            notes.add(visit := Visit(trace, chance.getrandbits(64), number(), True))
            visit.awaited, visit.group, visit.cursor, visit.last = thing(), thing(), number(), number()  # type: ignore[assignment]
    return life


@pytest.mark.parametrize("awake", [0, 1, 5, 10_000])
@pytest.mark.parametrize("seed", range(5))
def test_it_is_a_dict(seed: int, awake: int) -> None:
    chance, lives, like = random.Random(seed), native.Lives(awake), dict[int, TaskLife]()
    twin = random.Random(seed)
    kept: list[Any] = []
    for turn in range(3_000):
        id = chance.choice([chance.randrange(300), chance.randrange(1 << 40), -chance.randrange(100)])
        what = chance.random()
        if what < 0.4:
            state = chance.getstate()
            lives[id] = a_life(chance, id)
            twin.setstate(state)
            like.pop(id, None)  # the last to come is the last
            like[id] = a_life(twin, id)
        elif what < 0.7:
            id = chance.choice(list(like) or [id])
            assert differs(like.pop(id, None), lives.pop(id, None)) is None
        elif what < 0.9:
            id = chance.choice([*like, id])
            assert (id in like) == (id in lives) and differs(like.get(id), lives.get(id)) is None
            if chance.random() < 0.1:
                kept = [lives.get(id), like.get(id)]
        elif what < 0.905:
            for one in list(like):
                assert differs(like.pop(one), lives.pop(one, None)) is None
        assert len(lives) == len(like) and bool(lives) == bool(like)
        if turn % 100 == 0:
            assert list(lives) == list(like)
            assert [life.id for life in each(lives)] == list(like)
            assert differs(list(like.values()), list(each(lives))) is None
    assert kept[0] is None or differs(kept[1], kept[0]) is None
    for id in [*lives, *lives]:  # who was not asked for yet is not packed
        lives.get(id)
    assert lives.awake <= awake + 3  # those that are kept here, and the last that was asked for
    with pytest.raises(KeyError):
        lives[10**9 + 7]
    with pytest.raises(ValueError, match="negative"):
        native.Lives(-1)


def test_what_somebody_has_stays_as_it_is() -> None:
    """The very object; nor are there two of a visit."""
    lives, chance = native.Lives(0), random.Random(1)
    for id in range(100):
        lives[id] = a_life(chance, id)
    mine = lives.get(7)
    mine.steps = 12345
    visit = Visit(Trace(1, True, True, 0), 1, 0, True)
    lives.get(8).notes = notes = Notes()
    notes.add(visit)
    del notes
    for id in range(100):
        lives.get(id)
    assert lives.get(7) is mine and lives.get(8).notes.visits == (visit,)
    assert lives.awake <= 4


def test_references_and_memory_are_given_back() -> None:
    """Of all that was packed, however it ends."""
    thing = object()

    def filled() -> Any:
        lives = native.Lives(2)
        for id in range(500):
            lives[id] = life = TaskLife(id, "name", UNKNOWN, id, thing, 0, 0, thing)  # type: ignore[arg-type]
            life.notes = Notes()
            del life
            lives.get(id)
        assert lives.awake < 10
        return lives

    before = sys.getrefcount(thing)
    tracemalloc.start()
    try:
        for turn in range(30):
            lives = filled()
            assert sys.getrefcount(thing) == before + 500 + lives.awake  # what is packed has it once
            if turn % 2:
                for id in range(500):
                    lives.pop(id, None)
            del lives
            assert sys.getrefcount(thing) == before
            if turn == 5:
                gc.collect()
                first = tracemalloc.get_traced_memory()[0]
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < first + 20_000
    finally:
        tracemalloc.stop()


def test_who_takes_steps_is_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits since the first is, at once; who took another step once that was ten seconds ago."""
    monkeypatch.setattr("loopscope.pipeline.pipeline.AWAKE", 10)
    side = Side(Settings(metrics=False), True)
    lives = side.pipeline.assembler.lives
    for task in range(1, 101):
        side.feed(birth(task, task, pulse=Pulse()))
    assert lives.awake == 100  # type: ignore[attr-defined]
    for index in range(3):  # nobody is packed before the first step
        for task in range(1, 101):
            side.feed(step(task, index, 1_000 * index + task, 1_000 * index + task, 1_000 * index + task + 1))
        assert lives.awake == (100 if index else 10)  # type: ignore[attr-defined]
