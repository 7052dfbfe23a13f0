"""A span as every source gives it, whatever its format was."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Attributes = Mapping[str, Any]

#: by OTLP's numbers
KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
UNSET, OK, ERROR = "UNSET", "OK", "ERROR"
STATUSES = (UNSET, OK, ERROR)

#: a trace id in hex: 32 digits, less the leading zeros that Tempo leaves out, or 16 of old ones
TRACE_ID = re.compile(r"[0-9a-fA-F]{16}|[0-9a-fA-F]{28,32}")

_SECOND = 1e9
#: what a 64-bit count of nanoseconds can hold
_LARGEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Link:
    """A link to another span; the ids in lower-case hex."""

    trace_id: str
    span_id: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Event:
    """An event; `time` in Unix nanoseconds."""

    name: str
    time: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Span:
    """A span. Ids in lower-case hex, `parent_id` empty for a root; times in Unix nanoseconds."""

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
    status: str
    message: str
    scope: str
    scope_version: str
    resource: Attributes


@dataclass(slots=True)
class Spans:
    """What a source holds, and in sentences what it could not give."""

    spans: list[Span] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def add(self, other: Spans) -> None:
        """Put another source's beside them."""
        self.spans += other.spans
        self.missing += other.missing


def text(attributes: Attributes, key: str) -> str:
    """A text, empty where there is none."""
    value = attributes.get(key)
    return value if isinstance(value, str) else "" if value is None else str(value)


def whole(attributes: Attributes, key: str, default: int = 0) -> int:
    """A whole number, the default where there is none."""
    return number(attributes.get(key), default)


def nanoseconds(attributes: Attributes, key: str) -> int:
    """A duration written as seconds; 0 where there is none, and for what is none."""
    value = attributes.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        return 0
    return round(min(max(value, 0), _LARGEST / _SECOND) * _SECOND)


def number(value: Any, default: int = 0) -> int:
    """A whole number, also one that is written as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return default
    try:
        made = int(value)
    except (ValueError, OverflowError):
        return default
    return made if -_LARGEST <= made <= _LARGEST else default
