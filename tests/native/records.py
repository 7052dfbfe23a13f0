"""What a core records of a program, without what differs from run to run."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from loopscope.capture.buffer import Buffer
from loopscope.capture.core import Core
from loopscope.capture.gate import Gate
from loopscope.capture.stand_ins import How
from loopscope.model import (
    BIRTH,
    GONE,
    HANDOFF,
    IO,
    MISHAP,
    STEP,
    CancelRequest,
    Place,
    Record,
    SpanIdentity,
    Wait,
    Where,
)  # fmt: skip
from loopscope.pipeline.spans.application import Application, RuntimeContext
from tests.support import LOOPS

#: numbers from here on are the system's: ports and processes
_GIVEN = 300

Program = Callable[[], Coroutine[Any, Any, Any]]


def recorded(
    kind: type[Core], program: Program, loop: str, debug: bool = False, limit: int = 1_000_000
) -> tuple[list[Record], Core]:
    """The records of a program by a core of this class, as many as there is room for, and the core."""
    buffer = Buffer(limit)
    with gated(kind, buffer, lambda name: "excluded" not in name) as core:
        LOOPS[loop](program(), debug=debug)
    return list(buffer.queue), core


@contextmanager
def gated(kind: type[Core], buffer: Buffer, wanted: Callable[[str], bool]) -> Iterator[Core]:
    """A core of this class, which hears of the application's spans, with its gate in place while the block lasts."""
    core = kind(buffer, wanted, lambda: None)
    seen = Application(buffer.put_vital, 0)
    core.current, core.current_in, core.describe = seen.current, seen.current_in, seen.describe
    core.deaf = not seen.heard
    gate = Gate(core)
    gate.install()
    gate.patches.put(RuntimeContext, "attach", seen.attach(core.activate, core.fail))
    gate.patches.put(RuntimeContext, "detach", seen.detach(core.leave, core.fail))
    try:
        yield core
    finally:
        gate.remove()
        core.release()


def timeless(records: list[Record]) -> list[Any]:
    """Births, steps and ends, then hand-offs: a thread tells of one whenever it gets to it.

    Tasks and spans are counted from one; times are told as far as they are there.
    """
    ids: defaultdict[int, int] = defaultdict(lambda: len(ids))
    spans: defaultdict[Any, int] = defaultdict(lambda: len(spans))
    ids[0] = spans[None] = 0  # nobody's

    def seen(span: SpanIdentity | None) -> int:
        return spans[span and (span.trace_id, span.span_id)]

    def step(
        task: int, index: int, where: Where, how: How, start: int, end: int, outcome: str, awaiting: Any, place: Any,
        lasti: int, span: Any, activated: Any, after: Any, name: str, state: Any, error: Any, polls: Any,
    ) -> Any:  # fmt: skip
        since, kind, waker, waker_step, by = how
        assert since <= start <= end
        return (
            ids[task], index, _plain(where.thread_name), since > 0, kind, ids[waker], waker_step if kind != IO else 0,
            _plain(by), outcome, _plain(awaiting), _plain(place), lasti, seen(span), [*map(seen, activated or ())],
            seen(after), _plain(name), state, error, polls is None,
        )  # fmt: skip

    told: list[Any] = []
    passed: list[Any] = []
    for tag, *rest in records:
        if tag == STEP:
            told.append(("step", *step(*rest)))
        elif tag == BIRTH:
            task, _, _, name, place, creator, creator_step, span, late = rest
            told.append(("birth", ids[task], _plain(name), _plain(place), ids[creator], creator_step, seen(span), late))
        elif tag == GONE:
            told.append(("gone", ids[rest[0]], rest[2]))
        elif tag == MISHAP:
            told.append(("mishap", ids[rest[0]], rest[2]))
        elif tag == HANDOFF:
            passed.append(("handoff", ids[rest[0].task], rest[0].step, rest[0].function, rest[0].error))
    return told + passed


def _plain(thing: Any) -> Any:
    """Without what the system gives: numbers of ports, processes and names, and how long something took."""
    if isinstance(thing, Place):
        return thing.function, thing.line
    if isinstance(thing, Wait):
        return _plain(thing.name), [(name, _plain(value)) for name, value in thing.details]
    if isinstance(thing, CancelRequest):
        return _plain(thing.name), _plain(thing.place), thing.line, thing.message
    if isinstance(thing, float) or (isinstance(thing, int) and thing >= _GIVEN):
        return type(thing).__name__
    return re.sub(r"(Task-|_|:)\d+$", r"\1N", thing) if isinstance(thing, str) else thing
