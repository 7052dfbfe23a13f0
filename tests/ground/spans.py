"""A span as a backend holds it: what the receiver and Jaeger answer, the same shape for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Attributes = Mapping[str, Any]

# By OTLP's numbers.
KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUS_CODES = ("UNSET", "OK", "ERROR")


class Link(NamedTuple):
    """A link; the ids in hex."""

    trace_id: str
    span_id: str
    attributes: Attributes


class Event(NamedTuple):
    """A span event; `time` in nanoseconds since the epoch."""

    name: str
    time: int
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span. Ids in hex, `parent_id` empty for a root; `start` and `end` in nanoseconds since the epoch."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    start: int
    end: int
    attributes: Attributes
    links: tuple[Link, ...]
    events: tuple[Event, ...]
    status_code: str
    status_message: str
    resource: Attributes
    scope_name: str
    scope_version: str
    trace_state: str
    flags: int
