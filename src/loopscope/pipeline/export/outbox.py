"""The batches on their way out: bounded, sent when full or a third of a second old, every loss counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from loopscope import uncollected
from loopscope.log import logger
from loopscope.model import clock
from loopscope.pipeline.export.loss import Loss
from loopscope.pipeline.export.targets import Target
from loopscope.pipeline.spans.span import Span
from loopscope.recording.errors import printable
from loopscope.threads import is_for_host

#: a batch is sent at this age (nanoseconds)
AGE = 300_000_000
#: and at this size (bytes of its spans): a gRPC receiver takes 4 MiB by default
HEAVY = 3 << 20
#: who takes nothing for longer than this is down (nanoseconds): from then on, where nobody listens, it is tried but
#: once; after each try nothing is sent for four times as long as that took, within these bounds
LONG, LEAST, MOST = 500_000_000, 1_000_000_000, 30_000_000_000
#: so much is told of why spans do not arrive: a receiver may say any amount
SAID = 1_000


class Batch:
    """What waits for one target."""

    __slots__ = ("again", "bytes", "given_up", "items", "reached", "sending", "since", "target", "warned")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.items = target.collect()
        #: how long they are, where they are bytes or lines
        self.bytes = 0
        #: how many are on their way
        self.sending = 0
        self.since = 0
        self.warned = False
        #: something arrived
        self.reached = False
        #: one failed that was begun when there was little time left
        self.given_up = False
        #: until when nothing is sent, for nobody took the last one for long; 0 where that is not so
        self.again = 0

    @property
    def down(self) -> bool:
        """Nobody took the last one for long."""
        return self.again > 0


class Outbox:
    """Takes finished spans, gives them to every target."""

    def __init__(self, targets: list[Target], resource: Callable[[], Any]) -> None:
        self._batches = [Batch(target) for target in targets]
        self._resource = resource
        self.exported = 0
        #: spans that did not arrive, by cause
        self.dropped: Counter[str] = Counter()
        self._until = 0
        #: what was being sent was given up
        self._aborted = False

    @property
    def targets(self) -> list[Target]:
        """The targets, in order."""
        return [batch.target for batch in self._batches]

    @property
    def sending(self) -> bool:
        """Whether spans are on their way just now."""
        return any(batch.sending for batch in self._batches)

    def hurry(self, until: int) -> None:
        """Past this clock reading nothing is sent any more, and nothing is tried again where nobody was met so far.

        0: there is time.
        """
        self._until = until
        for batch in self._batches:
            batch.given_up = batch.given_up and until > 0
            if not until or not batch.reached:
                batch.target.hurry(until > 0 or batch.down)

    def put(self, span: Span) -> None:
        """Take a span; send what is full."""
        if not self._batches:
            self.dropped["no_exporter"] += 1
            return
        for batch in self._batches:
            try:
                item = batch.target.prepare(span, self._resource)
            except Exception as error:
                self.refused(batch, error)
                continue
            if not batch.items:
                batch.since = clock()
            batch.items.append(item)
            if batch.target.takes != "spans":
                batch.bytes += len(item)
            if len(batch.items) >= batch.target.size or batch.bytes >= HEAVY:
                self.filled(batch)

    def refused(self, batch: Batch, error: Exception) -> None:
        """A span could not be encoded for this batch."""
        self.dropped["not_encodable"] += 1
        self._warn(batch, "a span could not be encoded", error)

    def filled(self, batch: Batch) -> None:
        """There is no room for more in this batch."""
        if not self._until and clock() < batch.again:
            self.dropped["export_failed"] += len(batch.items)
            batch.items, batch.bytes = batch.target.collect(), 0
        else:
            self._send(batch)

    def backdate(self, since: int) -> None:
        """What waits has been waiting since this clock reading."""
        for batch in self._batches:
            batch.since = since

    def due(self, now: int) -> None:
        """Send what is old enough."""
        for batch in self._batches:
            if batch.items and now - batch.since >= AGE and now >= batch.again:
                self._send(batch)

    def flush(self, until: int = 0) -> bool:
        """Send everything; what is left at the clock reading `until` waits. Whether all arrived."""
        before = self.dropped.total()
        for batch in self._batches:
            if batch.items and not (until and clock() >= until):
                self._send(batch)
        return self.dropped.total() == before and not any(batch.items for batch in self._batches)

    def give_up(self) -> None:
        """Count what waits as lost, and what is being sent by a thread that does not come back."""
        for batch in self._batches:
            self.dropped["shutdown"] += len(batch.items) + batch.sending
            batch.items, batch.bytes, batch.sending = batch.target.collect(), 0, 0

    def _send(self, batch: Batch) -> None:
        items, batch.items, batch.bytes = batch.items, batch.target.collect(), 0
        spans = len(items)
        if self._until and (batch.given_up or clock() >= self._until):
            self.dropped["shutdown"] += spans
            return
        batch.sending, self._aborted = spans, False
        began, hurried = clock(), self._until > 0
        try:
            with uncollected.paused():
                lost = batch.target.send(items, self._resource())
        except BaseException as error:
            if is_for_host(error):
                raise
            lost = Loss(spans, f"{type(error).__name__}: {error}")
        batch.sending = 0
        missed = 0 if lost is None else min(lost.spans, spans)
        self.exported += spans - missed
        if missed < spans:
            batch.reached, batch.given_up = True, False
            if batch.down:
                self._rest(batch, 0)
        else:
            batch.given_up = hurried
            self._missed(batch, clock() - began)
        if lost is not None:
            self.dropped["export_failed"] += missed
            self._warn(batch, lost.reason)

    def _missed(self, batch: Batch, took: int) -> None:
        """Nobody took it. Nothing else is done meanwhile by our thread: what is down must not have it for itself."""
        if batch.down:
            batch.again = clock() + max(LEAST, min(4 * took, MOST))
        elif took >= LONG and not self._aborted:
            self._rest(batch, clock() + LEAST)

    def _rest(self, batch: Batch, again: int) -> None:
        """It is down from now on, or no more."""
        batch.again = again
        if not self._until:
            batch.target.hurry(batch.down)

    def _warn(self, batch: Batch, reason: str, error: Exception | None = None) -> None:
        if not batch.warned:
            batch.warned = True
            where, why = batch.target.where, printable(reason[:SAID])
            logger.warning("loopscope's spans do not reach %s: %s", where, why, exc_info=error)

    def abort(self) -> None:
        """Give up what another thread is sending."""
        self._aborted = True
        for batch in self._batches:
            batch.target.abort()

    def disconnect(self) -> None:
        """Before a fork, let go of connections; the next batch opens them anew."""
        for batch in self._batches:
            batch.target.disconnect()

    def close(self) -> None:
        """Nothing more will be sent."""
        for batch in self._batches:
            batch.target.close()
