"""The stock OTLP/HTTP exporter of SDK 1.40 to 1.44: it has no client that takes bytes."""

from __future__ import annotations

from typing import Any

import opentelemetry.exporter.otlp.proto.http.trace_exporter as stock
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from loopscope.pipeline.export.loss import Loss, rejected_in
from loopscope.pipeline.export.stock import StockSender


def takes_bytes() -> bool:
    """Whether this version has the method that RawExporter overrides."""
    return callable(getattr(OTLPSpanExporter, "_export", None))


def settings_of(exporter: Any) -> dict[str, Any]:
    """The arguments that build an exporter like this one anew."""
    verify = exporter._certificate_file
    return {
        "endpoint": exporter._endpoint,
        "headers": dict(exporter._headers),
        "timeout": exporter._timeout,
        "compression": exporter._compression,
        "certificate_file": verify if isinstance(verify, str) else None,
        "client_certificate_file": exporter._client_certificate_file,
        "client_key_file": exporter._client_key_file,
    }


class RawExporter(OTLPSpanExporter):
    """Sends `body` where it would send the spans that it encoded."""

    body = b""
    #: what the receiver answered last
    answer: Any = None

    def _export(self, serialized_data: bytes, *args: Any, **options: Any) -> Any:
        self.answer = super()._export(self.body, *args, **options)  # type: ignore[misc]
        return self.answer


class OldHttpSender(StockSender):
    """Sends by the exporter's own loop: its retry, TLS, headers, compression and timeout."""

    def __init__(self, exporter: RawExporter) -> None:
        super().__init__(exporter, stock.__name__, stock, getattr(exporter, "_session", None))

    def send(self, body: bytes, spans: int) -> Loss | None:
        """See Sender."""
        self._exporter.body = body
        with self._quiet, self._limit:
            result = self._exporter.export(())
        if result is not SpanExportResult.SUCCESS:
            return self.failed(spans)
        answer, self._exporter.answer = self._exporter.answer, None
        if answer.request.method != "POST":  # it was sent elsewhere, where it was not written but read
            return self.lost(spans, f"HTTP {answer.history[0].status_code}, to {answer.url}")
        return rejected_in(answer.headers.get("content-type", ""), answer.content)
