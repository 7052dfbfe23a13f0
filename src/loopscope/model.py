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

    __slots__ = (
        "chain", "code", "file", "function", "leaf", "line", "module", "origin", "public", "qualname", "timed"
    )  # fmt: skip

    def __init__(
        self, code: CodeType | None, module: str, qualname: str, origin: int, public: str, leaf: bool = False,
        timed: bool = False,
    ) -> None:  # fmt: skip
        self.code = code
        self.module = module
        self.qualname = qualname
        #: APPLICATION, LIBRARY or STANDARD
        self.origin = origin
        #: how it is named when something awaits it; empty for a private helper of asyncio
        self.public = public
        #: awaits nothing that the application wrote
        self.leaf = leaf
        #: its running coroutine may hold an asyncio timeout
        self.timed = timed
        #: for capture: the chain of functions that begins here
        self.chain: Any = None
        self.file = code.co_filename if code is not None else ""
        self.line = code.co_firstlineno if code is not None else 0
        #: `module.qualname`, or the qualname alone where the module is unknown
        self.function = f"{module}.{qualname}" if module else qualname


# Levels of detail, each with less than the one before.
#: every step has its span
FULL = 0
#: fast undelayed steps of loopscope's own traces share spans
COALESCED = 1
#: and quick tasks of own traces have a task span alone
BARE = 2
#: and quick tasks of own traces have none
UNTOLD = 3
#: and fast undelayed steps in the application's traces share spans
REQUESTS = 4

STANDARD, LIBRARY, APPLICATION = 0, 1, 2


class Where(NamedTuple):
    """The thread and the loop that a step ran on."""

    thread: int
    thread_name: str
    loop: int


#: index that no step has
NEVER = 1 << 62


class Pulse(Protocol):
    """The cell that capture and pipeline share for a living task."""

    #: its steps are not recorded now; set by the pipeline where nothing will be exported of them, and to False where it
    #: is to be heard again
    muted: bool
    #: when the task became ready, in nanoseconds of the clock; 0 while it is not
    ready: int
    #: when its current step started; 0 while it is not running
    started: int
    #: index of its current step, or of the next one
    index: int
    #: index of the step from which on they are not. From NEVER on all are; how far beyond it: its index as `muted` was
    #: last set to False, as it made a sampled span current, say; 0 for never
    hush: int
    #: it is not to be told
    excluded: bool
    #: its end was recorded, if there was room
    over: bool
    #: cancellations asked of it that nobody took back, as of its last step's end; 1 where this Python does not say
    cancels: int
    #: how many of its steps were over when it last had fewer: which of several stand then is not known
    uncancelled: int


class Wait(NamedTuple):
    """What a step suspended on, with what matters of it."""

    name: str | Place
    #: attributes, by their names in `conventions`
    details: tuple[tuple[str, Any], ...]


class CancelRequest(NamedTuple):
    """Who asked a task to end, as far as it was seen."""

    #: qualname of the function that asked, `timeout` for an expiry, None where it is unknown
    name: str | None
    #: the innermost function of the application's own that asked, and the line where it did
    place: Place | None
    line: int
    message: str | None


class Handoff(NamedTuple):
    """A function that a task's step handed to an executor. Times are nanoseconds of the clock."""

    task: int
    step: int
    function: str
    submitted: int
    #: when it began to run; 0 where only the end is known (a pool of processes or interpreters)
    start: int
    end: int
    thread: int
    thread_name: str
    #: type of the error that it raised, None for none
    error: str | None
    #: module of the function, empty where it is unknown
    module: str = ""


#: why a loop's thread was held, as far as it can be told
PYTHON, GIL, COLLECTOR, UNSCHEDULED, BLOCKING = "python", "gil", "gc", "unscheduled", "blocking"


class Frame(NamedTuple):
    """One frame of a stack: code and line."""

    code: CodeType
    line: int


class Look(NamedTuple):
    """What the watchdog saw of a thread that was held too long. Times are nanoseconds of the clock."""

    thread: int
    loop: int
    #: the task whose step held it and the step's index; 0 and -1 for a callback of the loop; -1 and -1 where the
    #: watchdog was kept from running and came when it was over: then its times tell what it belongs to
    task: int
    step: int
    #: since when it was held, as far as known, and when the look was taken
    since: int
    time: int
    #: PYTHON, GIL, COLLECTOR, UNSCHEDULED, BLOCKING; None where it cannot be told
    cause: str | None
    #: outermost first, the loop's own and ours left out; empty where it could not be read
    stack: tuple[Frame, ...]


class Printed(NamedTuple):
    """A line that a step printed: when its first piece was written, in nanoseconds of the clock."""

    time: int
    stream: str
    text: str


# ---------------------------------------------------------------- records
#
# A record is a plain tuple, its first item the tag below. Times are nanoseconds of `clock`. Those that the native core
# writes of steps are no tuples, but read as such.
#
#   (BIRTH, task, time, pulse, name, place, creator, creator_step, span, late)
#   (STEP, task, index, where, (ready, waker_kind, waker, waker_step, waker_name), start, end,
#    outcome, awaiting, point, lasti, span, activated, span_after, name, state, error, polls)
#   (GONE, task, time, unrecorded): the task was freed before its end was recorded
#   (SPAN_START, trace_id, time) and (SPAN_END, trace_id, time): a local span of the application
#   (POLLS, where, polls): looks at the selector that no step's record took
#   (LOOK, look): the watchdog looked at a thread
#   (COLLECTION, thread, start, end): the garbage collector held a thread
#   (HANDOFF, handoff): a function that a task handed to an executor has run
#   (MISHAP, task, time, kind): see the MISHAPS; task 0 where it is unknown
#   (PRINTED, task, step, time, stream, text): a step printed a line; before the step's own record
#   (REQUEST, task, step, time, request, asker): a cancellation was asked of a task that waits for another one, which it
#       wakes; the step is its next one
#
# A first step and a bare yield have 0 for `ready`: ready from the birth, or from the last end. `waker` is the id of
# the waking task, 0 for none, and `waker_step` the index of its step (after I/O without a waking task: the nanoseconds
# that it may have come earlier, -1 where that is unknown); `waker_name` is text, or the CancelRequest of a
# cancellation. `awaiting` is a Place, text, or a Wait. `span` is the SpanIdentity current at the start, `activated`
# those activated during the step, oldest first (None for none), `span_after` the one current at its end. `state` is
# the task's, None while it lives on. `polls` are the looks at the selector since the thread's last record: start, end,
# start, end ...; empty for none, None where the loop does not show them.

