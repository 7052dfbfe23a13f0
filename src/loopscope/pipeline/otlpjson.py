"""Encodes spans as OTLP JSON, for trace files."""

from __future__ import annotations

from json import dumps  # as it was: an application's tests replace it in its module
from typing import Any

from loopscope.model import Anchor
from loopscope.pipeline.spans.span import Span
from loopscope.recording.writer import attributes, text


def encode(span: Span, anchor: Anchor) -> str:
    """The span as one JSON object."""
    made: dict[str, Any] = {
        "traceId": f"{span.trace_id:032x}",
        "spanId": f"{span.span_id:016x}",
        "name": text(span.name),
        "kind": 1,
        "startTimeUnixNano": str(anchor.unix(span.start)),
        "endTimeUnixNano": str(anchor.unix(span.end)),
        "attributes": attributes(span.attributes),
        "status": {"code": 2} if span.error else {},
        "flags": 0x300 if span.parent_remote else 0x100,
    }
    if span.parent_id:
        made["parentSpanId"] = f"{span.parent_id:016x}"
    if span.events or span.printed:
        made["events"] = [
            {
                "timeUnixNano": str(anchor.unix(event.time)),
                "name": text(event.name),
                "attributes": attributes(event.attributes),
            }
            for event in (*(span.events or ()), *(span.printed or ()))
        ]
    if span.links:
        made["links"] = [
            {
                "traceId": f"{link.trace_id:032x}",
                "spanId": f"{link.span_id:016x}",
                "attributes": attributes(link.attributes),
                "flags": 0x100,
            }
            for link in span.links
        ]
    if span.trace_state:
        made["traceState"] = ",".join(f"{key}={item}" for key, item in span.trace_state.items())
    return dumps(made)
