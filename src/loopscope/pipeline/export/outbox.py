"""The batches on their way out: bounded, sent when full or half a second old, every loss counted."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

from loopscope.model import clock
from loopscope.pipeline.export.targets import Target
from loopscope.pipeline.spans.span import Span

logger = logging.getLogger("loopscope")

#: a batch is sent at this age (nanoseconds)
AGE = 400_000_000


class Batch:
    """What waits for one target."""

    __slots__ = ("items", "since", "target", "warned")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.items: list[Any] = []
        self.since = 0
        self.warned = False


class Outbox:
    """Takes finished spans, gives them to every target."""

    def __init__(self, targets: list[Target], resource: Callable[[], Any]) -> None:
        self._batches = [Batch(target) for target in targets]
        self._resource = resource
        self.exported = 0
        #: spans that did not arrive, by cause
        self.dropped: Counter[str] = Counter()
        self.warned = False

    @property
    def targets(self) -> list[Target]:
        """The targets, in order."""
        return [batch.target for batch in self._batches]

    def put(self, span: Span) -> None:
        """Take a span; send what is full."""
        if not self._batches:
            self.dropped["no_exporter"] += 1
            return
        resource = self._resource()
        for batch in self._batches:
            try:
                item = batch.target.prepare(span, resource)
            except Exception:
                self.dropped["not_encodable"] += 1
                self._warn(batch, "a span could not be encoded", True)
                continue
            if not batch.items:
                batch.since = clock()
            batch.items.append(item)
            if len(batch.items) >= batch.target.size:
                self._send(batch)

    def backdate(self, since: int) -> None:
        """What waits has been waiting since this clock reading."""
        for batch in self._batches:
            batch.since = since

    def due(self, now: int) -> None:
        """Send what is old enough."""
        for batch in self._batches:
            if batch.items and now - batch.since >= AGE:
                self._send(batch)

    def flush(self, until: int = 0) -> None:
        """Send everything. Past the clock reading `until`, what is left is dropped."""
        for batch in self._batches:
            if until and clock() >= until:
                self.dropped["shutdown"] += len(batch.items)
                batch.items = []
            elif batch.items:
                self._send(batch)

    def _send(self, batch: Batch) -> None:
        items, batch.items = batch.items, []
        try:
            reason = batch.target.send(items, self._resource())
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        if reason is None:
            self.exported += len(items)
            return
        self.dropped["export_failed"] += len(items)
        self._warn(batch, reason)

    def _warn(self, batch: Batch, reason: str, trace: bool = False) -> None:
        if not batch.warned:
            batch.warned = True
            logger.warning("loopscope's spans do not reach %s: %s", batch.target.where, reason, exc_info=trace)

    def disconnect(self) -> None:
        """Let go of connections; the next batch opens them anew."""
        for batch in self._batches:
            batch.target.close()

    def forget(self) -> None:
        """In a forked child: what waits is the parent's to send."""
        for batch in self._batches:
            batch.items = []
