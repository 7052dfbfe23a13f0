"""Puts the cold side together: buffer to assembler to sums and tracer to outbox, one round at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any, Protocol

from loopscope import uncollected
from loopscope.model import BIRTH, GONE, Record, clock
from loopscope.pipeline.assembler import Assembler
from loopscope.pipeline.computed import Computed
from loopscope.pipeline.culprits import Culprits
from loopscope.pipeline.export.outbox import AGE, Outbox
from loopscope.pipeline.export.provider import Provider
from loopscope.pipeline.lives import AWAKE, Muted, each
from loopscope.pipeline.metrics.metrics import Metrics
from loopscope.pipeline.printed import PrintedLines
from loopscope.pipeline.sinks import Sink, Sinks
from loopscope.pipeline.spans.budget import Budget
from loopscope.pipeline.spans.placed import STEPS
from loopscope.pipeline.spans.span import Span
from loopscope.pipeline.spans.tracer import Tracer
from loopscope.pipeline.spans.traces import SECOND, Traces
from loopscope.pipeline.spans.visit import Caps
from loopscope.pipeline.stalls import Stalls
from loopscope.pipeline.stalls import events as stall_events
from loopscope.settings import Settings

#: spans held back at most until the outbox is opened
HELD = 512
#: steps of a muted task that are recorded once its thread was held by nobody known
HEARD = 64
#: nanoseconds for each muted task between two times that they are asked to be heard
LISTENING = 60_000
#: nanoseconds between two sweeps for each task that lives: with a hundred thousand of them there is one in 50 seconds
SWEEPING = 500_000
#: a task whose birth was lost is given up after so long without a step (nanoseconds)
UNHEARD = 3600 * SECOND


class Source(Protocol):
    """Where records come from."""

    dropped: int
    queue: deque[Record]

    @property
    def usage(self) -> float:
        """Its filled share."""

    @property
    def waiting(self) -> int:
        """Records in it."""

    def take(self) -> Record | None:
        """The oldest record, None where there is none."""


class Pipeline:
    """One round takes what is in the source, and does what is due."""

    def __init__(
        self,
        source: Source,
        provider: Provider,
        settings: Settings,
        open_outbox: Callable[[], Outbox],
        metrics: Metrics,
        spans: bool = True,
        native: bool = False,
    ) -> None:
        self._source = source
        self._provider = provider
        self._settings = settings
        self._open_outbox = open_outbox
        self.metrics = metrics
        #: whether spans are made
        self._spans = spans
        #: whether the ordinary step goes its way in C
        self._native = native
        self._outbox: Outbox | None = None
        self._held: deque[Span] = deque()
        self._since = 0
        self._until = 0
        #: records that were left when time was up
        self.unread = 0
        self.lost: dict[str, int] = {}
        #: what runs between rounds of about a second: the self-check
        self.look: Callable[[int], None] = _nothing
        self._swept = self._looked = clock()
        #: tasks that are over, as the last sweep saw, and whose end had not come; and how many there were
        self._overdue: list[int] = []
        self._late = 0
        #: threads that nobody known held, and when muted tasks were last asked to be heard for it
        self._suspects: set[int] = set()
        self._suspected = 0
        self._begin()

    def _begin(self) -> None:
        settings, provider = self._settings, self._provider
        delay = int(settings.delay_threshold * SECOND)
        segment = int(settings.segment_seconds * SECOND)
        self.budget = Budget(settings.max_spans_per_second, settings.max_cpu_share)
        self._computed = Computed()
        self.stalls = Stalls(int(settings.stall_threshold * SECOND))
        self.culprits = culprits = Culprits(delay, self.stalls.callback_at, self._unseen)
        native: Any = import_module("loopscope._native") if self._native else None
        make: Callable[[], Any] = partial(native.Lives, AWAKE) if native else dict
        lives = make()
        muted: Muted = {}
        self.tracer = Tracer(
            Traces(segment, provider.trace_id, provider.sample),
            provider.span_id,
            self._emit,
            self._count,
            Caps(
                settings.max_steps_per_task_span, settings.max_spans_per_trace, delay, 10 * delay,
                min(delay, int(settings.stall_threshold * SECOND)),
            ),
            segment,
            settings.detail,
            stall_events,
            self.metrics.exported,
            culprits.coverage,
            self.budget,
            native and native.Placed(STEPS),
            lives if self._spans else make(),
            muted,
        )  # fmt: skip
        self.printed = PrintedLines()
        sinks: list[Sink] = [self.printed, self.stalls, culprits, self.metrics.sums]
        if self._spans:
            sinks.append(self.tracer)
        self.assembler = Assembler(Sinks(*sinks), lives, muted)
        #: feeds one record of the source or a few, no more than so many; how many
        self._drain: Callable[[int], int] = native.Ordinary(self).drain if native else self._feed
        self.metrics.stalls = lambda: self.stalls.by_place

    @property
    def outbox(self) -> Outbox | None:
        """The outbox, None where nothing was to be sent yet."""
        return self._outbox

    @property
    def pending(self) -> bool:
        """Whether there is, or will be, anything to send."""
        return bool(self._held or self.tracer.kin.lives)

    def hurry(self, until: int) -> None:
        """Past this clock reading nothing more is done: what is left is counted as lost. 0: there is time."""
        self._until = until
        self.metrics.hurry(until > 0)
        if self._outbox is not None:
            self._outbox.hurry(until)

    def give_up(self) -> None:
        """Count everything as lost that waits."""
        while self._source.take() is not None:
            self.unread += 1
        if self._outbox is not None:
            self._outbox.give_up()

    def send(self, until: int = 0) -> bool:
        """Send all that is finished, held back or not; what is left at the clock reading `until` waits.

        Whether all arrived.
        """
        for _ in self.tracer.steps.release(clock()):
            pass
        outbox = self.open() if self._held else self._outbox
        return outbox is None or outbox.flush(until)

    def open(self) -> Outbox:
        """Open the outbox, and give it the first spans.

        They are held back a moment: the application may be about to set its provider.
        """
        outbox = self._opened()
        for _ in self._hand_over(outbox):
            pass
        return outbox

    def _opened(self) -> Outbox:
        outbox = self._outbox
        if outbox is None:
            with uncollected.paused():  # to import what it takes
                outbox = self._outbox = self._open_outbox()
            outbox.hurry(self._until)
        return outbox

    def _hand_over(self, outbox: Outbox) -> Iterator[None]:
        """Give the outbox what was held back, one by one."""
        while self._held:
            outbox.put(self._held.popleft())
            yield
        outbox.backdate(self._since)

    def _due(self) -> bool:
        """Do what is due. Whether time is up: then what is unread is dropped."""
        now = clock()
        if now >= self.budget.due:
            self.budget.look(now, self._source.usage, self._computed.since())
        if self._outbox is None and self._held and now - self._since >= AGE:
            self._opened()
        if self._outbox is not None and not self._held:
            self._outbox.due(now)
        if not self._until or now < self._until:
            return False
        while self._source.take() is not None:
            self.unread += 1
        return True

    def round(self, final: bool = False) -> Iterator[None]:
        """Take the records that are there now, then what time brings. `final`: close what is open.

        Not those that come meanwhile: they may come faster than they are taken.
        """
        now = clock()
        yield from self.metrics.tick(now)
        left = self._source.waiting
        looked = left
        while left > 0:
            fed = self._drain(left)
            if not fed:  # past the deadline
                break
            left -= fed
            yield
            if looked - left < 8:  # time is not looked at after each
                continue
            looked = left
            self._due()
            if self._held and self._outbox is not None:
                yield from self._hand_over(self._outbox)
        if left <= 0:  # all that was recorded before the last sweep was taken
            yield from self._bury()
        yield from self._hear(now)
        self.stalls.tick(now, final)
        yield from self.tracer.tick(now)
        if now - self._swept >= self._apart:
            self._swept = now
            yield from self.sweep(now)
        if now - self._looked >= SECOND:
            self._looked = now
            self.look(now)
        if final:
            for _ in self.tracer.finish(now):
                yield
                if self._due():
                    self._count("shutdown", self.tracer.open)
                    break
        self._due()
        if self._held and self._outbox is not None:
            yield from self._hand_over(self._outbox)
            self._due()

    def _feed(self, most: int) -> int:
        record = self._source.take()
        if record is None:
            return 0
        self.assembler.feed(record)
        return 1

    @property
    def _apart(self) -> int:
        """How far apart sweeps are."""
        least = min(5 * SECOND, int(self._settings.segment_seconds * SECOND) // 4)
        return max(least, (len(self.assembler.lives) - self._late) * SWEEPING)

    def sweep(self, now: int) -> Iterator[None]:
        """Look at every task that lives, in small pieces: once each, for what is packed is made anew for it."""
        for life in each(self.assembler.lives):
            if self._spans:
                self.tracer.tell(life, now)
            self.metrics.sums.passed(life)
            pulse = life.pulse
            if pulse.over if pulse is not None else now - life.last_end > UNHEARD:
                self._overdue.append(life.id)
            yield
        self._late = len(self._overdue)
        yield from self.tracer.traces.forget(now)

    def _bury(self) -> Iterator[None]:
        """End the lives whose own end was lost for want of room: else they stay for ever."""
        overdue, self._overdue = self._overdue, []
        for id in overdue:
            life = self.assembler.lives.get(id)
            if life is not None:
                self.assembler.feed((GONE, id, life.last_end, True))
            yield

    def _unseen(self, thread: int, start: int, end: int) -> None:
        """No step and no callback that is known held this thread."""
        self.stalls.between(thread, start, end)
        self._suspects.add(thread)

    def _hear(self, now: int) -> Iterator[None]:
        """What nobody known held, a muted task may have: those are heard again. The more tasks, the more seldom."""
        muted = self.assembler.muted
        if not self._suspects or now - self._suspected < max(SECOND // 10, len(muted) * LISTENING):
            return
        self._suspected = now
        suspects = self._suspects.copy()
        self._suspects.clear()
        for id, (pulse, thread) in list(muted.items()):
            life = None if thread else self.assembler.lives.get(id)
            if life is not None and life.where is not None:
                thread = life.where.thread
                muted[id] = pulse, thread
            if pulse.muted and (not thread or thread in suspects):
                pulse.hush = pulse.index + HEARD
            yield

    def _emit(self, span: Span) -> None:
        self.budget.spend(span.end)
        outbox = self._outbox
        if outbox is not None and not self._held:
            outbox.put(span)
            return
        if not self._held:
            self._since = clock()
        self._held.append(span)
        if outbox is None and len(self._held) >= HELD:
            self._opened()

    def _count(self, cause: str, count: int) -> None:
        self.lost[cause] = self.lost.get(cause, 0) + count

    def forked(self) -> list[Any]:
        """In a forked child: forget what is the parent's. The pulses of tasks that lived at the fork."""
        pulses = [life.pulse for life in each(self.assembler.lives) if life.pulse is not None]
        while (record := self._source.take()) is not None:
            if record[0] == BIRTH:
                pulses.append(record[3])
        self._source.dropped = 0
        self.lost = {}
        self._provider.forked()
        self.metrics.forked()
        self._outbox = None
        self._held.clear()
        self._begin()
        return pulses


def _nothing(now: int) -> None:
    return None
