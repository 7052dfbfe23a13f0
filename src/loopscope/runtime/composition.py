"""Capture and pipeline, put together by the settings: on, off, flushes, forks, and what was lost."""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from loopscope import uncollected
from loopscope.capture import cores
from loopscope.capture.buffer import Buffer
from loopscope.capture.gate import Gate
from loopscope.capture.interrupts import is_interrupt
from loopscope.capture.life import enter
from loopscope.capture.patches import Patches
from loopscope.capture.printed import Lines
from loopscope.capture.watchdog import Watchdog
from loopscope.log import logger
from loopscope.model import Anchor, clock, wall
from loopscope.pipeline.export.choose import choose, load
from loopscope.pipeline.export.outbox import Outbox
from loopscope.pipeline.export.provider import Provider, global_provider
from loopscope.pipeline.metrics.metrics import Metrics
from loopscope.pipeline.otlp import Encoding
from loopscope.pipeline.pipeline import Pipeline
from loopscope.pipeline.spans import application
from loopscope.pipeline.worker import Worker
from loopscope.settings import Settings, Standard, notes_printed
from loopscope.threads import is_for_host

#: a loop runs this long before what cannot be seen of it is told (nanoseconds)
SELF_CHECK = 3_000_000_000

#: a threshold beyond this (seconds) needs no watchdog
NO_STALLS = 86_400
#: seconds that the background thread has to end once it was kept from sending
GRACE = 0.5
#: seconds that a fork waits for each of our threads: for what it does, for what it sends, and once that is broken off
PATIENCE, PATIENCE_SENDING, PATIENCE_BROKEN = 2.0, 0.5, 0.1


def _passes(error: BaseException) -> bool:
    """Whether what logging raised is to be raised on."""
    return is_interrupt(error) or is_for_host(error)


