"""Jaeger's own JSON, `{"data": [trace, ...]}`: read from its API and from files, written for its page to open.

It counts in microseconds and knows no attributes of links. What it cannot hold is written beside it, in keys that
Jaeger's page passes by: `startTimeUnixNano`, `endTimeUnixNano`, `timeUnixNano`, and `attributes` of references.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from loopscope.recording.otlpjson import identity
from loopscope.recording.spans import ERROR, KINDS, STATUSES, UNSET, Attributes, Event, Link, Span, number, text

_SERVICE = "service.name"
_KIND, _ERROR = "span.kind", "error"
_STATUS, _MESSAGE = "otel.status_code", "otel.status_description"
_SCOPE, _SCOPE_VERSION = "otel.scope.name", "otel.scope.version"
_CHILD_OF, _FOLLOWS_FROM = "CHILD_OF", "FOLLOWS_FROM"
_EVENT = "event"
#: tags that Jaeger makes of what are no attributes in OpenTelemetry
_MADE = frozenset({_KIND, _ERROR, _STATUS, _MESSAGE, _SCOPE, _SCOPE_VERSION, "internal.span.format", "w3c.tracestate"})


# ---------------------------------------------------------------- read


def spans(message: Any) -> Iterator[Span]:
    """The spans of `{"data": [...]}`. Raises ValueError, KeyError, TypeError or AttributeError where it is not that."""
    for trace in message["data"]:
        processes = {key: _resource(process) for key, process in (trace.get("processes") or {}).items()}
        for span in trace["spans"]:
            yield _span(span, processes.get(span.get("processID"), {}))


def _resource(process: dict[str, Any]) -> dict[str, Any]:
    return {**_tags(process.get("tags")), _SERVICE: str(process.get("serviceName") or "")}


def _span(span: dict[str, Any], resource: Attributes) -> Span:
    tags = _tags(span.get("tags"))
    trace_id = identity(span["traceID"], 16)
    start = number(span.get("startTimeUnixNano"), number(span.get("startTime")) * 1000)
    end = number(span.get("endTimeUnixNano"), start + number(span.get("duration")) * 1000)
    parent, links = _references(span, trace_id)
    failed = tags.get(_ERROR) is True or text(tags, _ERROR) == "true"
    status = text(tags, _STATUS).upper() or (ERROR if failed else UNSET)
    kind = text(tags, _KIND).upper()
    return Span(
        trace_id=trace_id,
        span_id=identity(span["spanID"], 8),
        parent_id=parent,
        name=str(span.get("operationName") or ""),
        kind=kind if kind in KINDS else KINDS[0],
        start=start,
        end=end,
        attributes={key: value for key, value in tags.items() if key not in _MADE},
        links=links,
        events=tuple(_event(log) for log in span.get("logs") or ()),
        status=status if status in STATUSES else UNSET,
        message=text(tags, _MESSAGE),
        scope=text(tags, _SCOPE),
        scope_version=text(tags, _SCOPE_VERSION),
        resource=resource,
    )


def _references(span: dict[str, Any], trace_id: str) -> tuple[str, tuple[Link, ...]]:
    """The parent's id, and the rest as links."""
    parent = identity(span.get("parentSpanID") or "", 8)
    links = []
    for reference in span.get("references") or ():
        other = identity(reference["traceID"], 16), identity(reference["spanID"], 8)
        if reference.get("refType") == _CHILD_OF and other[0] == trace_id and parent in ("", other[1]):
            parent = other[1]
        else:
            links.append(Link(*other, reference.get("attributes") or {}))
    return parent, tuple(links)


def _event(log: dict[str, Any]) -> Event:
    fields = _tags(log.get("fields"))
    name = str(fields.pop(_EVENT, ""))
    return Event(name, number(log.get("timeUnixNano"), number(log.get("timestamp")) * 1000), fields)


def _tags(tags: Any) -> dict[str, Any]:
    return {tag["key"]: _read(tag) for tag in tags or () if isinstance(tag, dict) and isinstance(tag.get("key"), str)}


def _read(tag: dict[str, Any]) -> Any:
    kind, value = tag.get("type"), tag.get("value")
    if kind == "int64":
        return number(value)
    if kind == "float64":
        try:
            return float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return None
    return value


# ---------------------------------------------------------------- write


def write(spans: Iterable[Span]) -> dict[str, Any]:
    """The spans as a document that Jaeger's page opens by upload, without any backend."""
    traces: dict[str, dict[str, Any]] = {}
    known: dict[str, dict[str, str]] = {}
    for span in spans:
        trace = traces.setdefault(span.trace_id, {"traceID": span.trace_id, "spans": [], "processes": {}})
        process = _process(span.resource)
        keys = known.setdefault(span.trace_id, {})
        key = keys.setdefault(json.dumps(process, sort_keys=True), f"p{len(keys) + 1}")
        trace["processes"][key] = process
        trace["spans"].append(_written(span, key))
    return {"data": list(traces.values())}


def _process(resource: Attributes) -> dict[str, Any]:
    tags = [_tag(key, value) for key, value in resource.items() if key != _SERVICE]
    return {"serviceName": text(resource, _SERVICE), "tags": tags}


def _written(span: Span, process: str) -> dict[str, Any]:
    references: list[dict[str, Any]] = []
    if span.parent_id:
        references.append({"refType": _CHILD_OF, "traceID": span.trace_id, "spanID": span.parent_id})
    for link in span.links:
        reference = {"refType": _FOLLOWS_FROM, "traceID": link.trace_id, "spanID": link.span_id}
        references.append({**reference, "attributes": dict(link.attributes)})
    return {
        "traceID": span.trace_id,
        "spanID": span.span_id,
        "operationName": span.name,
        "references": references,
        "startTime": span.start // 1000,
        "duration": max(span.end - span.start, 0) // 1000,
        "startTimeUnixNano": str(span.start),
        "endTimeUnixNano": str(span.end),
        "tags": [_tag(key, value) for key, value in (*span.attributes.items(), *_about(span))],
        "logs": [_log(event) for event in span.events],
        "processID": process,
        "warnings": None,
    }


def _about(span: Span) -> Iterator[tuple[str, Any]]:
    """What OpenTelemetry keeps apart from attributes, as the tags that Jaeger makes of it."""
    if span.kind != KINDS[0]:
        yield _KIND, span.kind.lower()
    if span.scope:
        yield _SCOPE, span.scope
    if span.scope_version:
        yield _SCOPE_VERSION, span.scope_version
    if span.status != UNSET:
        yield _STATUS, span.status
    if span.status == ERROR:
        yield _ERROR, True
    if span.message:
        yield _MESSAGE, span.message


def _log(event: Event) -> dict[str, Any]:
    fields = [_tag(_EVENT, event.name), *(_tag(key, value) for key, value in event.attributes.items())]
    return {"timestamp": event.time // 1000, "timeUnixNano": str(event.time), "fields": fields}


def _tag(key: str, value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"key": key, "type": "bool", "value": value}
    if isinstance(value, int):
        return {"key": key, "type": "int64", "value": value}
    if isinstance(value, float):
        return {"key": key, "type": "float64", "value": value if math.isfinite(value) else str(value)}
    return {"key": key, "type": "string", "value": value if isinstance(value, str) else json.dumps(value)}
