"""The stock OTLP/gRPC exporter, built anew and handed bytes."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import opentelemetry.exporter.otlp.proto.grpc.exporter as stock
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace.export import SpanExportResult

from loopscope.pipeline.export.targets import Quiet, private_random

#: names of gRPC's own threads, as its core gives them
_THREADS = ("event_engine", "grpc_global_tim", "lifeguard")
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

Stock = OTLPSpanExporter


def takes_bytes() -> bool:
    """Whether this version has the insides that RawExporter overrides."""
    return all(
        callable(getattr(OTLPSpanExporter, name, None))
        for name in ("_initialize_channel_and_stub", "_translate_data", "_export")  # `_count_data` came with 1.42
    )


def settings_of(exporter: Any) -> dict[str, Any]:
    """The arguments that build an exporter like this one anew."""
    return {
        "endpoint": exporter._endpoint,
        "insecure": exporter._insecure,
        "credentials": exporter._credentials,
        "headers": exporter._headers,
        "timeout": exporter._timeout,
        "compression": exporter._compression,
    }


class _RawStub:
    def __init__(self, channel: Any) -> None:
        self.Export = channel.unary_unary(
            _EXPORT, request_serializer=None, response_deserializer=ExportTraceServiceResponse.FromString
        )


class RawExporter(OTLPSpanExporter):
    """Takes (bytes, number of spans) in place of spans."""

    def _initialize_channel_and_stub(self) -> None:
        super()._initialize_channel_and_stub()  # type: ignore[no-untyped-call]
        self._client: Any = _RawStub(self._channel)

    def _translate_data(self, data: Any) -> Any:
        return data[0]

    def _count_data(self, data: Any) -> int:
        return int(data[1])


class GrpcSender:
    """Sends by the exporter's own loop: its retry, TLS, headers, compression and timeout."""

    def __init__(self, exporter: RawExporter) -> None:
        self._exporter = exporter
        self.where = exporter._endpoint
        self._shut = False
        self._quiet = Quiet(stock.__name__)
        self._undo = private_random(stock)

    def send(self, body: bytes, spans: int) -> str | None:
        """See Sender."""
        with self._quiet:
            result = self._exporter._export((body, spans))  # type: ignore[arg-type]
        return None if result is SpanExportResult.SUCCESS else self._quiet.last or "the exporter said FAILURE"

    def abort(self) -> None:
        """See Sender."""
        if not self._shut:
            self._shut = True
            with self._quiet:
                self._exporter.shutdown()

    def close(self) -> None:
        """See Sender."""
        self.abort()
        self._quiet.remove()
        self._undo()
        _await_threads()


def _await_threads() -> None:
    """Wait until gRPC's own threads are gone, some 10 ms after its last channel: from 3.12 on a fork warns of them.

    They stay where the application has a channel of its own.
    """
    if sys.version_info < (3, 12) or not sys.platform.startswith("linux"):
        return
    for _ in range(100):
        if not any(name.startswith(_THREADS) for name in _thread_names()):
            return
        time.sleep(0.0005)


def _thread_names() -> list[str]:
    names = []
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/comm") as file:
                names.append(file.read())
        except OSError:  # gone since
            continue
    return names
