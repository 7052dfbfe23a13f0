"""Hand-made records, and a cold side with fake ids and a fake sampler to feed them to."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from loopscope.capture.life import Life, LoopState
from loopscope.model import (
    APPLICATION,
    BIRTH,
    COLLECTION,
    GONE,
    LOOK,
    POLLS,
    PRINTED,
    SPAN_END,
    SPAN_START,
    START,
    STEP,
    SUSPENDED,
    UNKNOWN,
    Frame,
    Handoff,
    Look,
    Place,
    Printed,
    Record,
    SpanIdentity,
    Step,
    TaskLife,
    Where,
)
from loopscope.pipeline.assembler import Assembler
from loopscope.pipeline.culprits import Culprits
from loopscope.pipeline.lives import each
from loopscope.pipeline.sinks import Sink, Sinks
from loopscope.pipeline.spans.budget import UNBOUNDED, Budget
from loopscope.pipeline.spans.span import Span
from loopscope.pipeline.spans.tracer import Tracer
from loopscope.pipeline.spans.traces import Sampled, Traces
from loopscope.pipeline.spans.visit import Caps

SECOND = 1_000_000_000
MS = 1_000_000


@dataclass(frozen=True)
class Identity:
    """A SpanIdentity."""

    trace_id: int
    span_id: int
    is_remote: bool = False
    trace_flags: int = 1
    trace_state: Any = None


class Pulse(Life):
    """A Pulse as capture keeps it."""

    def __init__(
        self, *, muted: bool = False, ready: int = 0, started: int = 0, index: int = 0, excluded: bool = False,
        over: bool = False, cancels: int = 0, uncancelled: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(0, UNKNOWN, LoopState(0, ""), excluded)
        if muted:
            self.muted = True
        self.ready, self.started, self.index, self.over = ready, started, index, over
        self.cancels, self.uncancelled = cancels, uncancelled


def place(qualname: str) -> Place:
    """A Place of the application's module `app`."""
    return Place(None, "app", qualname, APPLICATION, f"app.{qualname}")


def where(thread: int = 1) -> Where:
    """A thread and its loop."""
    return Where(thread, f"thread {thread}", thread)


def birth(
    task: int, time: int = 0, qualname: str = "work", creator: int = 0, creator_step: int = 0,
    span: SpanIdentity | None = None, pulse: Any = None, late: bool = False,
) -> Record:  # fmt: skip
    """A birth record."""
    return (BIRTH, task, time, pulse, f"Task-{task}", place(qualname), creator, creator_step, span, late)


def step(
    task: int, index: int, ready: int, start: int, end: int, state: str | None = None, outcome: str | None = None,
    span: SpanIdentity | None = None, activated: Iterable[SpanIdentity] = (), after: SpanIdentity | None = None,
    waker: int = 0, waker_step: int = 0, kind: str = START, error: str | None = None, thread: int = 1,
    polls: tuple[int, ...] | None = None,
) -> Record:  # fmt: skip
    """A step record; `after` is the span current at its end, `ready` 0 after a bare yield."""
    return (
        STEP, task, index, where(thread), (ready, kind, waker, waker_step, None), start, end,
        outcome or state or SUSPENDED, None if state else "asyncio.sleep", None, -1, span, list(activated) or None,
        after, f"Task-{task}", state, error, polls,
    )  # fmt: skip


def polled(polls: tuple[int, ...], thread: int = 1) -> Record:
    """Looks at the selector that no step took."""
    return (POLLS, where(thread), polls)


def gone(task: int, time: int, unrecorded: bool = False) -> Record:
    """A task was freed before its end was recorded."""
    return (GONE, task, time, unrecorded)


def span_start(trace_id: int, time: int) -> Record:
    """A local span of the application started."""
    return (SPAN_START, trace_id, time)


def span_end(trace_id: int, time: int) -> Record:
    """A local span of the application ended."""
    return (SPAN_END, trace_id, time)


def look(
    task: int, step: int, since: int, time: int, cause: str | None = "blocking", stack: tuple[Frame, ...] = (),
    thread: int = 1,
) -> Record:  # fmt: skip
    """The watchdog looked: at a callback with task 0 and step -1, too late with -1 and -1."""
    return (LOOK, Look(thread, thread, task, step, since, time, cause, stack))


def collection(start: int, end: int, thread: int = 1) -> Record:
    """The garbage collector held a thread."""
    return (COLLECTION, thread, start, end)


def printed(task: int, step: int, time: int, text: str, stream: str = "stdout") -> Record:
    """A step printed a line."""
    return (PRINTED, task, step, time, stream, text)


