"""The test ground itself: the stock exporters reach the receiver and Jaeger, and what they sent is read back whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode

from tests.ground.jaeger import Jaeger
from tests.ground.receiver import Receiver
from tests.ground.spans import Span

ATTRIBUTES: dict[str, Any] = {"text": "x", "number": 3, "ratio": 0.5, "yes": True, "several": (1, 2)}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def send(exporter: SpanExporter) -> str:
    """Send a span and its child; the trace's id."""
    provider = TracerProvider(resource=Resource({"service.name": "ground"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests.ground", "1.0")
    with tracer.start_as_current_span("parent", attributes=ATTRIBUTES, kind=SpanKind.SERVER) as parent:
        tracer.start_span("child").end()
        parent.add_link(parent.get_span_context(), {"asyncio.link": "woken_by"})
        parent.add_event("stall", {"depth": 2})
        parent.set_status(Status(StatusCode.ERROR, "broken"))
    provider.shutdown()
    return f"{parent.get_span_context().trace_id:032x}"


def assert_whole(trace_id: str, parent: Span, child: Span) -> None:
    assert (parent.name, parent.trace_id, parent.parent_id, parent.kind) == ("parent", trace_id, "", "SERVER")
    assert (child.name, child.trace_id, child.parent_id, child.kind) == ("child", trace_id, parent.span_id, "INTERNAL")
    assert parent.start <= child.start <= child.end <= parent.end
    assert parent.attributes == {**ATTRIBUTES, "several": [1, 2]}
    assert parent.links == ((trace_id, parent.span_id, {"asyncio.link": "woken_by"}),)
    assert [(event.name, event.attributes) for event in parent.events] == [("stall", {"depth": 2})]
    assert (parent.status_code, parent.status_message) == ("ERROR", "broken")
    assert (parent.resource, parent.scope_name, parent.scope_version) == (
        {"service.name": "ground"},
        "tests.ground",
        "1.0",
    )


def test_receiver_takes_grpc(receiver: Receiver) -> None:
    trace_id = send(GrpcExporter(endpoint=receiver.grpc, insecure=True))
    child, parent = receiver.wait(2)
    assert_whole(trace_id, parent, child)
    assert child.protocol == parent.protocol == "grpc"


@pytest.mark.parametrize("compression", Compression)
def test_receiver_takes_http(receiver: Receiver, compression: Compression) -> None:
    trace_id = send(HttpExporter(endpoint=f"{receiver.http}/v1/traces", compression=compression))
    child, parent = receiver.wait(2)
    assert_whole(trace_id, parent, child)
    encoding = "" if compression is Compression.NoCompression else compression.value
    assert [(request.protocol, request.encoding) for request in receiver.requests()] == [("http", encoding)] * 2


@pytest.mark.parametrize("mode", ["refuse", "hang"])
def test_receiver_misbehaves_and_mends(receiver: Receiver, mode: str) -> None:
    receiver.mode = "refuse" if mode == "refuse" else "hang"
    send(GrpcExporter(endpoint=receiver.grpc, insecure=True, timeout=0.2))
    send(HttpExporter(endpoint=f"{receiver.http}/v1/traces", timeout=0.2))
    protocols = {request.protocol for request in receiver.requests()}
    assert (receiver.spans(), protocols) == ([], {"grpc", "http"})
    receiver.mode = "accept"
    send(HttpExporter(endpoint=f"{receiver.http}/v1/traces"))
    assert len(receiver.wait(2)) == 2


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_jaeger_gives_back_what_it_was_sent(jaeger: Jaeger, protocol: str) -> None:
    exporter = (
        GrpcExporter(endpoint=jaeger.grpc, insecure=True)
        if protocol == "grpc"
        else HttpExporter(endpoint=f"{jaeger.http}/v1/traces", compression=Compression.Gzip)
    )
    trace_id = send(exporter)
    parent, child = jaeger.wait_for(trace_id, spans=2)
    assert_whole(trace_id, parent, child)
    assert "ground" in jaeger.services()
    assert trace_id in jaeger.search("ground", operation="child")
    assert jaeger.search("ground", operation="absent") == []
