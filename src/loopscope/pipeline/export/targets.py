"""Targets: each prepares spans in small pieces, then sends a batch. One Protocol, three kinds.

Stock OTLP exporters are handed finished bytes: `encode_spans` would hold the GIL for a whole batch. What that
touches of their insides stands in `stock`, `otlp_http` and `otlp_grpc`; where a version moved it they are used as any
other exporter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from loopscope import conventions
from loopscope.log import logger
from loopscope.model import Anchor
from loopscope.pipeline import otlpjson
from loopscope.pipeline.export.loss import Loss
from loopscope.pipeline.export.readable import readable
from loopscope.pipeline.otlp import Encoding, request
from loopscope.pipeline.packed import Packed
from loopscope.pipeline.spans.span import Span
from loopscope.recording.http import without_secrets
from loopscope.recording.writer import TraceFile

SCOPE = (conventions.SCOPE, conventions.VERSION, conventions.SCHEMA_URL)


class Target(Protocol):
    """Takes spans and sends them. But for `hurry` and `abort`, one thread at a time calls it."""

    #: where it sends to, for people
    where: str
    #: spans of a batch at most
    size: int
    #: what it is handed: OTLP `bytes`, the SDK's `spans`, which cost far more, or `lines` of a file
    takes: str

    def collect(self) -> Any:
        """An empty batch: it is appended to, and has a length."""

    def prepare(self, span: Span, resource: Callable[[], Any]) -> Any:
        """What is appended to a batch of a span; at most some tens of microseconds."""

    def send(self, items: Any, resource: Any) -> Loss | None:
        """Send a batch, which may be empty then. None, or what of it did not arrive."""

    def hurry(self, ends: bool) -> None:
        """Where nobody listens, what is sent now is not tried again: the process ends, or that was done for long.

        False: there is time again.
        """

    def abort(self) -> None:
        """Give up what another thread is sending or retrying, as far as can be."""

    def disconnect(self) -> None:
        """Let go of connections and files before a fork; a later `send` opens them anew."""

    def close(self) -> None:
        """Nothing more will be sent."""


class File:
    """Appends to a trace file."""

    size, takes = 512, "lines"

    def __init__(self, path: str, anchor: Anchor) -> None:
        self.where = path
        self._anchor = anchor
        self._file = TraceFile(path)

    def collect(self) -> list[str]:
        """See Target."""
        return []

    def prepare(self, span: Span, resource: Callable[[], Any]) -> str:
        """See Target."""
        return otlpjson.encode(span, self._anchor)

    def send(self, items: list[str], resource: Any) -> Loss | None:
        """See Target."""
        try:
            self._file.write(resource.attributes.items(), SCOPE, items)
        except OSError as error:
            return Loss(len(items), str(error))
        return None

    def hurry(self, ends: bool) -> None:
        """See Target. Writing does not wait for anybody."""

    def abort(self) -> None:
        """See Target. Writing does not wait for anybody."""

    def disconnect(self) -> None:
        """See Target."""
        self._file.close()

    def close(self) -> None:
        """See Target."""
        self._file.close()


class Exporter:
    """Any SpanExporter, by its public interface."""

    size, takes = 512, "spans"

    def __init__(self, exporter: SpanExporter, anchor: Anchor, where: str) -> None:
        self.where = without_secrets(where)
        self._exporter = exporter
        self._anchor = anchor
        self._scope = InstrumentationScope(SCOPE[0], SCOPE[1], SCOPE[2])

    def collect(self) -> list[Any]:
        """See Target."""
        return []

    def prepare(self, span: Span, resource: Callable[[], Any]) -> Any:
        """See Target."""
        return readable(span, self._anchor, resource(), self._scope)

    def send(self, items: list[Any], resource: Any) -> Loss | None:
        """See Target."""
        result = self._exporter.export(items)
        return None if result is SpanExportResult.SUCCESS else Loss(len(items), "the exporter said FAILURE")

    def hurry(self, ends: bool) -> None:
        """See Target. There is no public way."""

    def abort(self) -> None:
        """See Target. There is no public way."""

    def disconnect(self) -> None:
        """See Target. It could not be opened anew."""

    def close(self) -> None:
        """See Target."""
        try:
            self._exporter.shutdown()
        except Exception as error:
            logger.debug("closing %s: %s", self.where, error)


class Bytes:
    """A stock OTLP exporter that is handed encoded requests: large ones, for each takes a millisecond."""

    size, takes = 8192, "bytes"

    def __init__(self, open: Callable[[], Sender], encoding: Encoding) -> None:
        self._open = open
        self._sender: Sender | None = open()
        self._hurried = False
        self.where = self._sender.where
        self._values = encoding.values
        self.collect = encoding.packed
        self.encoder = encoding.encoder()

    def prepare(self, span: Span, resource: Callable[[], Any]) -> bytes:
        """See Target."""
        return self.encoder.span(span)

    def send(self, items: Packed, resource: Any) -> Loss | None:
        """See Target."""
        spans = len(items)
        try:
            sender = self._sender
            if sender is None or sender.shut:
                self.disconnect()
                sender = self._sender = self._open()
                sender.hurry(self._hurried)
            body = request(resource.attributes.items(), resource.schema_url or "", SCOPE, items, self._values)
            return sender.send(body, spans)
        except Exception as error:
            return Loss(spans, f"{type(error).__name__}: {error}")

    def hurry(self, ends: bool) -> None:
        """See Target. One that has given up is opened anew."""
        self._hurried = ends
        sender = self._sender
        if sender is not None:
            sender.hurry(ends)
            if sender.shut and not ends:
                self.disconnect()

    def abort(self) -> None:
        """See Target."""
        sender = self._sender
        if sender is not None:
            sender.abort()

    def disconnect(self) -> None:
        """See Target."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()

    def close(self) -> None:
        """See Target."""
        self.disconnect()


class Sender(Protocol):
    """The connection of a stock exporter."""

    where: str
    #: it has given up for good
    shut: bool

    def send(self, body: bytes, spans: int) -> Loss | None:
        """Send one request. None, or what of it did not arrive."""

    def hurry(self, ends: bool) -> None:
        """See Target."""

    def abort(self) -> None:
        """Give up what another thread is sending."""

    def close(self) -> None:
        """Close it."""
