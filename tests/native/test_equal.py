"""Both cores write the same records, times aside."""

from __future__ import annotations

import random
from typing import Any

import pytest

from loopscope.capture.core import Core
from tests.native.programs import PROGRAMS, yielding
from tests.native.records import Program, recorded, timeless
from tests.property.test_programs import CORE, World
from tests.support import LOOPS

native = pytest.importorskip("loopscope.capture.native", exc_type=ImportError)

#: what `World` does whose order does not hang on time
ORDERED = [name for name in CORE if name not in ("sleep", "thread", "timeout")]
#: the order in which a set is walked, and timers on a busy machine, make other sequences of one program
TRIES = 15


def compare(program: Program, loop: str, debug: bool = False) -> None:
    """Fails where the cores have no sequence in common."""
    told: dict[type[Core], list[Any]] = {Core: [], native.NativeCore: []}
    for _ in range(TRIES):
        for kind, sequences in told.items():
            records, core = recorded(kind, program, loop, debug)
            assert core.errors == 0
            sequences.append(timeless(records))
        if told[Core][-1] in told[native.NativeCore] or told[native.NativeCore][-1] in told[Core]:
            return
    assert told[native.NativeCore][-1] == told[Core][-1]


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("loop", LOOPS)
def test_programs(loop: str, program: Program, debug: bool) -> None:
    compare(program, loop, debug)


@pytest.mark.parametrize("limit", [0, 8, 16, 24])
def test_a_full_buffer(limit: int) -> None:
    """The same births, steps and ends find room, and as many do not."""

    async def program() -> None:
        await yielding()
        await yielding()

    told = []
    for kind in (Core, native.NativeCore):
        records, core = recorded(kind, program, "asyncio", limit=limit)
        assert core.errors == 0
        told.append((timeless(records), core.buffer.dropped))
    assert told[0] == told[1] and told[0][1] > 0


@pytest.mark.parametrize("seed", range(25))
def test_random_programs(seed: int) -> None:
    chance = random.Random(seed)
    plans = [chance.choices(ORDERED, k=chance.randint(1, 6)) for _ in range(chance.randint(1, 5))]
    compare(lambda: World(plans).main(), "asyncio")
