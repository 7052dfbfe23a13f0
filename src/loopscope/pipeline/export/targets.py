"""Targets: each prepares spans in small pieces, then sends a batch. One Protocol, three kinds.

Stock OTLP exporters are handed finished bytes: `encode_spans` would hold the GIL for a whole batch. What that
touches of their insides stands in `otlp_http` and `otlp_grpc`; where a version moved it they are used as any
other exporter.
"""

from __future__ import annotations

import logging
import random
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from loopscope import conventions
from loopscope.model import Anchor
from loopscope.pipeline import otlpjson
from loopscope.pipeline.export.readable import readable
from loopscope.pipeline.otlp import Encoding, request
from loopscope.pipeline.spans.span import Span
from loopscope.recording.writer import TraceFile

logger = logging.getLogger("loopscope")

SCOPE = (conventions.SCOPE, conventions.VERSION, conventions.SCHEMA_URL)

#: what a stock exporter logs where nobody listens, and of that, what is not so where it is kept from it
_NOBODY = re.compile("(connection|actively) refused|failed to connect|resolv|resolution|name or service", re.I)
_RETRYING = re.compile(r", retrying in [\d.]+s")


class Target(Protocol):
    """Takes spans and sends them. But for `hurry` and `abort`, one thread at a time calls it."""

    #: where it sends to, for people
    where: str
    #: spans of a batch at most
    size: int
    #: what it is handed: OTLP `bytes`, the SDK's `spans`, which cost far more, or `lines` of a file
    takes: str

    def prepare(self, span: Span, resource: Callable[[], Any]) -> Any:
        """What `send` needs of a span; at most some tens of microseconds."""

    def send(self, items: list[Any], resource: Any) -> str | None:
        """Send a batch. None, or why it did not arrive."""

    def hurry(self, ends: bool) -> None:
        """The process ends: where nobody listens, what is sent now is not tried again. False: there is time again."""

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

    def prepare(self, span: Span, resource: Callable[[], Any]) -> str:
        """See Target."""
        return otlpjson.encode(span, self._anchor)

    def send(self, items: list[Any], resource: Any) -> str | None:
        """See Target."""
        try:
            self._file.write(resource.attributes.items(), SCOPE, items)
        except OSError as error:
            return str(error)
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
        self.where = where
        self._exporter = exporter
        self._anchor = anchor
        self._scope = InstrumentationScope(SCOPE[0], SCOPE[1], SCOPE[2])

    def prepare(self, span: Span, resource: Callable[[], Any]) -> Any:
        """See Target."""
        return readable(span, self._anchor, resource(), self._scope)

    def send(self, items: list[Any], resource: Any) -> str | None:
        """See Target."""
        try:
            result = self._exporter.export(items)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return None if result is SpanExportResult.SUCCESS else "the exporter said FAILURE"

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

    size, takes = 4096, "bytes"

    def __init__(self, open: Callable[[], Sender], encoding: Encoding) -> None:
        self._open = open
        self._sender: Sender | None = open()
        self._hurried = False
        self.where = self._sender.where
        self._values = encoding.values
        self.encoder = encoding.encoder()

    def prepare(self, span: Span, resource: Callable[[], Any]) -> bytes:
        """See Target."""
        return self.encoder.span(span)

    def send(self, items: list[Any], resource: Any) -> str | None:
        """See Target."""
        try:
            if self._sender is None:
                self._sender = self._open()
                self._sender.hurry(self._hurried)
            body = request(resource.attributes.items(), resource.schema_url or "", SCOPE, items, self._values)
            return self._sender.send(body, len(items))
        except Exception as error:
            return f"{type(error).__name__}: {error}"

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

    def send(self, body: bytes, spans: int) -> str | None:
        """Send one request. None, or why it did not arrive."""

    def hurry(self, ends: bool) -> None:
        """See Target."""

    def abort(self) -> None:
        """Give up what another thread is sending."""

    def close(self) -> None:
        """Close it."""


class Quiet(logging.Filter):
    """Keeps a stock exporter's log of our failures to ourselves, and remembers the last line of it that says why.

    The application has an exporter of its own that logs there: only what is logged inside `with` is kept. By what it
    logs is known that it finds nobody, and will try again: `give_up` keeps it from that, where there is no time.
    It is asked before other filters: the SDK has one that drops what was said lately, by whomever.
    """

    def __init__(self, names: Iterable[str], give_up: Callable[[], None]) -> None:
        super().__init__()
        self._loggers = [logging.getLogger(name) for name in names]
        self._local = threading.local()
        self._give_up = give_up
        self._hurried = False
        #: the thread that found nobody, and is still at it; 0 for none
        self._nobody = 0
        self.last = ""
        for logger in self._loggers:
            logger.filters.insert(0, self)

    def __enter__(self) -> None:
        self._local.depth = getattr(self._local, "depth", 0) + 1

    def __exit__(self, *error: object) -> None:
        self._local.depth -= 1
        if not self._local.depth and self._nobody == threading.get_ident():
            self._nobody = 0

    def hurry(self, ends: bool) -> None:
        """See Target; by another thread either."""
        self._hurried = ends
        if ends and self._nobody:
            self._give_up()

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging.Filter."""
        if not getattr(self._local, "depth", 0):
            return True
        message = record.getMessage()
        if _NOBODY.search(message):
            self.last = _RETRYING.sub("", message)
            self._nobody = threading.get_ident()
            if self._hurried:
                self._give_up()
        elif not self._nobody:
            self.last = message
        return False

    def remove(self) -> None:
        """Take it off the loggers."""
        self._give_up = _nothing  # else they would be in a cycle
        for logger in self._loggers:
            logger.removeFilter(self)


def _nothing() -> None:
    return None


class _Private(random.Random):
    """A random source that stands in a module for `random`, as long as somebody uses it."""

    def __init__(self, before: Any) -> None:
        super().__init__()
        self.before = before
        self.users = 0


def private_random(module: Any) -> Callable[[], None]:
    """Give a module a random source of its own: its retry jitter must not use up the application's seed.

    Returns what undoes it, once the last of its users has.
    """
    if not isinstance(module.random, _Private):
        module.random = _Private(module.random)
    ours = module.random
    ours.users += 1

    def undo() -> None:
        ours.users -= 1
        if not ours.users and module.random is ours:
            module.random = ours.before

    return undo


class StockSender:
    """What stock exporters have in common: see Sender."""

    def __init__(self, exporter: Any, name: str, jitter: Any) -> None:
        self._exporter = exporter
        self.where: str = exporter._endpoint
        self.shut = False
        self._quiet = Quiet([name], self.abort)
        self._undo = private_random(jitter)

    def hurry(self, ends: bool) -> None:
        """See Sender."""
        self._quiet.hurry(ends)

    def abort(self) -> None:
        """See Sender."""
        if not self.shut:
            self.shut = True
            with self._quiet:
                self._exporter.shutdown()

    def close(self) -> None:
        """See Sender."""
        self.abort()
        self._quiet.remove()
        self._undo()
