"""Makes the SDK's ReadableSpans, for exporters that take nothing else."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from loopscope.model import Anchor
from loopscope.pipeline.spans.span import Span

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_ERROR = Status(StatusCode.ERROR)
_UNSET = Status(StatusCode.UNSET)


def readable(span: Span, anchor: Anchor, resource: Any, scope: InstrumentationScope) -> ReadableSpan:
    """The same span, as the SDK has it."""
    parent = None
    if span.parent_id:
        parent = SpanContext(span.trace_id, span.parent_id, span.parent_remote, _SAMPLED)
    return ReadableSpan(
        name=span.name,
        context=SpanContext(span.trace_id, span.span_id, False, _SAMPLED, span.trace_state),
        parent=parent,
        resource=resource,
        attributes=dict(span.attributes),
        events=[Event(event.name, dict(event.attributes), anchor.unix(event.time)) for event in span.events or ()],
        links=[
            Link(SpanContext(link.trace_id, link.span_id, False, _SAMPLED), dict(link.attributes))
            for link in span.links or ()
        ],
        kind=SpanKind.INTERNAL,
        status=_ERROR if span.error else _UNSET,
        start_time=anchor.unix(span.start),
        end_time=anchor.unix(span.end),
        instrumentation_scope=scope,
    )
