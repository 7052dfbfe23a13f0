"""The stock OTLP/HTTP exporter since SDK 1.45, built anew and handed bytes."""

from __future__ import annotations

from typing import Any

import opentelemetry.exporter.otlp.proto.http.trace_exporter as stock
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from loopscope.pipeline.export.stock import StockSender

Stock = OTLPSpanExporter


def takes_bytes() -> bool:
    """Whether this version has the client that sends serialized requests."""
    return hasattr(stock, "_http") and callable(getattr(getattr(stock._http, "_OTLPHTTPClient", None), "export", None))


def settings_of(exporter: Any) -> dict[str, Any]:
    """The arguments that build an exporter like this one anew."""
    client = exporter._client
    session = getattr(client._transport, "_session", None)
    verify, certificate = getattr(session, "verify", True), getattr(session, "cert", None)
    pair = certificate if isinstance(certificate, tuple) else (certificate, None)
    return {
        "endpoint": exporter._endpoint,
        "headers": {key: item for key, item in client._headers.items() if key.lower() != "content-encoding"},
        "timeout": client._timeout,
        "compression": exporter._compression,
        "certificate_file": verify if isinstance(verify, str) else None,
        "client_certificate_file": pair[0],
        "client_key_file": pair[1],
    }


class HttpSender(StockSender):
    """Sends by the exporter's own client: its retry, TLS, headers, compression and timeout."""

    def __init__(self, exporter: OTLPSpanExporter) -> None:
        super().__init__(exporter, stock.__name__, self._jitter(exporter))

    @staticmethod
    def _jitter(exporter: Any) -> Any:
        """The module that draws the pauses between retries."""
        return __import__(type(exporter._client).__module__, fromlist=["random"])

    def send(self, body: bytes, spans: int) -> str | None:
        """See Sender."""
        with self._quiet:
            result = self._exporter._client.export(body)
        if result.success:
            return None
        return str(result.error or result.reason or self._quiet.last)