class Runtime:
    """Capture and pipeline of this process."""

    def __init__(
        self,
        settings: Settings,
        standard: Standard,
        tracer_provider: Any = None,
        meter_provider: Any = None,
        span_exporter: Any = None,
    ) -> None:
        self.settings = settings
        self._standard = standard
        self._given = span_exporter
        self.buffer = Buffer(settings.buffer_size)
        self.provider = Provider(tracer_provider)
        choice = cores.choose(settings.core)
        #: why the Python core serves, None where the native one does
        self.slower = choice.reason
        self.core = choice.core(self.buffer, _matcher(settings), self._failed)
        self._encoding = Encoding(Anchor.now(), self.core.name == cores.NATIVE)
        self.gate = Gate(self.core)
        #: whether spans are made: metrics may be all that is wanted
        self.spans = settings.detail != "none" and not self._nowhere()
        self.metrics = Metrics(settings, standard, meter_provider, self.statistics, self.provider.resource)
        self.pipeline = Pipeline(
            self.buffer,
            self.provider,
            settings,
            self._open_outbox,
            self.metrics,
            self.spans,
            self.core.name == cores.NATIVE,
        )
        self.pipeline.look = self._look
        self.watchdog = Watchdog(self.core, int(settings.stall_threshold * 1e9), settings.stacks)
        self.worker = Worker(
            self._round, self._pipeline_failed, self.watchdog.glances.take, self.core.pause, self.core.bell
        )
        self.lines = Lines(self.core)
        #: what is put on for as long as this is on, the gate apart
        self.patches = Patches()
        self._final = False
        self._broken = 0
        #: for how long an exit may wait still (seconds): 0 where somebody did not want to
        self._patience = standard.timeout
        self._told: set[str] = set()
        #: the losses told last
        self._lost: list[str] = []
        #: the round of the background thread whose end no fork waits for any more
        self._awaited = -1
        self._busy = threading.Lock()

    # ------------------------------------------------------------ on and off

    def install(self) -> None:
        """Put the hooks on; the background thread starts with the first task."""
        logger.passes = _passes
        core, seen = self.core, application.Application(self.buffer.put_vital, wall(), is_interrupt)
        if self.settings.core == cores.NATIVE and self.slower is not None:
            logger.warning("loopscope serves with its Python core: %s", self.slower)
        core.awaken = self._awaken
        if self.spans:
            core.current, core.current_in, core.describe = seen.current, seen.current_in, seen.describe
            load(self.settings, self._standard, self._given, self.provider.given or global_provider())
            put = self.patches.put
            put(application.RuntimeContext, "attach", seen.attach(core.activate, core.fail))
            put(application.RuntimeContext, "detach", seen.detach(core.leave, core.fail))
            put(application.Span, "start", seen.started)
            put(application.Span, "end", seen.ended)
        core.deaf = self.spans and not seen.heard
        self.metrics.load()
        self.gate.install()
        if self.settings.stall_threshold < NO_STALLS:
            self.watchdog.install()
        if notes_printed() and self.spans and self.settings.detail != "tasks" and self.settings.trace_file is not None:
            self.lines.install(self.patches)

    def _awaken(self) -> None:
        if not self.worker.start():
            self.core.asleep = True  # the next record asks again

    def close(self, leaving: bool = False) -> None:
        """Take the hooks off, send what there is, stop the thread. For `leaving` see `process.stop`."""
        self.core.on = False
        self.watchdog.remove()
        self.patches.undo()
        self.gate.remove()
        self.core.release()
        try:
            self.finish()
        finally:
            uncollected.forget()
            if not leaving:
                self.metrics.mute()
            self.metrics.close()

    def prepare(self) -> None:
        """Build what cannot be built at exit, where no thread starts and no pool works: provider and exporters."""
        if self.core.asleep or self._built:  # there was no step, or all is there
            return
        began = clock()
        try:
            self.pipeline.hurry(began + int(self._patience * 1e9))  # the thread may be sending to nobody
            if self.worker.do(self._prepare, self._patience):  # else it hangs
                self.pipeline.hurry(0)
        except KeyboardInterrupt:
            self._patience = 0.0
        self._waited_since(began)

    def _waited_since(self, began: int) -> None:
        self._patience = max(self._patience - (clock() - began) / 1e9, 0.0)

    def _prepare(self) -> None:
        with self._busy, self._guarded():
            if not self._built:
                self.metrics.prepare()
                self.worker.round()
                if self.pipeline.pending:
                    self.pipeline.open()

    @property
    def _built(self) -> bool:
        return (not self.spans or self.pipeline.outbox is not None) and self.metrics.built

    def finish(self) -> None:
        """Send everything, close what is open, tell what was lost.

        Late by the exporter's timeout at most, in all that is done for an end. An error of our own goes no further.
        """
        try:
            self._send_all()
        except Exception:
            self.core.fail()

    def _send_all(self) -> None:
        began, timeout = clock(), self._patience
        until = began + int(timeout * 1e9)
        job = partial(self._finish, until)
        with self.worker.barred():
            try:
                self.pipeline.hurry(until)
                self.watchdog.stop(0.2)
                if not self.worker.end(job, timeout):
                    self._abandon(job, GRACE)
            except KeyboardInterrupt:  # who waits for it does not want to
                self._abandon(job, 0)
                self._report()
                raise
        self._waited_since(began)
        self.core.asleep = True  # should the process live on
        self._report()

    def _abandon(self, job: Callable[[], None], grace: float) -> None:
        """Break off what is being sent. If the thread does not come to its end in that time, what it holds is lost."""
        self.metrics.disconnect()
        if self.pipeline.outbox is not None:
            self.pipeline.outbox.abort()
        if not grace or not self.worker.stop(grace):
            self.worker.forget(job)
            self.pipeline.give_up()

    def _finish(self, until: int) -> None:
        with self._busy:
            self._final = True
            with self._guarded():
                self.worker.round()
                self.pipeline.send()
                if self.pipeline.outbox is not None:
                    self.pipeline.outbox.close()
                self.metrics.flush(until)
            self._final = False
            self.pipeline.hurry(0)

    def flush(self, timeout: float | None = None) -> bool:
        """Send all that ended so far."""
        timeout = self._standard.timeout if timeout is None else timeout
        until = clock() + int(timeout * 1e9)
        was = self.worker.running
        sent = False

        def job() -> None:
            nonlocal sent
            with self._busy, self._guarded():
                self.worker.round()
                arrived = self.pipeline.send(until)
                self.metrics.flush(until)
                sent = arrived

        with self.worker.barred():
            if not self.worker.end(job, timeout):
                self.worker.forget(job)
        if was:
            with self._guarded():
                self.worker.start()
        else:
            self.core.asleep = True  # the next step starts it
        return sent and not self._broken

    # ------------------------------------------------------------ forks

    def before_fork(self) -> None:
        """Join the threads, and let go of connections: they are the parent's.

        A loop may be waiting: for one that sends to somebody slow not for long, and not again while it still does.
        """
        self.watchdog.stop(PATIENCE)
        if self.worker.running and self.worker.rounds != self._awaited and not self.worker.stop(PATIENCE_SENDING):
            left = PATIENCE - PATIENCE_SENDING
            if self.pipeline.outbox is not None and self.pipeline.outbox.sending:
                self.pipeline.outbox.abort()
                left = PATIENCE_BROKEN
            if not self.worker.stop(left):
                self._awaited = self.worker.rounds
        if not self.worker.running:
            self.metrics.disconnect()
            if self.pipeline.outbox is not None:  # its last round may have opened it
                self.pipeline.outbox.disconnect()

    def after_fork_in_parent(self) -> None:
        """The next step starts the thread again."""
        self.core.asleep = True

    def after_fork_in_child(self) -> None:
        """Forget what is the parent's; the next step starts a thread of our own."""
        uncollected.release()  # one of the parent's threads may have been at it
        self.worker.forked()
        self.watchdog.forked()
        self.lines.forked()
        self._patience = self._standard.timeout
        self._busy = threading.Lock()
        enter().life = None  # whose step it is, as the parent's loop is the parent's
        for pulse in self.pipeline.forked():
            if not pulse.over and not pulse.excluded:
                self.core.forked(pulse)
        self.core.asleep = True

    # ------------------------------------------------------------ pieces

    def _round(self) -> Iterator[None]:
        return self.pipeline.round(self._final)

    def _nowhere(self) -> bool:
        """Whether the standard variables say that no traces are wanted, and nothing else does."""
        named = self._standard.exporters
        return bool(named) and set(named) == {"none"} and self.settings.trace_file is None and self._given is None

    def _open_outbox(self) -> Outbox:
        provider = self.provider.given or global_provider()
        self.provider.resource()  # whose detectors may take a moment
        targets = choose(self.settings, self._standard, self._encoding, self._given, provider)
        return Outbox(targets, self.provider.resource)

    def _failed(self) -> None:
        """Capture switched itself off; what is recorded still goes out."""
        self._broken += 1

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            if is_for_host(error):
                raise
            self._pipeline_failed()

    def _pipeline_failed(self) -> None:
        """The cold side failed: stop recording, say it once."""
        self._broken += 1
        self.core.fail()

    def _look(self, now: int) -> None:
        """The self-check: tell once what cannot be seen."""
        for state in list(self.core.running.values()):
            if state.since and now - state.since >= SELF_CHECK:
                for sentence in self.gate.blind():
                    if sentence not in self._told:
                        self._told.add(sentence)
                        logger.warning("loopscope is on but cannot see all: %s", sentence)
                return

    # ------------------------------------------------------------ counts

    def statistics(self) -> dict[str, Any]:
        """See `process.statistics`."""
        outbox = self.pipeline.outbox
        dropped = dict(self.pipeline.lost)
        if outbox is not None:
            for cause, count in list(outbox.dropped.items()):
                dropped[cause] = dropped.get(cause, 0) + count
        return {
            "core": self.core.name,
            "recording": self.core.on,
            "records.dropped": self.buffer.dropped + self.pipeline.unread,
            "lines.dropped": self.lines.dropped + self.pipeline.printed.dropped,
            "buffer.usage": self.buffer.usage,
            "detail.level": self.pipeline.budget.level,
            "detail.changes": {cause: counts.copy() for cause, counts in self.pipeline.budget.changes.copy().items()},
            "spans.exported": outbox.exported if outbox is not None else 0,
            "spans.coalesced": self.pipeline.tracer.steps.coalesced,
            "spans.dropped": dropped,
            "targets": {} if outbox is None else {target.where: target.takes for target in outbox.targets},
            "values.replaced": self._encoding.values.replaced,
            "stalls": self.pipeline.stalls.stalls,
            "errors": self.core.errors + self.provider.errors,
            "coverage": self.metrics.sums.loops.coverage(),
        }

    def _report(self) -> None:
        """One warning at the end, if anything was lost."""
        counts = self.statistics()
        lost = [f"{count} spans ({cause})" for cause, count in counts["spans.dropped"].items() if count]
        records = {"buffer full": self.buffer.dropped, "shutdown": self.pipeline.unread}
        lost[:0] = [f"{count} records ({cause})" for cause, count in records.items() if count]
        if counts["lines.dropped"]:
            lost.append(f"{counts['lines.dropped']} printed lines (too many)")
        if lost and lost != self._lost:
            self._lost = lost
            logger.warning("loopscope lost %s", ", ".join(lost))


def _matcher(settings: Settings) -> Any:
    """Whether a task of this `module.qualname` is recorded; remembers what it said."""
    include, exclude = settings.include, settings.exclude
    if not include and not exclude:
        return lambda name: True
    known: dict[str, bool] = {}

    def wanted(name: str) -> bool:
        said = known.get(name)
        if said is None:
            if len(known) > 8192:
                known.clear()
            said = known[name] = (not include or any(fnmatch.fnmatchcase(name, p) for p in include)) and not any(
                fnmatch.fnmatchcase(name, p) for p in exclude
            )
        return said

    return wanted
