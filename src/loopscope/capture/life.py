"""What hangs on a task and on a thread, and what is known of a loop: plain cells, nothing of the application's in them.

- A `Life` hangs on the task and points to nothing of the application, nor to the core: it waits in the core's buffer.
  The pipeline shares it as its pulse.
- A `Guard` hangs on the task beside it: only its death tells that a task went away before its end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from loopscope.capture import private
from loopscope.model import GONE, NEVER, UNKNOWN, Place, SpanIdentity, Where, clock

if TYPE_CHECKING:
    from loopscope.capture.core import Core
    from loopscope.capture.printed import Line
    from loopscope.capture.stand_ins import Callback

#: steps of an excluded task that are recorded: it may be a culprit
FIRST = 64

#: attributes that we hang on the application's objects
LIFE, GUARD, DUE = "_loopscope", "_loopscope_guard", "_loopscope_due"
#: of a lock, queue and the like: "file:line" of its creation; of a stream: its peer, empty for none
PLACE, PEER = "_loopscope_place", "_loopscope_peer"


def hung_on(thing: Any, name: str) -> Any:
    """What hangs on one of the application's objects under a name of ours, None for nothing.

    Its class is not asked: it may answer for names that it does not know, or refuse to.
    """
    try:
        return object.__getattribute__(thing, name)
    except AttributeError:
        return None


#: hangs something on one of the application's objects, without asking its class: (object, name, value)
hang: Callable[[Any, str, Any], None] = object.__setattr__


def nothing() -> None:
    """Stands where a callable is wanted and there is nothing to call."""
    return None


def hush(excluded: bool) -> int:
    """Index of the step from which on a new task is passed by: see Pulse."""
    return FIRST if excluded else NEVER


class Life:
    """A living task as capture knows it: numbers, strings and a Place, nothing of the application's.

    The native core has its own.
    """

    __slots__ = (
        "activated", "cancels", "cell", "excluded", "here", "hush", "id", "index", "left", "loop", "name", "over",
        "place", "ready", "span", "started", "unborn", "uncancelled",
    )  # fmt: skip

    def __init__(self, id: int, place: Place, loop: LoopState, excluded: bool) -> None:
        self.id = id
        self.place = place
        self.loop = loop
        self.excluded = excluded
        #: index of the step from which on it is passed by: see Pulse
        self.hush = hush(excluded)
        #: index of the current step, or of the next one
        self.index = 0
        #: since when it is ready, 0 while it is not; since when it runs, 0 while it does not
        self.ready = 0
        self.started = 0
        #: the record of its birth found no room
        self.unborn = False
        #: it has ended
        self.over = False
        #: where its last step ran
        self.here: Here | None = None
        #: its name as last read
        self.name = ""
        #: weak reference to the OpenTelemetry context last seen at a start, and the identity of its span
        self.cell: Callable[[], Any] = nothing
        self.span: SpanIdentity | None = None
        #: spans activated during the running step
        self.activated: list[SpanIdentity] | None = None
        #: a span was left during the running step
        self.left = False
        #: `task.cancelling()` at the end of its last step that waited, or as last asked: while one stands, or where one
        #: woke it, also at a step's start
        self.cancels = 0 if private.CANCELLING else 1
        #: how many of its steps were over when it last had fewer: which of several stand then is not known
        self.uncancelled = 0

    @property
    def muted(self) -> bool:
        """Its steps are passed by now. Set to False: it is heard, from its current step on, or the next one."""
        return self.index >= self.hush

    @muted.setter
    def muted(self, value: bool) -> None:
        self.hush = 0 if value else NEVER + self.index


class Guard:
    """Dies with the task, and tells of a task that never ended."""

    __slots__ = ("core", "life")

    def __init__(self, core: Core, life: Life) -> None:
        self.core = core
        self.life = life

    def __del__(self) -> None:
        if not self.life.over and self.core.on:
            gone(self.core, self.life)


def gone(core: Core, life: Life) -> None:
    """A task went away before its end was recorded."""
    life.over = True
    # Its last step was passed by, though the next one would have been recorded.
    unseen = life.muted or life.hush - NEVER >= life.index > 0
    core.buffer.put_vital((GONE, life.id, clock(), life.excluded or unseen))


class Here:
    """What runs on one thread: the task in its step, the loop's callback, the task in creation."""

    __slots__ = (
        "birth", "blind", "callback", "cpu", "ended", "ident", "items", "life", "lines", "loop", "name", "native",
        "outer", "polled", "polling", "polls", "sampled", "unpolled", "where",
    )  # fmt: skip

    def __init__(self) -> None:
        self.life: Life | None = None
        self.callback: Callback | None = None
        self.birth: Birth | None = None
        #: lines that its steps began to print, by stream
        self.lines: dict[str, Line] = {}
        #: work items that were made for thread pools
        self.items = 0
        self.ident = threading.get_ident()
        self.name = private.thread_name(self.ident)
        #: the loop that runs, and what ran on this thread when a nested one began
        self.loop = 0
        self.outer: dict[int, tuple[Life | None, Callback | None]] = {}
        #: the running loop's looks at its selector may be seen, but are not
        self.blind = False
        #: since when it looks at its selector, 0 while it does not
        self.polling = 0
        #: when the last look ended, 0 where that was not minded; and how much earlier than it what it found may have
        #: been there, -1 for unknown
        self.polled, self.unpolled = 0, -1
        #: when the last recorded step ended
        self.ended = 0
        #: looks that no record has told yet: start, end, start, end ...; None where they are not seen
        self.polls: tuple[int, ...] | None = None
        self.where: Where | None = None
        self.identify()

    def at(self, loop: int) -> Where:
        """This thread and a loop: one object for all that runs there."""
        where = self.where
        if where is None or where.loop != loop:
            where = self.where = Where(self.ident, self.name, loop)
        return where

    def identify(self) -> None:
        """How the system knows this thread: another one in a forked child."""
        self.native = threading.get_native_id()
        #: the clock of its CPU time, None where there is none
        self.cpu = private.cpu_clock(self.ident)
        #: for the watchdog: a clock reading, and the CPU time then
        self.sampled: tuple[int, int | None] = (0, None)


