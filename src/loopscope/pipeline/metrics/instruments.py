"""The instruments on a meter provider. What they read is found when they are read, and may be gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, Protocol
from weakref import ref

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Histogram, Observation
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from loopscope import conventions as c
from loopscope.log import logger
from loopscope.model import READY, RUNNING, clock
from loopscope.pipeline.metrics.histogram import Quantiles
from loopscope.pipeline.metrics.sample import Measured
from loopscope.pipeline.metrics.sums import Sums

SECOND = 1e9
ACTIVE, IDLE = "active", "idle"

#: bounds of the histograms' buckets in seconds
BOUNDS = (*(part * 10.0**power for power in range(-5, 1) for part in (1, 2.5, 5)), 10.0)

#: recorded in this, a value takes no exemplar, whatever span is current
_NOWHERE = set_span_in_context(INVALID_SPAN, Context())

Attributes = Mapping[str, Any]
#: values with their attributes
Values = Iterable[tuple[float, Attributes]]
#: what a counter counted, by its attributes
_Counted = dict[tuple[tuple[str, Any], ...], float]


class Source(Protocol):
    """What the instruments read, from the metric reader's thread."""

    sums: Sums

    def stalls(self) -> Mapping[tuple[str, str], int]:
        """Stalls by (place, cause)."""

    def statistics(self) -> Mapping[str, Any]:
        """See `runtime.statistics`."""


class Observed(NamedTuple):
    """An observable instrument: the method of the meter that makes it, and what it shows."""

    make: str
    name: str
    unit: str
    description: str
    read: Callable[[Source], Values]


class Board:
    """The instruments on one provider. They stay there, for the SDK takes none off: without a source they are mute.

    Its counters go on from where those of earlier sources ended; in a forked child all begin anew.
    """

    def __init__(self, meter: Any) -> None:
        self._meter = meter
        #: what is read now, and where each counter had ended before: readers' threads look at both at once
        self._read: tuple[Source | None, Mapping[str, _Counted]] = None, {}
        self._durations: Histogram | None = None
        self._ready: Histogram | None = None

    def register(self) -> Iterator[None]:
        """Make the instruments, one by one."""
        meter, self._meter = self._meter, None
        if meter is None:
            return
        for each in OBSERVED:
            getattr(meter, f"create_observable_{each.make}")(
                each.name, callbacks=[self._callback(each)], unit=each.unit, description=each.description
            )
            yield
        self._durations, self._ready = (
            meter.create_histogram(
                name, unit="s", description=description, explicit_bucket_boundaries_advisory=list(BOUNDS)
            )
            for name, description in HISTOGRAMS
        )

    def record(self, measured: Measured) -> None:
        """Put a step of the sample into the SDK's histograms."""
        context = _NOWHERE
        if measured.exemplar is not None:
            trace_id, span_id = measured.exemplar
            span = SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
            context = set_span_in_context(NonRecordingSpan(span), Context())
        if self._durations is not None and self._ready is not None:
            self._durations.record(measured.duration / SECOND, context=context)
            self._ready.record(measured.ready / SECOND, context=context)

    @property
    def source(self) -> Source | None:
        """What is read, None while they are mute."""
        return self._read[0]

    def show(self, source: Source) -> None:
        """Show this from now on."""
        self._read = source, self._read[1]

    def leave(self, source: Source) -> None:
        """Be mute, if this is the source."""
        if self.source is not source:
            return
        ended = dict(self._read[1])
        for each in OBSERVED:
            if each.make == "counter":
                with suppress(Exception):  # as it is observed
                    ended[each.name] = _added(ended.get(each.name), each.read(source))
        self._read = None, ended

    def forget(self, source: Source) -> None:
        """In a forked child this source begins anew, and what had ended was the parent's."""
        self._read = (source if self.source is source else None), {}

    def _callback(self, observed: Observed) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(options: CallbackOptions) -> Iterable[Observation]:
            source, ended = self._read
            if source is None:
                return []
            try:
                values = observed.read(source)
                if before := ended.get(observed.name):
                    values = [(value, dict(attributes)) for attributes, value in _added(before, values).items()]
                return [Observation(value, attributes) for value, attributes in values]
            except Exception:
                logger.debug("loopscope: a metric could not be read", exc_info=True)
                return []

        return observe


