"""A real OTLP receiver, gRPC and HTTP, that keeps the spans and metrics it is sent, and misbehaves on demand."""

from __future__ import annotations

import ssl
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Any, ClassVar, Literal

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.ground import spans

Protocol = Literal["grpc", "http"]
Mode = Literal["accept", "partly", "refuse", "hang", "moved"]

#: of each request in the mode `partly`, and why: at length
REJECTED = 2
REASON = "too many for this test" + " and this one" * 10_000

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
_METRICS = "opentelemetry.proto.collector.metrics.v1.MetricsService"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSpan(spans.Span):
    """A span with how it came; `arrived` is of time.monotonic()."""

    arrived: float
    protocol: Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """One export call, answered or not; `encoding` and `size` (bytes on the wire) are known for HTTP only.

    `headers` has lower-case names: HTTP's headers or gRPC's metadata.
    """

    protocol: Protocol
    spans: int
    encoding: str
    size: int
    arrived: float
    headers: Mapping[str, str]


class Receiver:
    """Listens on 127.0.0.1 while it is entered. `mode` may be changed at any time:

    accept: keeps the spans; partly: all but the first ones, of which it says so; refuse: answers 503 or UNAVAILABLE
    and keeps nothing; hang: keeps nothing, never answers; moved: answers that it is elsewhere, by HTTP.
    A port given (instead of 0, any free one) lets a receiver come back where an earlier one was. `tls`, a file with
    a certificate and its key, makes the HTTP side speak TLS.
    """

    def __init__(
        self, mode: Mode = "accept", *, grpc_port: int = 0, http_port: int = 0, tls: Path | None = None
    ) -> None:
        self.mode: Mode = mode
        self._changed = Condition()
        self._spans: list[ReceivedSpan] = []
        self._requests: list[ReceivedRequest] = []
        self._metrics: list[metrics_pb2.ResourceMetrics] = []
        self._closing = Event()
        self._grpc, self.grpc_port = _grpc_server(self, grpc_port)
        self._http = _HttpServer(self, http_port)
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.http_port: int = self._http.server_port

    @property
    def grpc(self) -> str:
        """The endpoint for OTEL_EXPORTER_OTLP_ENDPOINT with grpc."""
        return f"http://127.0.0.1:{self.grpc_port}"

    @property
    def http(self) -> str:
        """The base endpoint for OTEL_EXPORTER_OTLP_ENDPOINT with http/protobuf, without /v1/traces."""
        return f"http://127.0.0.1:{self.http_port}"

    def __enter__(self) -> Receiver:
        self._grpc.start()
        Thread(target=self._http.serve_forever, args=(0.05,), name="receiver-http", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._grpc.stop(0).wait()
        self._http.shutdown()
        self._http.server_close()

    def spans(self) -> list[ReceivedSpan]:
        """What has come so far, in order of arrival."""
        with self._changed:
            return list(self._spans)

    def metrics(self) -> list[metrics_pb2.ResourceMetrics]:
        """The metrics so far, in order of arrival."""
        with self._changed:
            return list(self._metrics)

    def wait_for_metrics(self, timeout: float = 10.0) -> list[metrics_pb2.ResourceMetrics]:
        """The metrics, once there are any; TimeoutError after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._metrics), timeout):
                raise TimeoutError(f"after {timeout} s there were no metrics")
            return list(self._metrics)

    def take_metrics(self, request: ExportMetricsServiceRequest) -> bool:
        """Keep them, in the mode `accept`. Whether it was."""
        with self._changed:
            if self.mode == "accept":
                self._metrics += request.resource_metrics
                self._changed.notify_all()
            return self.mode == "accept"

    def requests(self) -> list[ReceivedRequest]:
        """The calls so far, the refused and the hanging ones too."""
        with self._changed:
            return list(self._requests)

    def clear(self) -> None:
        """Forget what has come."""
        with self._changed:
            self._spans.clear()
            self._requests.clear()
            self._metrics.clear()

    def wait(self, wanted: int | Callable[[list[ReceivedSpan]], bool], timeout: float = 10.0) -> list[ReceivedSpan]:
        """The spans, once there are `wanted` of them or it is true of them; TimeoutError after `timeout` seconds."""
        enough = (lambda so_far: len(so_far) >= wanted) if isinstance(wanted, int) else wanted
        with self._changed:
            if not self._changed.wait_for(lambda: enough(list(self._spans)), timeout):
                names = [span.name for span in self._spans[:20]]
                raise TimeoutError(f"after {timeout} s there were {len(self._spans)} spans, the first of them {names}")
            return list(self._spans)

    def wait_for_requests(self, count: int, timeout: float = 10.0) -> list[ReceivedRequest]:
        """The calls, once there are `count` of them, answered or not; TimeoutError after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._requests) >= count, timeout):
                raise TimeoutError(f"after {timeout} s there were {len(self._requests)} requests")
            return list(self._requests)

    def take(
        self,
        request: ExportTraceServiceRequest,
        protocol: Protocol,
        headers: Mapping[str, str],
        encoding: str = "",
        size: int = 0,
    ) -> Mode | None:
        """Deal with one call in the present mode, which is returned; None if the receiver closed meanwhile."""
        mode, arrived = self.mode, time.monotonic()
        received = list(_flatten(request, protocol, arrived))
        with self._changed:
            if self._closing.is_set():
                return None
            self._requests.append(
                ReceivedRequest(
                    protocol=protocol,
                    spans=len(received),
                    encoding=encoding,
                    size=size,
                    arrived=arrived,
                    headers=headers,
                )
            )
            if mode in ("accept", "partly"):
                self._spans += received[REJECTED if mode == "partly" else 0 :]
            self._changed.notify_all()
        if mode == "hang":
            self._closing.wait()
            return None
        return mode


