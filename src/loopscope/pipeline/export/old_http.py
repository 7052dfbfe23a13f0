"""The stock OTLP/HTTP exporter of SDK 1.40 to 1.44: it has no client that takes bytes."""

from __future__ import annotations

from typing import Any

import opentelemetry.exporter.otlp.proto.http.trace_exporter as stock
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from loopscope.pipeline.export.otlp_http import HttpSender


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

    def _export(self, serialized_data: bytes, *args: Any, **options: Any) -> Any:
        return super()._export(self.body, *args, **options)  # type: ignore[misc]


class OldHttpSender(HttpSender):
    """Sends by the exporter's own loop: its retry, TLS, headers, compression and timeout."""

    @staticmethod
    def _jitter(exporter: Any) -> Any:
        return stock

    def send(self, body: bytes, spans: int) -> str | None:
        """See Sender."""
        self._exporter.body = body
        with self._quiet:
            result = self._exporter.export(())
        return None if result is SpanExportResult.SUCCESS else self._quiet.last or "the exporter said FAILURE"