def _added(before: _Counted | None, values: Values) -> _Counted:
    counted = dict(before or ())
    for value, attributes in values:
        key = tuple(attributes.items())
        counted[key] = counted.get(key, 0) + value
    return counted


#: by the provider's id, for it need not be hashable: what leads to it, and its board
_boards: dict[int, tuple[Callable[[], Any], Board]] = {}


def board(provider: Any) -> Board:
    """The provider's board: one, however often loopscope is switched on."""
    key = id(provider)
    kept = _boards.get(key)
    if kept is not None and kept[0]() is provider:
        return kept[1]
    made = Board(provider.get_meter(c.SCOPE, c.VERSION, schema_url=c.SCHEMA_URL))
    try:
        leads: Callable[[], Any] = ref(provider, lambda gone: _boards.pop(key, None))
    except TypeError:  # nor weakly referable
        leads = partial(_itself, provider)
    _boards[key] = leads, made
    return made


def _itself(provider: Any) -> Any:
    return provider


# ---------------------------------------------------------------- what each shows


def _by(key: str, values: Mapping[str, float]) -> Values:
    return [(value, {key: name}) for name, value in list(values.items())]


#: by one name, or by two
_Tallied = Mapping[str, tuple[int, int]] | Mapping[tuple[str, str], tuple[int, int]]


def _counts(entries: _Tallied, *keys: str) -> Values:
    return [(count, _named(keys, name)) for name, (count, _) in entries.items()]


def _seconds(entries: _Tallied, *keys: str) -> Values:
    return [(duration / SECOND, _named(keys, name)) for name, (_, duration) in entries.items()]


def _named(keys: tuple[str, ...], name: str | tuple[str, str]) -> Attributes:
    return dict(zip(keys, (name,) if isinstance(name, str) else name, strict=True))


def _step_time(source: Source) -> Values:
    sums = source.sums
    return _by(c.STEP_STATE, {RUNNING: sums.running / SECOND, READY: sums.ready / SECOND})


def _loop_time(source: Source) -> Values:
    total = source.sums.loops.total()
    for active, idle, marks in (
        (total.active, total.idle, {}),
        (total.estimated_active, total.estimated_idle, {c.LOOP_TIME_ESTIMATED: True}),
    ):
        if active or idle:
            yield active / SECOND, {c.LOOP_STATE: ACTIVE, **marks}
            yield idle / SECOND, {c.LOOP_STATE: IDLE, **marks}


def _one(value: float | None) -> Values:
    return [] if value is None else [(value, {})]


def _delay(quantile: str) -> Callable[[Source], Values]:
    def read(source: Source) -> Values:
        found: Quantiles | None = source.sums.delays.read(clock())
        return [] if found is None else [(getattr(found, quantile) / SECOND, {})]

    return read


def _stalls(source: Source) -> Values:
    for (place, cause), count in list(source.stalls().items()):
        yield count, {c.STALL_PLACE: place, c.STALL_CAUSE: cause or "unknown"}


def _health(key: str) -> Callable[[Source], Values]:
    return lambda source: [(source.statistics()[key], {})]


def _detail_changes(source: Source) -> Values:
    for cause, counts in source.statistics()["detail.changes"].items():
        for level, count in counts.items():
            yield count, {c.DETAIL_LEVEL: level, c.CAUSE: cause}


