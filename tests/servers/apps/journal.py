"""What a server's own code knows of its steps: a record that owes nothing to loopscope."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from typing import Any

from opentelemetry import trace

_entry: ContextVar[Entry] = ContextVar("entry")
_numbers = itertools.count()
_journal: list[Entry] = []


@dataclass
class Entry:
    """One coroutine that was driven step by step."""

    label: str
    task: str = ""
    #: the trace it worked for, as its own code saw it; its current span, and whether that was sampled
    trace_id: str = ""
    span_id: str = ""
    sampled: bool = False
    #: one number per step, counted over all entries
    steps: list[int] = field(default_factory=list)
    #: the names of the spans that its own code saw as current
    seen: list[str] = field(default_factory=list)
    #: in which of the steps above it saw them
    looked: list[int] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)


class Driven:
    """Awaits a coroutine, and writes down each time that it is let run."""

    def __init__(self, coroutine: Any, label: str, **more: Any) -> None:
        self._coroutine = coroutine
        self._entry = Entry(label, more=more)

    def __await__(self) -> Generator[Any, Any, Any]:
        _begin(self._entry)
        return _drive(self._coroutine.__await__(), self._entry)


def _begin(entry: Entry) -> None:
    task = asyncio.current_task()
    assert task is not None
    entry.task = task.get_name()
    entry.steps.append(next(_numbers))
    _entry.set(entry)
    _journal.append(entry)


def _drive(steps: Iterator[Any], entry: Entry) -> Generator[Any, Any, Any]:
    value, error = None, None
    while True:
        try:
            wanted = steps.send(value) if error is None else steps.throw(error)  # type: ignore[attr-defined]
        except StopIteration as stop:
            return stop.value
        value, error = None, None
        try:
            value = yield wanted
        except BaseException as thrown:
            error = thrown
        entry.steps.append(next(_numbers))


async def driven(coroutine: Any, label: str, **more: Any) -> Any:
    """Drive a coroutine within the current task."""
    return await Driven(coroutine, label, **more)


async def driven_pieces(pieces: AsyncGenerator[Any, None], label: str) -> AsyncIterator[Any]:
    """The same for an async generator that is the only thing in its task that suspends."""
    entry = Entry(label)
    _begin(entry)
    while True:
        try:
            yield await _Piece(pieces, entry)
        except StopAsyncIteration:
            return


class _Piece:
    def __init__(self, pieces: AsyncGenerator[Any, None], entry: Entry) -> None:
        self._pieces = pieces
        self._entry = entry

    def __await__(self) -> Generator[Any, Any, Any]:
        return _drive(self._pieces.__anext__().__await__(), self._entry)


def look() -> Entry:
    """Note the span that is current here."""
    entry = _entry.get()
    span = trace.get_current_span()
    context = span.get_span_context()
    if not entry.trace_id:
        entry.trace_id, entry.span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        entry.sampled = context.trace_flags.sampled
    entry.seen.append(getattr(span, "name", "") or "none")
    entry.looked.append(len(entry.steps) - 1)
    return entry


def written() -> str:
    """All entries as JSON."""
    return json.dumps([asdict(entry) for entry in _journal])