BIRTH, STEP, GONE, SPAN_START, SPAN_END, POLLS, LOOK, COLLECTION, HANDOFF, MISHAP, PRINTED, REQUEST = range(12)

#: what may become of a task, or of a coroutine
NEVER_RETRIEVED, NEVER_AWAITED, PENDING_DESTROYED = "never_retrieved", "never_awaited", "destroyed_pending"
MISHAPS = (NEVER_RETRIEVED, NEVER_AWAITED, PENDING_DESTROYED)

Record = tuple[Any, ...]

clock = time.perf_counter_ns
#: Unix time in nanoseconds; as it was, for an application's tests replace it
wall = time.time_ns


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
            unix = wall()
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
    #: end of the step before the last, or its birth
    before: int = 0
    running: int = 0
    ready: int = 0
    #: how it ended, None while it lives
    state: str | None = None
    #: the first cancellation that was asked of it, and when
    cancel: CancelRequest | None = None
    cancel_time: int = 0
    #: index of the first step after it
    cancel_step: int = 0
    #: id of the task whose step asked, 0 where none did
    cancel_by: int = 0
    #: what its last step suspended on
    awaiting: str | Place | Wait | None = None
    #: which of the MISHAPS befell it
    mishaps: tuple[str, ...] = ()
    #: for the spans: what they keep of this task
    notes: Any = None
    #: for the sums: index of the next step that they count, the application's function that awaits, and the lock or
    #: queue that is waited for: where it was made, the step, since when
    counted: int = 0
    awaits: Place | None = None
    contends: tuple[str, int, int] | None = None

    @property
    def cancel_stands(self) -> bool:
        """Nobody took the cancellation back that was asked, as asyncio.timeout() and TaskGroup do with theirs."""
        return self.cancel is not None and not self.cancel_over and (self.pulse is None or self.pulse.cancels > 0)

    @property
    def cancel_over(self) -> bool:
        """The cancellation that was asked was taken back, or may have been, whatever else was asked since."""
        return self.pulse is not None and self.pulse.uncancelled > self.cancel_step

    @property
    def cancel_latency(self) -> int | None:
        """From the cancellation to the task's end; None where it did not end, or was not asked to any more."""
        if self.cancel is None or self.cancel_over or self.state not in ENDINGS:
            return None
        if self.state != CANCELLED and not self.cancel_stands:
            return None
        return self.last_end - self.cancel_time

    def asked(self, cancel: CancelRequest, time: int, step: int, asker: int) -> None:
        """A cancellation was asked of it. One that stands remains, but for a timeout, which it may have survived."""
        if self.cancel is None or self.cancel_over or self.cancel.name == "timeout":
            self.cancel, self.cancel_time, self.cancel_step, self.cancel_by = cancel, time, step, asker


class Delay(NamedTuple):
    """What kept a ready task from running. Durations are nanoseconds."""

    #: qualname of the step that held the thread longest, `burst ...` of many short ones, or `callback`
    name: str
    #: name of its task, None where there is none
    task: str | None
    #: how long it, or they, held the thread in that time
    duration: int
    #: how many steps a burst had, 1 otherwise
    steps: int
    #: module.qualname, file and line of the function that held it, as far as known
    function: str
    place: str
    #: task id and step index of the step that held it, (0, -1) where it is none
    by: tuple[int, int]


@dataclass(slots=True)
class Harm:
    """What a step did to others: how many tasks it kept waiting, and for how long together (nanoseconds)."""

    count: int = 0
    duration: int = 0


@dataclass(slots=True)
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
    awaiting: str | Place | Wait | None
    point: Place | None
    lasti: int
    span: SpanIdentity | None
    activated: tuple[SpanIdentity, ...]
    span_after: SpanIdentity | None
    error: str | None
    polls: tuple[int, ...] | None
    #: who asked for the cancellation that it was woken by
    cancel: CancelRequest | None = None
    #: nanoseconds that the I/O that woke it may have come earlier, None where that does not apply; whether a guess
    unpolled: int | None = None
    unpolled_guessed: bool = False
    #: what the step before it suspended on
    waited: str | Place | Wait | None = None
    #: what delayed it, where it was delayed
    delay: Delay | None = None
    #: whom it delayed; grows while its victims' records come in
    harm: Harm | None = None
    #: what the watchdog saw of it
    looks: list[Look] | None = None
    #: the lines that it printed
    printed: list[Printed] | None = None

    def exceptional(self, slow: int) -> bool:
        """Whether it was delayed or stalled, or ran for so many nanoseconds: such a one may be an exemplar."""
        return self.delay is not None or self.looks is not None or self.end - self.start >= slow


UNKNOWN = Place(None, "", "unknown", APPLICATION, "unknown")