OBSERVED = (
    Observed("up_down_counter", c.TASK_COUNT, "{task}", "Tasks alive", lambda s: [(s.sums.alive, {})]),
    Observed(
        "counter", c.TASK_EXITS, "{task}", "Tasks that ended, by how", lambda s: _by(c.TASK_STATE, s.sums.exits)
    ),
    Observed(
        "counter", c.TASK_MISHAPS, "{mishap}", "Exceptions never retrieved, coroutines never awaited, "
        "tasks destroyed while pending", lambda s: _by(c.TASK_MISHAP, s.sums.mishaps),
    ),
    Observed(
        "counter", c.TASK_CANCELLATIONS, "{cancellation}", "Wakes of tasks by a cancellation, by who asked",
        lambda s: _counts(s.sums.cancellations.read(), c.CANCEL_REQUESTED_BY),
    ),
    Observed(
        "counter", c.CANCEL_LATENCY, "s", "Time from a cancellation to the end of its task, by the task's function",
        lambda s: _seconds(s.sums.cancelled.read(), c.CODE_FUNCTION),
    ),
    Observed(
        "counter", c.CANCEL_SWALLOWED, "{task}", "Tasks that swallowed a cancellation, by the task's function",
        lambda s: _counts(s.sums.swallowed.read(), c.CODE_FUNCTION),
    ),
    Observed(
        "counter", c.TASK_WAITING_TIME, "s", "Time that tasks waited, by what they awaited and in which function",
        lambda s: _seconds(s.sums.awaits.read(), c.STEP_AWAITING, c.CODE_FUNCTION),
    ),
    Observed("counter", c.STEP_COUNT, "{step}", "Steps of tasks", lambda s: [(s.sums.steps, {})]),
    Observed("counter", c.STEP_TIME, "s", "Time that steps ran, and that they were ready before", _step_time),
    Observed(
        "counter", c.DELAYED_COUNT, "{step}", "Steps that were delayed, by what held the thread longest meanwhile",
        lambda s: _counts(s.sums.delayed.read(), c.DELAYED_BY_NAME),
    ),
    Observed(
        "counter", c.DELAYED_TIME, "s", "Time that delayed steps waited for what held the thread longest",
        lambda s: _seconds(s.sums.delayed.read(), c.DELAYED_BY_NAME),
    ),
    Observed(
        "counter", c.WAIT_COUNT, "{wait}", "Waits for a lock or a queue, by what was awaited and where that was made",
        lambda s: _counts(s.sums.waits.read(), c.STEP_AWAITING, c.WAIT_PLACE),
    ),
    Observed(
        "counter", c.WAIT_TIME, "s", "Time waited for a lock or a queue, by what was awaited and where that was made",
        lambda s: _seconds(s.sums.waits.read(), c.STEP_AWAITING, c.WAIT_PLACE),
    ),
    Observed("counter", c.LOOP_TIME, "s", "Time that event loops were active, and idle", _loop_time),
    Observed(
        "gauge", c.LOOP_UTILIZATION, "1", "Active share of the event loops' time since the last collection",
        lambda s: _one(s.sums.utilization.read(clock())),
    ),
    Observed(
        "gauge", c.LOOP_COVERAGE, "1", "Share of the event loops' active time in recorded steps and named callbacks",
        lambda s: _one(s.sums.loops.share),
    ),
    *(
        Observed("gauge", name, "s", f"{words} of the time that steps were ready, or may have been", _delay(quantile))
        for name, quantile, words in (
            (c.LOOP_DELAY_P50, "p50", "Median"),
            (c.LOOP_DELAY_P90, "p90", "90th percentile"),
            (c.LOOP_DELAY_P99, "p99", "99th percentile"),
            (c.LOOP_DELAY_MAX, "max", "Maximum"),
        )
    ),
    Observed("counter", c.LOOP_STALLS, "{stall}", "Stalls of event loops, by place and cause", _stalls),
    Observed(
        "counter", c.RECORD_DROPPED, "{record}", "Records that loopscope lost", _health("records.dropped")
    ),
    Observed("counter", c.SPAN_EXPORTED, "{span}", "Spans that loopscope exported", _health("spans.exported")),
    Observed(
        "counter", c.SPAN_COALESCED, "{span}", "Steps without a span of their own", _health("spans.coalesced")
    ),
    Observed(
        "counter", c.SPAN_DROPPED, "{span}", "Spans that loopscope lost, by cause",
        lambda s: _by(c.CAUSE, s.statistics()["spans.dropped"]),
    ),
    Observed("gauge", c.BUFFER_USAGE, "1", "Filled share of loopscope's buffer", _health("buffer.usage")),
    Observed("gauge", c.DETAIL_LEVEL, "{level}", "Level of detail of the spans, 0 is all", _health("detail.level")),
    Observed(
        "counter", c.DETAIL_CHANGES, "{change}", "Changes of the level of detail, by the level and the cause",
        _detail_changes,
    ),
)  # fmt: skip

HISTOGRAMS = (
    (c.STEP_DURATION, "Duration of steps, of a uniform sample of at most 100 a second"),
    (c.STEP_READY, "Time that steps were ready before they ran, of the same sample"),
)
