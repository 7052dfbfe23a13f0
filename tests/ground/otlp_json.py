"""Reads OTLP JSON (Jaeger's API, trace files) into spans."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.ground.spans import KINDS, STATUS_CODES, Attributes, Event, Link, Span

Json = Mapping[str, Any]


def spans(traces: Json) -> Iterator[Span]:
    """The spans of one object with `resourceSpans`."""
    for of_resource in traces.get("resourceSpans", ()):
        resource = _attributes(of_resource.get("resource", {}))
        for of_scope in of_resource.get("scopeSpans", ()):
            for span in of_scope.get("spans", ()):
                yield _span(span, resource, of_scope.get("scope", {}))


def _span(span: Json, resource: Attributes, scope: Json) -> Span:
    status = span.get("status", {})
    return Span(
        trace_id=span["traceId"],
        span_id=span["spanId"],
        parent_id=span.get("parentSpanId", ""),
        name=span.get("name", ""),
        kind=_enum(span.get("kind", 0), KINDS, "SPAN_KIND_"),
        start=int(span.get("startTimeUnixNano", 0)),
        end=int(span.get("endTimeUnixNano", 0)),
        attributes=_attributes(span),
        links=tuple(Link(link["traceId"], link["spanId"], _attributes(link)) for link in span.get("links", ())),
        events=tuple(
            Event(event.get("name", ""), int(event.get("timeUnixNano", 0)), _attributes(event))
            for event in span.get("events", ())
        ),
        status_code=_enum(status.get("code", 0), STATUS_CODES, "STATUS_CODE_"),
        status_message=status.get("message", ""),
        resource=resource,
        scope_name=scope.get("name", ""),
        scope_version=scope.get("version", ""),
        trace_state=span.get("traceState", ""),
        flags=int(span.get("flags", 0)),
    )


def _enum(value: int | str, names: Sequence[str], prefix: str) -> str:
    """The short name: by OTLP an enum is a number, but some write its name."""
    return names[value] if isinstance(value, int) else value.removeprefix(prefix)


def _attributes(owner: Json) -> Attributes:
    return _pairs(owner.get("attributes", ()))


def _pairs(pairs: Sequence[Json]) -> Attributes:
    return {pair["key"]: _value(pair.get("value", {})) for pair in pairs}


def _value(value: Json) -> Any:
    match dict(value):
        case {"intValue": number}:
            return int(number)
        case {"doubleValue": number}:
            return float(number)  # NaN and the infinities come as strings
        case {"bytesValue": text}:
            return base64.b64decode(text)
        case {"arrayValue": array}:
            return [_value(item) for item in array.get("values", ())]
        case {"kvlistValue": pairs}:
            return _pairs(pairs.get("values", ()))
        case {"stringValue": plain} | {"boolValue": plain}:
            return plain
    return None
