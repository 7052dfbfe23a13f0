"""Runs a coroutine function without loopscope and with it, and compares what it observed."""

from __future__ import annotations

import asyncio
import difflib
import gc
import re
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from loopscope import runtime
from tests.support import LOOPS, Story, recording

#: a program observes by appending lines
Log = list[str]
Program = Callable[[Log], Coroutine[Any, Any, Any]]


def plain(text: object) -> str:
    """A text without what differs from run to run: addresses, a timer's due time, the numbers of unnamed tasks."""
    for found, instead in ((r"0x[0-9a-f]+", "0x"), (r"when=[\d.]+", "when=N"), (r"Task-\d+", "Task-N")):
        text = re.sub(found, instead, str(text))
    return str(text)


def both(program: Program, loop: str = "asyncio", *, debug: bool = False, steps: int = 1) -> Log:
    """What the program observed, the same with loopscope as without; with it, `steps` were recorded at least."""
    (without, _), (with_it, recorded) = [_observe(program, loop, debug, on) for on in (False, True)]
    assert with_it == without, "\n".join(difflib.unified_diff(without, with_it, "without", "with", lineterm=""))
    assert recorded >= steps, "loopscope recorded too little to prove anything"
    return without


def _observe(program: Program, loop: str, debug: bool, on: bool) -> tuple[Log, int]:
    log: Log = []
    with uncollected(), recording() if on else nullcontext(Story([])) as story:
        LOOPS[loop](program(log), debug=debug)
        assert not on or runtime.statistics()["recording"], "loopscope switched itself off"
        observed = list(log)  # what a later collection adds is another matter
    return observed, len(story.steps)


@contextmanager
def uncollected() -> Iterator[None]:
    """No automatic garbage collection inside: what dies, dies by its reference count."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def handler(log: Log, without: tuple[str, ...] = ()) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """A loop's exception handler that writes all it is told."""

    def handle(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        log.extend(f"{key}: {plain(value)}" for key, value in sorted(context.items()) if key not in without)

    return handle