@dataclass
class Told(Sink):
    """A Sink that notes what the assembler tells it, in order."""

    events: list[tuple[Any, ...]] = field(default_factory=list)
    lives: list[TaskLife] = field(default_factory=list)
    steps: dict[int, list[Step]] = field(default_factory=dict)

    def born(self, life: TaskLife) -> None:
        """See Sink."""
        self.events.append(("born", life.id, life.born, life.late))
        self.lives.append(life)
        self.steps[id(life)] = []

    def stepped(self, life: TaskLife, step: Step) -> None:
        """See Sink."""
        self.events.append(("stepped", life.id, step))
        self.steps[id(life)].append(step)

    def ended(self, life: TaskLife, time: int) -> None:
        """See Sink."""
        self.events.append(("ended", life.id, life.state, time))

    def span_started(self, trace_id: int, time: int) -> None:
        """See Sink."""
        self.events.append(("span started", trace_id, time))

    def span_ended(self, trace_id: int, time: int) -> None:
        """See Sink."""
        self.events.append(("span ended", trace_id, time))

    def polled(self, where: Where, polls: tuple[int, ...]) -> None:
        """See Sink."""
        self.events.append(("polled", where.thread, polls))

    def looked(self, look: Look) -> None:
        """See Sink."""
        self.events.append(("looked", look))

    def collected(self, thread: int, start: int, end: int) -> None:
        """See Sink."""
        self.events.append(("collected", thread, start, end))

    def handed(self, handoff: Handoff) -> None:
        """See Sink."""
        self.events.append(("handed", handoff))

    def mishap(self, id: int, time: int, kind: str) -> None:
        """See Sink."""
        self.events.append(("mishap", id, time, kind))

    def printed(self, id: int, index: int, line: Printed) -> None:
        """See Sink."""
        self.events.append(("printed", id, index, line))


#: own traces get ids from here on, spans of ours from OWN_SPAN on
OWN_TRACE, OWN_SPAN = 1_000, 1_000_000


class Cold:
    """Assembler and tracer of the default settings, with counted ids; `spans` collects what they emit."""

    def __init__(
        self, caps: Caps = Caps(2_000, 15_000, MS, 10 * MS), segment: int = 60 * SECOND, detail: str = "steps",
        sample: Callable[[int, str], bool] = lambda trace_id, name: True, rate: int = UNBOUNDED,
    ) -> None:  # fmt: skip
        self.spans: list[Span] = []
        self.lost: dict[str, int] = {}
        #: filled share of the buffer
        self.fill = 0.0
        #: what the sampler was asked
        self.asked: list[tuple[int, str]] = []
        self._sample = sample
        traces, spans = itertools.count(OWN_TRACE), itertools.count(OWN_SPAN)
        self.traces = Traces(segment, lambda: next(traces), self._asked)
        self.budget = Budget(rate)
        muted: dict[int, Any] = {}
        self.tracer = Tracer(
            self.traces, lambda: next(spans), self._emit, self._lose, caps, segment, detail, budget=self.budget,
            muted=muted,
        )  # fmt: skip
        self.assembler = Assembler(Sinks(Culprits(caps.delay), self.tracer), self.tracer.kin.lives, muted)

    def _asked(self, trace_id: int, name: str) -> Sampled:
        self.asked.append((trace_id, name))
        return Sampled(self._sample(trace_id, name), [("sampler.said", len(self.asked))], None)

    def _emit(self, span: Span) -> None:
        self.budget.spend(span.end)
        self.spans.append(span)

    def _lose(self, cause: str, count: int) -> None:
        self.lost[cause] = self.lost.get(cause, 0) + count

    def feed(self, *records: Record) -> Cold:
        """Feed records."""
        for record in records:
            self.assembler.feed(record)
        return self

    def tick(self, now: int) -> Cold:
        """A round of what time brings, without the sweep."""
        if now >= self.budget.due:
            self.budget.look(now, self.fill)
        for _ in self.tracer.tick(now):
            pass
        return self

    def sweep(self, now: int) -> Cold:
        """A round and its sweep."""
        self.tick(now)
        for life in each(self.tracer.kin.lives):
            self.tracer.tell(life, now)
        for _ in self.traces.forget(now):
            pass
        return self

    def finish(self, now: int) -> Cold:
        """Close what is open."""
        for _ in self.tracer.finish(now):
            pass
        return self

    @property
    def tasks(self) -> list[Span]:
        """Task spans in the order in which they were written."""
        return [span for span in self.spans if span.name.startswith("task ")]

    @property
    def steps(self) -> list[Span]:
        """Spans of steps, coalesced ones too, in the order in which they were written."""
        return [span for span in self.spans if span.name.startswith(("step ", "steps "))]


def said(span: Span, key: str) -> Any:
    """An attribute of a span, None where it has none."""
    return dict(span.attributes).get(key)


def nanoseconds(span: Span, key: str) -> int:
    """A duration attribute in nanoseconds."""
    rounded: int = round(said(span, key) * 1e9)
    return rounded


def adds_up(span: Span) -> bool:
    """Whether a task span's running, ready and waiting are its duration."""
    parts = [nanoseconds(span, f"asyncio.task.{state}.duration") for state in ("running", "ready", "waiting")]
    return min(parts) >= 0 and sum(parts) == span.end - span.start
