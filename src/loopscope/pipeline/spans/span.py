"""A span as loopscope makes it, before it is encoded for anyone."""

from __future__ import annotations

from typing import Any, NamedTuple

from loopscope import conventions as c
from loopscope.model import Where

Attribute = bool | int | float | str
Attributes = list[tuple[str, Any]]


class Link(NamedTuple):
    """An edge to another span, with its attributes."""

    trace_id: int
    span_id: int
    attributes: Attributes


class Event(NamedTuple):
    """Something that happened in a span, at a reading of the clock in nanoseconds."""

    name: str
    time: int
    attributes: Attributes


class Said:
    """Attributes that many spans share. They are encoded once."""

    __slots__ = ("attributes", "encoded")

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes
        #: as OTLP has them in a span; None before the first is encoded
        self.encoded: bytes | None = None


class Whose:
    """The same, of a task's steps: whose they are, and where they ran. There is one for each living task."""

    __slots__ = ("encoded", "name", "where")

    def __init__(self, name: str, where: Where) -> None:
        self.name = name
        self.where = where
        self.encoded: bytes | None = None

    @property
    def attributes(self) -> Attributes:
        """See Said."""
        return [(c.TASK_NAME, self.name), (c.THREAD_ID, self.where.thread), (c.LOOP_ID, self.where.loop)]


class Span:
    """A finished span. Times are nanoseconds of the clock; ids are integers, 0 for no parent."""

    __slots__ = (
        "alone", "end", "error", "events", "links", "name", "parent_id", "parent_remote", "printed", "shared",
        "span_id", "start", "trace_id", "trace_state",
    )  # fmt: skip

    def __init__(
        self, name: str, trace_id: int, span_id: int, parent_id: int, start: int, end: int, alone: Attributes,
        links: list[Link] | None = None, error: bool = False, trace_state: Any = None, parent_remote: bool = False,
        events: list[Event] | None = None, shared: tuple[Said | Whose, ...] = (),
    ) -> None:  # fmt: skip
        self.name = name
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_id = parent_id
        self.parent_remote = parent_remote
        self.start = start
        self.end = end
        #: attributes that it has alone, and those that it shares with others
        self.alone = alone
        self.shared = shared
        self.links = links
        self.error = error
        self.trace_state = trace_state
        self.events = events
        #: events for trace files alone: what the program prints is no backend's business
        self.printed: list[Event] | None = None

    @property
    def attributes(self) -> Attributes:
        """All of them."""
        return [*(one for said in self.shared for one in said.attributes), *self.alone]
