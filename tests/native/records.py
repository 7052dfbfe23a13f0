"""What a core records of a program, without what differs from run to run."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

from loopscope.capture.buffer import Buffer
from loopscope.capture.core import Core
from loopscope.capture.gate import Gate
from loopscope.model import BIRTH, IO, STEP, CancelRequest, Place, Record, Wait
from loopscope.pipeline.spans.application import Application
from tests.support import LOOPS

Program = Callable[[], Coroutine[Any, Any, Any]]


def recorded(kind: type[Core], program: Program, loop: str, debug: bool = False) -> tuple[list[Record], Core]:
    """The records of a program by a core of this class, and the core."""
    buffer = Buffer(1_000_000)
    core = kind(buffer, lambda name: "excluded" not in name, lambda: None)
    seen = Application(buffer.put_vital, 0)
    core.current, core.current_in, core.describe = seen.current, seen.current_in, seen.describe
    core.deaf = not seen.heard
    gate = Gate(core)
    gate.install()
    try:
        LOOPS[loop](program(), debug=debug)
    finally:
        gate.remove()
        records = list(buffer.queue)
        core.release()
    return records, core


def timeless(records: list[Record]) -> list[Any]:
    """Births, steps and ends, with tasks counted from one, and times only as far as they are there."""
    ids = {record[1]: number for number, record in enumerate((r for r in records if r[0] == BIRTH), 1)}
    ids[0] = 0
    told = []
    for record in records:
        tag, task, *rest = record
        if tag == STEP:
            index, where, how, start, end, outcome, awaiting, place, lasti, span, activated, after, name, *ending = rest
            assert start <= end and how[0] <= start, record
            since, kind, waker, step, by = how
            told.append(
                ("step", ids[task], index, where.thread_name, since > 0, kind, ids[waker], step if kind != IO else 0,
                 _plain(by), outcome, _plain(awaiting), _plain(place), lasti, span, activated, after, _plain(name),
                 *ending[:2], ending[2] is None)
            )  # fmt: skip
        elif tag == BIRTH:
            _, _, name, place, creator, step, span, late = rest
            told.append(("birth", ids[task], _plain(name), _plain(place), ids[creator], step, span, late))
        elif task in ids:
            told.append((tag, ids[task]))
    return told


def _plain(thing: Any) -> Any:
    if isinstance(thing, Place):
        return thing.function, thing.line
    if isinstance(thing, Wait):
        return _plain(thing.name), [(name, type(v) if isinstance(v, float) else v) for name, v in thing.details]
    if isinstance(thing, CancelRequest):
        return _plain(thing.name), _plain(thing.place), thing.line, thing.message
    return re.sub(r"Task-\d+", "Task-N", thing) if isinstance(thing, str) else thing
