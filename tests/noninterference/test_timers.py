"""Timers with odd times: an endless sleep, such as anyio's sleep_forever, and worse."""

from __future__ import annotations

import asyncio
import math
from fractions import Fraction

import pytest

from tests.noninterference.both import Log, both, plain
from tests.scenarios.tasks import quick
from tests.support import LOOPS


class Rude(float):
    """A number that is not to be reckoned with."""

    def refuse(self, *_: object) -> float:
        raise RuntimeError

    __sub__ = __rsub__ = __mul__ = __float__ = __int__ = refuse  # type: ignore[assignment]


TIMES = {
    "infinite": math.inf, "no number": math.nan, "long past": -math.inf, "negative": -1, "zero": 0, "true": True,
    "huge": 10**400, "a fraction": Fraction(1, 1000), "a text": "1", "nothing": None,
    "rude": Rude(0.001),
}  # fmt: skip


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("method", ["call_later", "call_at"])
def test_odd_times(loop: str, time: str, method: str) -> None:
    async def program(log: Log) -> None:
        try:
            handle = getattr(asyncio.get_running_loop(), method)(TIMES[time], int)
        except Exception as error:
            log.append(f"{type(error).__name__}: {error}")
        else:
            log.append(plain(type(handle).__name__))
            if method == "call_at" and isinstance(handle, asyncio.TimerHandle):
                log.append(f"{handle.when() == TIMES[time]}")
            handle.cancel()
        await asyncio.create_task(quick())

    both(program, loop, steps=3)


@pytest.mark.parametrize("loop", LOOPS)
def test_endless_sleep(loop: str) -> None:
    async def program(log: Log) -> None:
        task = asyncio.create_task(asyncio.sleep(math.inf))
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        log.append(f"done {task.done()}")
        task.cancel()
        await asyncio.wait([task])
        log.append(f"cancelled {task.cancelled()}")

    assert both(program, loop, steps=6) == ["done False", "cancelled True"]
