"""What stock OTLP exporters have in common: their log, their random pauses, and what keeps them from trying again."""

from __future__ import annotations

import logging
import random
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any

from loopscope.pipeline.export.answers import Limit
from loopscope.pipeline.export.loss import Loss
from loopscope.recording.http import without_secrets

#: what a stock exporter logs where nobody listens, and of that, what is not so where it is kept from it
_NOBODY = re.compile(
    "(connection|actively) refused|failed to connect|resolv|resolution|name or service|unreachable|no route to host"
    "|SSLError|certificate_verify_failed|wrong_version_number",
    re.I,
)
_RETRYING = re.compile(r", retrying in [\d.]+s")


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
    """What stock exporters have in common: see Sender. `session`: that of one which speaks HTTP."""

    def __init__(self, exporter: Any, name: str, jitter: Any, session: Any = None) -> None:
        self._exporter = exporter
        self.where = without_secrets(exporter._endpoint)
        self.shut = False
        self._quiet = Quiet([name], self.abort)
        self._limit = Limit(session)
        self._undo = private_random(jitter)

    def failed(self, spans: int) -> Loss:
        """All of a request's spans, for what the exporter logged."""
        return self.lost(spans, self._quiet.last or "the exporter said FAILURE")

    def lost(self, spans: int, reason: str) -> Loss:
        """All of them, for this reason, without the password that the endpoint may have."""
        return Loss(spans, reason.replace(self._exporter._endpoint, self.where))

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
        self._limit.remove()
        self._undo()
