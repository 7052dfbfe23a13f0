"""The stock OTLP/HTTP exporter since SDK 1.45, built anew and handed bytes."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import opentelemetry.exporter.otlp.proto.http.trace_exporter as stock
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from loopscope.pipeline.export.loss import Loss, rejected_in
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


class Answers:
    """In the place of an exporter's transport: keeps what the receiver answered last."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._last: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def request(self, *args: Any, **options: Any) -> Any:
        """See the transport."""
        self._last = self._transport.request(*args, **options)
        return self._last

    def rejected(self) -> Loss | None:
        """What the receiver says it did not take, though it took the request."""
        answer, self._last = self._last, None
        with suppress(Exception):  # malformed: it took the request all the same
            return rejected_in(answer.headers().get("content-type", ""), answer.content())
        return None


class HttpSender(StockSender):
    """Sends by the exporter's own client: its retry, TLS, headers, compression and timeout."""

    def __init__(self, exporter: OTLPSpanExporter) -> None:
        client: Any = exporter._client
        session = getattr(client._transport, "_session", None)
        super().__init__(exporter, stock.__name__, sys.modules[type(client).__module__], session)
        self._answers = client._transport = Answers(client._transport)

    def send(self, body: bytes, spans: int) -> Loss | None:
        """See Sender."""
        with self._quiet, self._limit:
            result = self._exporter._client.export(body)
        status = result.status_code
        if result.success and (status is None or status < 300):  # to the exporter it is one, too, to be sent elsewhere
            return self._answers.rejected()
        said = status and f"HTTP {status} {result.reason or ''}".rstrip()
        return self.lost(spans, str(said or result.error or result.reason or self._quiet.last))
