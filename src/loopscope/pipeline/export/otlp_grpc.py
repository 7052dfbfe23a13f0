"""The stock OTLP/gRPC exporter, built anew and handed bytes."""

from __future__ import annotations

import sys
import threading
from _thread import allocate_lock, start_new_thread
from os import listdir  # as it was, and sleep: see threads.py
from time import monotonic, sleep
from typing import Any

import opentelemetry.exporter.otlp.proto.grpc.exporter as stock
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace.export import SpanExportResult

from loopscope.pipeline.export.loss import Loss, rejected
from loopscope.pipeline.export.stock import StockSender

#: a fork warns of every thread that the system counts
_FORKS_WARN = sys.version_info >= (3, 12) and sys.platform.startswith("linux")
#: threads that gRPC starts with a channel, about, and how long is waited for those that try whether it can (seconds)
_THREADS, _TRIED = 8, 0.2
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

Stock = OTLPSpanExporter


def takes_bytes() -> bool:
    """Whether this version has the insides that RawExporter overrides."""
    return all(
        callable(getattr(OTLPSpanExporter, name, None))
        for name in ("_initialize_channel_and_stub", "_translate_data", "_export")  # `_count_data` came with 1.42
    )


def standard_settings(named: bool) -> dict[str, Any]:
    """Arguments beside the standard variables. Where these name no endpoint, the exporter may take an empty one."""
    return {} if named else {"endpoint": "http://localhost:4317"}


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


class _Answers:
    """What the receiver rejected of the last request, though it took it."""

    rejected: Loss | None = None

    def read(self, body: bytes) -> ExportTraceServiceResponse:
        """The deserializer."""
        answer = ExportTraceServiceResponse.FromString(body)
        self.rejected = rejected(answer)
        return answer


class _RawStub:
    def __init__(self, channel: Any, answers: _Answers) -> None:
        self.Export = channel.unary_unary(_EXPORT, request_serializer=None, response_deserializer=answers.read)


class RawExporter(OTLPSpanExporter):
    """Takes (bytes, number of spans) in place of spans."""

    threads_before: frozenset[int] = frozenset()

    def __init__(self, **options: Any) -> None:
        self.answers = _Answers()  # the channel knows it, but not the exporter: there is no cycle
        super().__init__(**options)

    def _initialize_channel_and_stub(self) -> None:
        if not self.threads_before:  # it is called again to connect anew
            self.threads_before = threads()
        try_threads()
        super()._initialize_channel_and_stub()  # type: ignore[no-untyped-call]
        self._client: Any = _RawStub(self._channel, self.answers)

    def _translate_data(self, data: Any) -> Any:
        return data[0]

    def _count_data(self, data: Any) -> int:
        return int(data[1])


class GrpcSender(StockSender):
    """Sends by the exporter's own loop: its retry, TLS, headers, compression and timeout."""

    def __init__(self, exporter: RawExporter) -> None:
        super().__init__(exporter, stock.__name__, stock)

    def send(self, body: bytes, spans: int) -> Loss | None:
        """See Sender."""
        with self._quiet:
            result = self._exporter._export((body, spans))
        return self._exporter.answers.rejected if result is SpanExportResult.SUCCESS else self.failed(spans)

    def close(self) -> None:
        """See Sender."""
        super().close()
        before = self._exporter.threads_before
        del self._exporter  # gRPC lets its threads go with the last channel object
        await_threads(before)


def try_threads() -> None:
    """Raises OSError where the system refuses as many threads as gRPC wants: it ends the process then."""
    held = allocate_lock()
    gone: list[None] = []

    def hold() -> None:
        with held:
            gone.append(None)

    tried = 0
    held.acquire()
    try:
        for _ in range(_THREADS):
            start_new_thread(hold, ())
            tried += 1
    except (RuntimeError, MemoryError) as error:
        if "shutdown" in str(error):  # Python refuses its own at the very end, where gRPC still has its own
            return
        raise OSError("the system refuses the threads that gRPC needs; http/protobuf needs none") from None
    finally:
        held.release()
        until = monotonic() + _TRIED
        while len(gone) < tried and monotonic() < until:
            sleep(0.0005)


def threads() -> frozenset[int]:
    """The system's ids of this process's threads, Python's and others'; none where the system does not tell."""
    try:
        return frozenset(map(int, listdir("/proc/self/task"))) if _FORKS_WARN else frozenset()
    except OSError:
        return frozenset()


def await_threads(before: frozenset[int]) -> None:
    """Wait until gRPC's own threads are gone, some 10 ms after its last channel, but 0.2 s at most.

    They stay where the application has a channel of its own.
    """
    for _ in range(400):
        if not threads() - before - {thread.native_id for thread in threading.enumerate()}:
            return
        sleep(0.0005)
