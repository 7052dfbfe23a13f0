"""A record that C writes reads as the tuple that the Python core writes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from loopscope.model import BIRTH, STEP

native = pytest.importorskip("loopscope.capture.native", exc_type=ImportError)

from tests.native.records import recorded  # noqa: E402


async def program() -> None:
    """Steps that yield, wake and end."""
    await asyncio.gather(*(asyncio.sleep(wait) for wait in (0, 0, 0, 0.001, 0.002)))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_it_reads_as_a_tuple(loop: str) -> None:
    """By index, in slices, one after the other, compared and shown."""
    records, _ = recorded(native.NativeCore, program, loop)
    steps = [record for record in records if type(record) is native._native.Record]
    rare = 3  # the first step of each run of the loop
    assert len(steps) >= sum(record[0] == STEP for record in records) - rare > 6
    assert {type(record) for record in records if record[0] == BIRTH} == {tuple}
    for step in steps:
        (*items,) = step
        plain = tuple(items)
        assert len(step) == len(plain) == 18 and type(plain[4]) is tuple and len(plain[4]) == 5
        assert [step[place] for place in range(-18, 18)] == [*plain, *plain]
        assert step[3:9:2] == plain[3:9:2] and step[-1:] == plain[-1:]
        assert step == plain and plain == step and step == step and step != plain[1:]
        assert repr(step) == repr(plain)
        assert sum(other == step for other in steps) == 1


def test_it_refuses_what_it_cannot_do() -> None:
    """As any sequence does; and nobody else makes one."""
    kind = native._native.Record
    step: Any = next(record for record in recorded(native.NativeCore, program, "uvloop")[0] if type(record) is kind)
    for place, error in ((18, IndexError), (-19, IndexError), ("start", TypeError), (None, TypeError)):
        with pytest.raises(error):
            step[place]
    with pytest.raises(TypeError):
        hash(step)
    with pytest.raises(TypeError):
        kind()
