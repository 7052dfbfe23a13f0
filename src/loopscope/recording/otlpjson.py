"""Reads OTLP JSON as it is really written: ids in hex or base64, kinds as numbers or names, old names of scopes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Any

from loopscope.recording.spans import KINDS, STATUSES, Event, Link, Span, number

_HEX = re.compile(r"[0-9a-fA-F]+")


def spans(message: Any) -> Iterator[Span]:
    """The spans of an object with `resourceSpans`, or `batches` as Tempo and Grafana say.

    Raises ValueError, KeyError, TypeError or AttributeError where it is not that.
    """
    for of_resource in message["resourceSpans"] if "resourceSpans" in message else message["batches"]:
        resource = pairs((of_resource.get("resource") or {}).get("attributes"))
        for of_scope in _first(of_resource, "scopeSpans", "instrumentationLibrarySpans"):
            scope = of_scope.get("scope") or of_scope.get("instrumentationLibrary") or {}
            for span in of_scope.get("spans") or ():
                yield _span(span, scope, resource)


def _first(owner: dict[str, Any], *names: str) -> Sequence[Any]:
    return next((owner[name] for name in names if owner.get(name)), ())


def _span(span: dict[str, Any], scope: dict[str, Any], resource: dict[str, Any]) -> Span:
    status = span.get("status") or {}
    return Span(
        trace_id=identity(span["traceId"], 16),
        span_id=identity(span["spanId"], 8),
        parent_id=identity(span.get("parentSpanId") or "", 8),
        name=str(span.get("name") or ""),
        kind=_enum(span.get("kind"), KINDS, "SPAN_KIND_"),
        start=number(span.get("startTimeUnixNano")),
        end=number(span.get("endTimeUnixNano")),
        attributes=pairs(span.get("attributes")),
        links=tuple(_link(link) for link in span.get("links") or ()),
        events=tuple(_event(event) for event in span.get("events") or ()),
        status=_enum(status.get("code"), STATUSES, "STATUS_CODE_"),
        message=str(status.get("message") or ""),
        scope=str(scope.get("name") or ""),
        scope_version=str(scope.get("version") or ""),
        resource=resource,
    )


def _link(link: dict[str, Any]) -> Link:
    return Link(identity(link["traceId"], 16), identity(link["spanId"], 8), pairs(link.get("attributes")))


def _event(event: dict[str, Any]) -> Event:
    return Event(str(event.get("name") or ""), number(event.get("timeUnixNano")), pairs(event.get("attributes")))


def identity(value: str, size: int) -> str:
    """An id of `size` bytes in lower-case hex, also from base64; empty for none. Raises ValueError for no id."""
    if not value or value.strip("0") == "":
        return ""
    if len(value) <= 2 * size and _HEX.fullmatch(value):  # base64 of 8 or 16 bytes ends in `=`
        return value.lower().zfill(2 * size)
    try:
        raw = base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError(f"{value!r} is no id") from None
    if len(raw) != size:
        raise ValueError(f"{value!r} is no id")
    return raw.hex() if any(raw) else ""


def _enum(value: Any, names: Sequence[str], prefix: str) -> str:
    if isinstance(value, str) and not value.isdigit():
        return value.removeprefix(prefix)
    at = number(value)
    return names[at] if 0 <= at < len(names) else names[0]


def pairs(written: Any) -> dict[str, Any]:
    """Attributes of key-values; those that are broken are passed by."""
    made: dict[str, Any] = {}
    for pair in written or ():
        if isinstance(pair, dict) and isinstance(pair.get("key"), str):
            made[pair["key"]] = _value(pair.get("value"))
    return made


def _value(value: Any) -> Any:
    if not isinstance(value, dict):
        return None
    for kind, item in value.items():
        match kind:
            case "stringValue" | "boolValue" | "bytesValue":
                return item
            case "intValue":
                return number(item, 0)
            case "doubleValue":
                return _double(item)
            case "arrayValue":
                return [_value(part) for part in (item or {}).get("values") or ()]
            case "kvlistValue":
                return pairs((item or {}).get("values"))
    return None


def _double(item: Any) -> float | None:
    """NaN and the infinities are written as text."""
    try:
        return float(item)
    except (TypeError, ValueError):
        return None
