"""The vocabulary: the layout of records, what the assembler makes of them, and the clock anchor."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import CodeType
from typing import Any, NamedTuple, Protocol

# ---------------------------------------------------------------- names of values

RETURNED, RAISED, CANCELLED = "returned", "raised", "cancelled"
SUSPENDED, YIELDED = "suspended", "yielded"
DESTROYED = "destroyed"
WAITING, READY, RUNNING = "waiting", "ready", "running"

START, TASK, TIMER, IO, THREAD, CALLBACK, CANCEL, YIELD = (
    "start",
    "task",
    "timer",
    "io",
    "thread",
    "callback",
    "cancel",
    "yield",
)

ENDINGS = frozenset({RETURNED, RAISED, CANCELLED})


class SpanIdentity(Protocol):
    """What is kept of an application's span: OpenTelemetry's `SpanContext` fits."""

    @property
    def trace_id(self) -> int: ...
    @property
    def span_id(self) -> int: ...
    @property
    def is_remote(self) -> bool: ...
    @property
    def trace_flags(self) -> int: ...
    @property
    def trace_state(self) -> Any: ...


class Place:
    """A function as records name it: its code, module, qualname, and whose it is."""

    __slots__ = ("code", "file", "leaf", "line", "module", "origin", "public", "qualname")

    def __init__(
        self, code: CodeType | None, module: str, qualname: str, origin: int, public: str, leaf: bool = False
    ) -> None:
        self.code = code
        self.module = module
        self.qualname = qualname
        #: APPLICATION, LIBRARY or STANDARD
        self.origin = origin
        #: how it is named when something awaits it; empty for a private helper of asyncio
        self.public = public
        #: awaits nothing that the application wrote
        self.leaf = leaf
        self.file = code.co_filename if code is not None else ""
        self.line = code.co_firstlineno if code is not None else 0

    @property
    def function(self) -> str:
        """`module.qualname`, or the qualname alone where the module is unknown."""
        return f"{self.module}.{self.qualname}" if self.module else self.qualname


STANDARD, LIBRARY, APPLICATION = 0, 1, 2


class Where(NamedTuple):
    """The thread and the loop that a step ran on."""

    thread: int
    thread_name: str
    loop: int


class Pulse(Protocol):
    """The cell that capture and pipeline share for a living task."""

    #: set by the pipeline: nothing will be exported of this task's steps
    muted: bool
    #: when the task became ready, in nanoseconds of the clock; 0 while it is not
    ready: int
    #: when its current step started; 0 while it is not running
    started: int
    #: index of its current step, or of the next one
    index: int
    #: it is not to be recorded at all
    excluded: bool
    #: its end was recorded, if there was room
    over: bool


# ---------------------------------------------------------------- records
#
# A record is a plain tuple, its first item the tag below. Times are nanoseconds of `clock`.
#
#   (BIRTH, task, time, pulse, name, place, creator, creator_step, span, late)
#   (STEP, task, index, where, (ready, waker_kind, waker, waker_step, waker_name), start, end,
#    outcome, awaiting, point, lasti, span, activated, span_after, name, state, error)
#   (GONE, task, time, unrecorded): the task was freed before its end was recorded
#   (SPAN_START, trace_id, time) and (SPAN_END, trace_id, time): a local span of the application
#
# A first step and a bare yield have 0 for `ready`: ready from the birth, or from the last end. `waker` is the id of
# the waking task, 0 for none, and `waker_step` the index of its step; `span` the SpanIdentity current at the start,
# `activated` those activated during the step, oldest first (None for none), `span_after` the one current at its end.
# `state` is the task's, None while it lives on.

BIRTH, STEP, GONE, SPAN_START, SPAN_END = range(5)

Record = tuple[Any, ...]

clock = time.perf_counter_ns


@dataclass(frozen=True)
class Anchor:
    """Turns clock readings into Unix time: one anchor for everything that a process exports."""

    offset: int

    @classmethod
    def now(cls) -> Anchor:
        """Take the anchor: the tightest of several paired readings."""
        best, offset = 1 << 62, 0
        for _ in range(8):
            before = clock()
            unix = time.time_ns()
            after = clock()
            if after - before < best:
                best, offset = after - before, unix - (before + after) // 2
        return cls(offset)

    def unix(self, reading: int) -> int:
        """Unix time in nanoseconds of a clock reading."""
        return reading + self.offset


# ---------------------------------------------------------------- what the assembler makes


@dataclass(slots=True)
class TaskLife:
    """One task from creation to exit, as far as records tell."""

    id: int
    name: str
    place: Place
    born: int
    pulse: Pulse | None = None
    creator: int = 0
    creator_step: int = 0
    span: SpanIdentity | None = None
    #: first seen in mid-life: its creation and earlier steps are unknown
    late: bool = False
    where: Where | None = None
    #: index that the next step must have
    steps: int = 0
    #: steps that were taken but whose records were lost
    missing: int = 0
    last_end: int = 0
    running: int = 0
    ready: int = 0
    #: how it ended, None while it lives
    state: str | None = None
    #: its next steps are not recorded on purpose: a gap in their numbers is no loss
    unrecorded: bool = False
    #: its end should have been told by now
    overdue: bool = False
    #: for the spans: what they keep of this task
    notes: Any = None


@dataclass(slots=True, frozen=True)
class Step:
    """One uninterrupted run of a task. Times are nanoseconds of the clock."""

    index: int
    where: Where
    ready: int
    start: int
    end: int
    waker_kind: str
    waker: int
    waker_step: int
    waker_name: str | None
    outcome: str
    awaiting: str | Place | None
    point: Place | None
    lasti: int
    span: SpanIdentity | None
    activated: tuple[SpanIdentity, ...]
    span_after: SpanIdentity | None
    error: str | None


UNKNOWN = Place(None, "", "unknown", APPLICATION, "unknown")