def _answer(mode: Mode | None) -> ExportTraceServiceResponse:
    answer = ExportTraceServiceResponse()
    if mode == "partly":
        answer.partial_success.rejected_spans = REJECTED
        answer.partial_success.error_message = REASON
    return answer


def _grpc_server(receiver: Receiver, port: int) -> tuple[grpc.Server, int]:
    def export(request: ExportTraceServiceRequest, context: grpc.ServicerContext) -> ExportTraceServiceResponse:
        metadata = {pair.key: pair.value for pair in context.invocation_metadata() if isinstance(pair.value, str)}
        mode = receiver.take(request, "grpc", metadata)
        if mode not in ("accept", "partly"):
            context.abort(grpc.StatusCode.UNAVAILABLE, "refused by the test")
        return _answer(mode)

    def export_metrics(
        request: ExportMetricsServiceRequest, context: grpc.ServicerContext
    ) -> ExportMetricsServiceResponse:
        if not receiver.take_metrics(request):
            context.abort(grpc.StatusCode.UNAVAILABLE, "refused by the test")
        return ExportMetricsServiceResponse()

    handler = grpc.unary_unary_rpc_method_handler(
        export,
        request_deserializer=ExportTraceServiceRequest.FromString,
        response_serializer=ExportTraceServiceResponse.SerializeToString,
    )
    metrics = grpc.unary_unary_rpc_method_handler(
        export_metrics,
        request_deserializer=ExportMetricsServiceRequest.FromString,
        response_serializer=ExportMetricsServiceResponse.SerializeToString,
    )
    server = grpc.server(ThreadPoolExecutor(16, "receiver-grpc"), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Export": handler}),))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_METRICS, {"Export": metrics}),))
    return server, server.add_insecure_port(f"127.0.0.1:{port}")


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, receiver: Receiver, port: int) -> None:
        super().__init__(("127.0.0.1", port), _HttpHandler)
        self.receiver = receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silence about a client that went away, or that does not trust the certificate."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _HttpHandler(BaseHTTPRequestHandler):
    server: _HttpServer
    protocol_version = "HTTP/1.1"
    # zlib's window bits; 32 more tells gzip from zlib by itself.
    decoders: ClassVar[dict[str, Callable[[bytes], bytes]]] = {
        "": bytes,
        "gzip": lambda body: zlib.decompress(body, 32 + zlib.MAX_WBITS),
        "deflate": lambda body: zlib.decompress(body, 32 + zlib.MAX_WBITS),
    }

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        encoding = self.headers.get("Content-Encoding", "")
        if self.path not in ("/v1/traces", "/v1/metrics"):
            return self._answer(404)
        if self.headers.get("Content-Type") != "application/x-protobuf" or encoding not in self.decoders:
            return self._answer(415)
        message = self.decoders[encoding](body)
        if self.path == "/v1/metrics":
            kept = self.server.receiver.take_metrics(ExportMetricsServiceRequest.FromString(message))
            return self._answer(200 if kept else 503)
        request = ExportTraceServiceRequest.FromString(message)
        headers = {name.lower(): value for name, value in self.headers.items()}
        match self.server.receiver.take(request, "http", headers, encoding, len(body)):
            case ("accept" | "partly") as mode:
                self._answer(200, _answer(mode).SerializeToString())
            case "refuse":
                self._answer(503)
            case "moved":
                self._answer(302)
            case _:
                self.close_connection = True

    def do_GET(self) -> None:
        self._answer(200)

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: a test's output is its own."""


def _flatten(request: ExportTraceServiceRequest, protocol: Protocol, arrived: float) -> Iterator[ReceivedSpan]:
    for of_resource in request.resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield _received(span, resource, of_scope.scope, protocol, arrived)


def _received(
    span: trace_pb2.Span, resource: spans.Attributes, scope: InstrumentationScope, protocol: Protocol, arrived: float
) -> ReceivedSpan:
    return ReceivedSpan(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        kind=spans.KINDS[span.kind],
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        links=tuple(
            spans.Link(link.trace_id.hex(), link.span_id.hex(), _attributes(link.attributes)) for link in span.links
        ),
        events=tuple(
            spans.Event(event.name, event.time_unix_nano, _attributes(event.attributes)) for event in span.events
        ),
        status_code=spans.STATUS_CODES[span.status.code],
        status_message=span.status.message,
        resource=resource,
        scope_name=scope.name,
        scope_version=scope.version,
        trace_state=span.trace_state,
        flags=span.flags,
        arrived=arrived,
        protocol=protocol,
    )


def _attributes(pairs: Iterable[KeyValue]) -> spans.Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case plain:
            return getattr(value, plain)
