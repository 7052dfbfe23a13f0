"""The native core: the Python core with what it does per step in C. Importing this fails where it cannot serve.

What is rare goes through the Python core's own methods: uncommon births, cancellations.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import loopscope._native as _native
from loopscope import uncollected
from loopscope.capture import births, private
from loopscope.capture.core import Core
from loopscope.capture.interrupts import is_interrupt
from loopscope.threads import Bell

uncollected.weight = _native.Weight


class NativeCore(_native.Core, Core):
    """A core whose stand-ins, gates and records are made in C."""

    name = "native"
    life = _native.Life
    bind = show = _native.Step
    callback = _native.Callback
    select = _native.Select
    collected = _native.Collected
    # On one processor nobody can watch for a step's end.
    bell = getattr(_native, "Bell", Bell) if private.processors() > 1 else Bell
    pause = staticmethod(getattr(_native, "pause", time.sleep) if private.processors() > 1 else time.sleep)

    def guards(self, original: Any, gate: Any, *debugging: Any) -> Any:
        return _native.Gate(self, original, gate, *debugging)

    def spawns(self, original: Any, gate: Any) -> Any:
        return _native.Gate(self, original, gate, spawns=True)

    def watch_tasks(self, on: bool) -> None:
        if private.EAGER and private.Task.__module__ == "_asyncio":
            _native.watch_tasks(private.Task, partial(births.construct, self) if on else None)

    def run_as(self, name: str) -> Any:
        return self  # a stand-in shows the callback's own name

    def _make_run(self) -> Any:
        return self

    def failing(self, error: Exception) -> bool:
        """As `fail`, for an error that came to light in C. Whether it is to be raised on."""
        if is_interrupt(error):
            return True
        try:
            raise error
        except Exception:
            self.fail()
        return False
