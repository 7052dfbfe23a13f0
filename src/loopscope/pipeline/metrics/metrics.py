"""All of metrics: the sums, and the instruments over them from the moment there is a meter provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from loopscope import uncollected
from loopscope.log import logger
from loopscope.model import Step, clock
from loopscope.pipeline.metrics import instruments
from loopscope.pipeline.metrics.instruments import Board
from loopscope.pipeline.metrics.provider import application_provider
from loopscope.pipeline.metrics.sample import Sample
from loopscope.pipeline.metrics.sums import Sums
from loopscope.settings import Settings, Standard

SECOND = 1_000_000_000
#: the application is given so long to set its provider, before we make one of our own (nanoseconds)
PATIENCE = 5 * SECOND


class Metrics:
    """What the pipeline knows of metrics. One thread at a time calls it, but for `hurry` and what instruments read."""

    def __init__(
        self,
        settings: Settings,
        standard: Standard,
        given: Any,
        statistics: Callable[[], Mapping[str, Any]],
        resource: Callable[[], Any],
    ) -> None:
        #: stalls by (place, cause)
        self.stalls: Callable[[], Mapping[tuple[str, str], int]] = dict
        self.statistics = statistics
        self._on = settings.metrics
        self._slow = int(settings.delay_threshold * SECOND) * 10
        self._standard = standard
        self._given = given
        self._resource = resource
        self._board: Board | None = None
        self._own: Any = None
        self._hurried = False
        #: the exporters that an own provider would have, once they are loaded
        self._exporters: Any = None
        self.sums = self._new_sums()
        self._begun = self._exported = clock()
        self._ticked = 0
        #: exports in a row that failed: the pauses double, for each holds up the spans
        self._failures = 0

    @property
    def possible(self) -> bool:
        """Whether somebody is there, or named, who takes metrics."""
        return self._on and (application_provider(self._given) is not None or self._standard.metrics)

    @property
    def built(self) -> bool:
        """Whether everything is there that an own provider needs."""
        return not self._on or not self._standard.metrics or self._board is not None

    def exported(self, step: Step, trace_id: int, span_id: int) -> None:
        """A step's span goes out: it may be an exemplar."""
        if self.sums.sample is not None:
            self.sums.sample.exported(step, trace_id, span_id)

    def load(self) -> None:
        """Import what an own provider needs, before a loop runs that the import would hold up."""
        if self._on and self._standard.metrics and application_provider(self._given) is None:
            from loopscope.pipeline.metrics import own

            self._exporters = own.exporters(self._standard)

    def tick(self, now: int) -> Iterator[None]:
        """About every second: look for a provider, record the sample, export where the provider is our own."""
        if not self._on or now - self._ticked < SECOND:
            return
        self._ticked = now
        yield from self._find(now - self._begun >= min(PATIENCE, self._interval))
        yield from self._record(now)
        if self._own is not None and now - self._exported >= self._interval << self._failures:
            self._exported = now
            with uncollected.paused():
                arrived = self._own.collect(self._standard.timeout)
            self._failures = 0 if arrived else min(self._failures + 1, 5)
            yield

    def prepare(self) -> None:
        """Build what cannot be built at exit, where no thread starts."""
        if self._on:
            for _ in self._find(True):
                pass

    def flush(self, until: int = 0) -> None:
        """Record what is held back; export where the provider is our own, before the clock reading `until`."""
        if not self._on:
            return
        now = clock()
        self.prepare()
        for _ in self._record(now, True):
            pass
        left = (until - now) / SECOND if until else self._standard.timeout
        if self._own is not None and left > 0:
            self._exported = now
            self._own.collect(left)

    def mute(self) -> None:
        """Switched off: the instruments show nothing more."""
        if self._board is not None:
            self._board.leave(self)

    def hurry(self, ends: bool) -> None:
        """The process ends: our own provider's readers, of now or later, do not try again where nobody listens.

        False: there is time again.
        """
        self._hurried = ends
        if self._own is not None:
            self._own.hurry(ends)

    def disconnect(self) -> None:
        """Let go of our own provider's connections."""
        if self._own is not None:
            self._own.disconnect()

    def close(self) -> None:
        """End our own provider."""
        own, self._own = self._own, None
        if own is not None:
            own.close()

    def forked(self) -> None:
        """In a forked child the sums begin anew; the application's instruments stay, our own provider does not."""
        self.sums = self._new_sums()
        self._begun = self._exported = clock()
        if self._board is not None:
            self._board.forget(self)
        if self._own is not None:
            self.close()
            self._board = None

    def _new_sums(self) -> Sums:
        """With a sample already where a provider is there or will be, else from the moment there is one."""
        sums = Sums()
        if self._board is not None or self.possible:
            sums.sample = Sample(self._slow)
        return sums

    def _give_up(self) -> None:
        self._on = False
        self.sums.sample = None

    @property
    def _interval(self) -> int:
        return int(self._standard.metrics_interval * SECOND)

    def _find(self, patience_is_over: bool) -> Iterator[None]:
        if self._board is not None:
            return
        provider = application_provider(self._given)
        if provider is None and self._standard.metrics and patience_is_over:
            with uncollected.paused():
                provider = self._build()
        if provider is None:
            return
        try:
            board = instruments.board(provider)
            yield from board.register()
            board.show(self)
        except Exception:
            self._give_up()
            logger.exception("loopscope cannot use the meter provider %r; going on without metrics", provider)
            return
        self.sums.sample = self.sums.sample or Sample(self._slow)
        self._board = board

    def _build(self) -> Any:
        from loopscope.pipeline.metrics import own

        try:
            if self._exporters is None:
                self._exporters = own.exporters(self._standard)
            if self._exporters:
                self._own = own.Own(self._exporters, self._resource())
                self._own.hurry(self._hurried)
                return self._own.provider
        except Exception:
            logger.exception("loopscope cannot build a meter provider from the OTEL_* variables")
        self._give_up()
        return None

    def _record(self, now: int, all: bool = False) -> Iterator[None]:
        board, sample = self._board, self.sums.sample
        if board is None or sample is None:
            return
        for measured in sample.take(now, all):
            board.record(measured)
            yield
