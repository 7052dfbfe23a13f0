"""The traces that steps belong to: the application's, while they are fresh, and loopscope's own, which rotate."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from loopscope.model import SpanIdentity

SECOND = 1_000_000_000
#: a trace of the application still takes steps this long after its last local span ended (nanoseconds)
FRESH = 5 * SECOND
#: what is known of a trace is forgotten this long after its last local span ended
FORGET = 60 * SECOND
#: the application's traces that are known at most
KNOWN = 100_000


class Sampled(NamedTuple):
    """What a sampler said of a trace's root."""

    sampled: bool
    attributes: list[tuple[str, Any]]
    trace_state: Any


class Trace:
    """One trace and what it has taken so far."""

    __slots__ = (
        "attributes", "born", "last_end", "local", "lost", "next", "open", "own", "sampled", "spans", "trace_id",
        "trace_state",
    )  # fmt: skip

    def __init__(self, trace_id: int, own: bool, sampled: bool, born: int, trace_state: Any = None) -> None:
        self.trace_id = trace_id
        self.own = own
        self.sampled = sampled
        self.born = born
        self.trace_state = trace_state
        #: what the sampler wants said on the root
        self.attributes: list[tuple[str, Any]] = []
        #: spans of ours that it holds, and those that found no room
        self.spans = 0
        self.lost = 0
        #: the own trace that follows, once this one is old
        self.next: Trace | None = None
        #: the application's local spans now open, and when the last one ended
        self.open = 0
        self.last_end = born
        #: a local span of it was seen: what its sampler said counts, not the caller's flag
        self.local = False

    def heed(self, identity: SpanIdentity) -> None:
        """Whether it is sampled, as its spans say: one local span that is makes it so."""
        flag = bool(identity.trace_flags & 1)
        if not identity.is_remote:
            self.sampled = flag or (self.local and self.sampled)
            self.local = True
        elif not self.local:
            self.sampled = flag

    def take(self, most: int) -> bool:
        """Take room for a span of ours, if it holds fewer than `most`."""
        if self.spans >= most:
            return False
        self.spans += 1
        return True

    def crowded(self, most: int) -> bool:
        """Whether the room that is left, of `most` spans, is for what is worth telling."""
        return self.spans >= most * 7 // 8

    def latest(self) -> Trace:
        """The last of the own traces that followed this one so far."""
        trace = self
        while trace.next is not None:
            trace = trace.next
        return trace

    def leads_to(self, later: Trace) -> bool:
        """Whether an own trace was followed by that one, sooner or later."""
        trace: Trace | None = self
        while trace is not None and trace is not later:
            trace = trace.next
        return trace is later

    def fresh(self, time: int) -> bool:
        """Whether a step at this time may still go here.

        Of the spans of a sampled-out trace nobody hears when they end: it is known by its last activation.
        """
        return self.open > 0 or time - self.last_end < (FRESH if self.sampled else FORGET)


class Traces:
    """All traces that are known now."""

    def __init__(self, rotate: int, new_trace_id: Callable[[], int], sample: Callable[[int, str], Sampled]) -> None:
        #: age in nanoseconds at which an own trace is followed by a new one
        self._rotate = rotate
        self._new_trace_id = new_trace_id
        self._sample = sample
        self._foreign: dict[int, Trace] = {}
        #: their ids, for looking at one after the other without a copy
        self._order: deque[int] = deque()

    def _meet(self, trace: Trace) -> Trace:
        """Remember a trace of the application; spans that never end must not fill memory."""
        if len(self._foreign) >= KNOWN:
            del self._foreign[self._order.popleft()]
        self._foreign[trace.trace_id] = trace
        self._order.append(trace.trace_id)
        return trace

    def started(self, trace_id: int, time: int) -> None:
        """The application started a local span."""
        trace = self._foreign.get(trace_id)
        if trace is None:
            trace = self._meet(Trace(trace_id, False, True, time))
        trace.sampled = trace.local = True
        trace.open += 1

    def ended(self, trace_id: int, time: int) -> None:
        """The application ended a local span."""
        trace = self._foreign.get(trace_id)
        if trace is None:
            trace = self._meet(Trace(trace_id, False, True, time))
        trace.open = max(trace.open - 1, 0)
        trace.last_end = max(trace.last_end, time)

    def of(self, identity: SpanIdentity, time: int, activated: bool) -> Trace | None:
        """The application's trace that a step with this span works for, None where the span is stale."""
        trace = self._foreign.get(identity.trace_id)
        if trace is None:
            if not activated:
                return None
            sampled = bool(identity.trace_flags & 1)
            trace = self._meet(Trace(identity.trace_id, False, sampled, time, identity.trace_state))
        elif activated:
            trace.last_end = max(trace.last_end, time)
        trace.heed(identity)
        if trace.trace_state is None:
            trace.trace_state = identity.trace_state
        return trace if trace.fresh(time) else None

    def inherited(self, identity: SpanIdentity, born: int, time: int, untold: bool) -> Trace | None:
        """The trace that a task was born into, by a span whose activation nobody told of. None where it is known.

        Of one that is sampled out and was activated where no step ran nobody hears: it is as fresh as the task. That of
        a remote one may be `untold` as yet.
        """
        sampled = bool(identity.trace_flags & 1)
        heard = sampled and not (untold and identity.is_remote)
        if heard or identity.trace_id in self._foreign or time - born >= FORGET:
            return None
        trace = self._meet(Trace(identity.trace_id, False, sampled, born, identity.trace_state))
        trace.heed(identity)
        return trace

    def root(self, name: str, time: int) -> Trace:
        """A new own trace; the sampler is asked."""
        trace_id = self._new_trace_id()
        said = self._sample(trace_id, name)
        trace = Trace(trace_id, True, said.sampled, time, said.trace_state)
        trace.attributes = said.attributes
        return trace

    def old(self, trace: Trace, time: int) -> bool:
        """Whether an own trace has reached the age at which it rotates."""
        return time - trace.born >= self._rotate

    def current(self, trace: Trace, name: str, time: int) -> Trace:
        """The own trace that follows an old one, or the trace itself."""
        while self.old(trace, time):
            if trace.next is None:
                trace.next = self.root(name, time)
            trace = trace.next
        return trace

    def forget(self, time: int) -> Iterator[None]:
        """Drop what is known of traces that ended long ago, in small pieces."""
        for _ in range(len(self._order)):
            trace_id = self._order.popleft()
            trace = self._foreign[trace_id]
            if not trace.open and time - trace.last_end > FORGET:
                del self._foreign[trace_id]
            else:
                self._order.append(trace_id)
            yield
