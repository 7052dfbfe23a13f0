"""What of a batch did not arrive: all of it, or the part of which the receiver says that it did not take it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse


class Loss(NamedTuple):
    """How many spans of a batch did not arrive, and why."""

    spans: int
    reason: str


def rejected(answer: ExportTraceServiceResponse) -> Loss | None:
    """What a receiver that took a request says it did not take of it: OTLP's partial success. None for nothing."""
    said = answer.partial_success
    if said.rejected_spans <= 0:
        return None
    return Loss(said.rejected_spans, said.error_message or "it rejected some of them, and does not say why")


def rejected_in(kind: str, body: bytes) -> Loss | None:
    """The same of an HTTP answer of this content type."""
    if not body or not kind.startswith("application/x-protobuf"):
        return None
    # An exporter has imported these; where there is none, they would be imported in vain.
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:
        return rejected(ExportTraceServiceResponse.FromString(body))
    except DecodeError:  # it took the request, whatever it says
        return None