class Birth:
    """A task that is being created and may run its first step before its creation returns."""

    __slots__ = ("coroutine", "current", "life", "loop", "outer")

    def __init__(self, coroutine: Any, life: Life, outer: Life | None, loop: Any, current: Any) -> None:
        self.coroutine = coroutine
        self.life = life
        self.outer = outer
        #: its loop, and the task of that which runs now
        self.loop = loop
        self.current = current


class LoopState:
    """A loop as its tasks and the self-check know it; holds no loop."""

    __slots__ = ("cell", "gated", "here", "id", "kind", "seen", "since", "where")

    def __init__(self, id: int, kind: str) -> None:
        self.id = id
        self.kind = kind
        #: weak reference to the loop
        self.cell: Callable[[], Any] = nothing
        #: the thread that it runs on, None where that is not known yet, and what records say of it
        self.here: Here | None = None
        self.where: Where | None = None
        #: the loop's `call_soon` is ours, as far as its class tells
        self.gated = True
        #: a task of this loop came through the gate
        self.seen = False
        #: since when it runs, 0 while it does not
        self.since = 0


#: the Life of a task that could not be adopted
PASSED_BY = Life(0, UNKNOWN, LoopState(0, ""), True)
PASSED_BY.muted = True


class _Sharer:
    """Its objects share the names of their attributes: their dicts hold values alone (PEP 412)."""


def _hanging() -> dict[str, Any]:
    for _ in range(64):  # the dict of each has room for less that it may never have than the one before
        sharer = _Sharer()
        hang(sharer, LIFE, None)
        hang(sharer, GUARD, None)
    return sharer.__dict__


#: what hangs on a task that nothing else hangs on: a copy of it takes half the memory of a dict of its own
HANGING = _hanging()

local = threading.local()


def enter() -> Here:
    """This thread's Here."""
    try:
        return local.here  # type: ignore[no-any-return]
    except AttributeError:
        here = local.here = Here()
        return here
