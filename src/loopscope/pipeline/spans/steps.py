"""Writes the spans of steps: each alone, or coalesced past the caps; with who woke it, who delayed it, whom it delayed.

A long step's span is held back a moment, because its victims' records come after its own; so is one whose waker's
step still runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from loopscope import conventions as c
from loopscope.model import BARE, FULL, Place, Printed, Step, TaskLife, Wait
from loopscope.pipeline.spans import describe
from loopscope.pipeline.spans.budget import Budget
from loopscope.pipeline.spans.placed import Placed, Places
from loopscope.pipeline.spans.span import Attributes, Event, Link, Span
from loopscope.pipeline.spans.traces import Trace
from loopscope.pipeline.spans.visit import Caps, Group, Visit

#: a span is held back so long (nanoseconds), and so many are at most
HOLD, HELD = 350_000_000, 4096

#: gives the stalls of a step: (clock reading, attributes)
Stalled = Callable[[Step], "list[tuple[int, Attributes]]"]
#: told of a step's span that goes out: (step, trace id, span id)
Exported = Callable[[Step, int, int], None]


class Holding(NamedTuple):
    """A span that is held back."""

    visit: Visit
    span: Span
    #: whose it is; None for a task's
    step: Step | None
    #: (task, step) of the waker that it waits for
    owed: tuple[int, int] | None
    #: gives what is to be said of it once it goes
    more: Callable[[], Attributes] | None = None


class StepSpans:
    """The spans of steps, under the task spans of visits."""

    def __init__(
        self,
        new_span_id: Callable[[], int],
        emit: Callable[[Visit, Span], None],
        drop: Callable[[Trace, int], None],
        known: Callable[[int], TaskLife | None],
        caps: Caps,
        detail: str,
        stalled: Stalled,
        exported: Exported,
        budget: Budget,
        placed: Placed,
    ) -> None:
        self._new_span_id = new_span_id
        self._emit = emit
        self._drop = drop
        self._known = known
        self._caps = caps
        self._steps = detail != "tasks"
        self._states = detail == "states"
        self._stalled = stalled
        self._exported = exported
        self._budget = budget
        self._placed = placed
        self._held: deque[Holding] = deque()
        #: spans that want a link to a step that has none yet
        self._owed: dict[tuple[int, int], list[Span]] = {}
        #: steps without a span of their own: they share one, or their task's span stands for them
        self.coalesced = 0

    # ------------------------------------------------------------ writing

    def place(self, life: TaskLife, visit: Visit, step: Step, shared: bool, before: int) -> None:
        """Write the step's span, or coalesce it. The visit's step before it ended at `before`."""
        if not self._steps:
            return
        caps, level = self._caps, self._budget.of(visit.trace.own)
        if visit.quiet is not None and visit.untold:
            level = max(level, visit.detail)
        if visit.keeps(step, caps) and (level == FULL or not visit.spares(step, caps, level)):
            held, visit.held = visit.held, None
            if held is not None:
                self._coalesce(visit, life, *held)
            if visit.group is not None:
                self._flush(life, visit)
            if self._states:
                self._bars(life, visit, step, before)
            self._write(life, visit, step, shared)
            return
        held, visit.held = visit.held, (step, shared)
        if held is not None:
            self._coalesce(visit, life, *held)

    def close(self, life: TaskLife, visit: Visit) -> None:
        """Write what was held back of a visit's steps, and its last wait."""
        held, visit.held = visit.held, None
        if visit.bare:
            group, visit.group = visit.group, None
            self.coalesced += (group.count if group is not None else 0) + (held is not None)
            if group is not None and group.room:
                visit.trace.spans -= 1
            if held is not None:
                self._remember(life, visit, held[0], visit.span_id)
            return
        self._flush(life, visit)
        if held is not None:
            self._write(life, visit, *held)
        begun = max(visit.ended, visit.start)
        if self._states and visit.last >= 0 and visit.cursor > begun:
            self._bar(life, visit, c.WAIT_SPAN + _awaited(visit.awaited), begun, visit.cursor)

    def _coalesce(self, visit: Visit, life: TaskLife, step: Step, shared: bool) -> None:
        if visit.closes_group(self._caps):
            self._flush(life, visit)
        if visit.group is None:
            visit.group = Group(self._new_span_id(), step, shared, visit.takes(self._caps))
        else:
            visit.group.add(step)
        if visit.detail >= BARE:
            self._remember(life, visit, step, visit.span_id)
        elif visit.group.room:
            self._remember(life, visit, step, visit.group.span_id)

    def _flush(self, life: TaskLife, visit: Visit) -> None:
        group, visit.group = visit.group, None
        if group is None:
            return
        if group.count > 1:
            self.coalesced += group.count
        if not group.room:
            self._drop(visit.trace, 1)
        elif group.count > 1:
            self._child(
                life, visit, c.STEPS_SPAN + life.place.qualname, group.start, group.end, group.attributes(life.name),
                group.span_id, _printed(group.printed),
            )  # fmt: skip
        else:  # no other came to share its span
            self._told(life, visit, group.step, group.shared, group.span_id)

    def _bars(self, life: TaskLife, visit: Visit, step: Step, before: int) -> None:
        """DETAIL=states: a bar for the wait before the step, and one for the time it was ready."""
        if step.ready > before:
            self._bar(life, visit, c.WAIT_SPAN + _awaited(step.waited), before, step.ready)
        if step.start > max(step.ready, before):
            self._bar(life, visit, c.READY_SPAN + life.place.qualname, max(step.ready, before), step.start)

    def _bar(self, life: TaskLife, visit: Visit, name: str, start: int, end: int) -> None:
        if self._takes(visit):
            self._child(life, visit, name, start, end, [(c.TASK_NAME, life.name)], self._new_span_id())

    def _child(
        self, life: TaskLife, visit: Visit, name: str, start: int, end: int, attributes: Attributes, span_id: int,
        printed: list[Event] | None = None,
    ) -> None:  # fmt: skip
        trace = visit.trace
        visit.written += 1
        span = Span(name, trace.trace_id, span_id, visit.span_id, start, end, attributes, trace_state=trace.trace_state)
        span.printed = printed
        self._emit(visit, span)

    def _write(self, life: TaskLife, visit: Visit, step: Step, shared: bool) -> None:
        if self._takes(visit):
            self._told(life, visit, step, shared, 0)

    def _takes(self, visit: Visit) -> bool:
        """Take room for a span that is written now; one that finds none is counted."""
        takes = visit.takes(self._caps)
        if not takes:
            self._drop(visit.trace, 1)
        return takes

    def _told(self, life: TaskLife, visit: Visit, step: Step, shared: bool, span_id: int) -> None:
        """A step has a span of its own, for which there is room. `span_id`: where links lead already, 0 for none."""
        trace = visit.trace
        visit.written += 1
        known, span_id = bool(span_id), span_id or self._new_span_id()
        attributes = describe.step_attributes(step)
        if shared:
            attributes.append((c.STEP_SHARED, True))
        links: list[Link] = []
        owed = self._waker(step, trace.trace_id, attributes, links)
        if step.delay is not None:
            self._delay(step, trace.trace_id, attributes, links)
        if not known:
            self._remember(life, visit, step, span_id)
        span = Span(
            c.STEP_SPAN + life.place.qualname, trace.trace_id, span_id, visit.span_id, step.start, step.end, attributes,
            links, step.error is not None, trace.trace_state,
            shared=(visit.whose(life.name, step.where), describe.step_kind(step)),
        )  # fmt: skip
        span.printed = _printed(step.printed)
        if owed is not None:
            self._owed.setdefault(owed, []).append(span)
        if owed is not None or step.end - step.start >= self._caps.hold:
            self._hold(Holding(visit, span, step, owed))
        else:
            self._send(visit, span, step)

    def _send(self, visit: Visit, span: Span, step: Step) -> None:
        self._emit(visit, span)
        if step.exceptional(self._caps.slow) and visit.quiet is None and not visit.silent:
            self._exported(step, span.trace_id, span.span_id)

    def _waker(self, step: Step, trace_id: int, attributes: Attributes, links: list[Link]) -> tuple[int, int] | None:
        """Say who woke the step, and link to the waking step; its key where that has no span yet, but may get one."""
        name = step.waker_name
        owed = None
        if step.waker:
            waker = self._known(step.waker)
            key = step.waker, step.waker_step
            if waker is not None:
                name = name or waker.place.qualname
                if waker.name:
                    attributes.append((c.STEP_WAKER_TASK, waker.name))
                if step.waited is not None:
                    attributes += describe.freed_by(step, waker)
                if waker.state is None and step.waker_step >= waker.steps:
                    owed = key
            link_to(self._placed.get(*key), trace_id, c.WOKEN_BY, links)
        if name:
            attributes.append((c.STEP_WAKER_NAME, name))
        return owed

    def _delay(self, step: Step, trace_id: int, attributes: Attributes, links: list[Link]) -> None:
        """Say who delayed the step, and link to the step that did."""
        delay = step.delay
        assert delay is not None
        said = describe.delay_attributes(delay)
        attributes += said
        link_to(self._placed.get(*delay.by), trace_id, c.DELAYED_BY, links, said)

    def _remember(self, life: TaskLife, visit: Visit, step: Step, span_id: int) -> None:
        if visit.quiet is not None or not visit.room:  # nobody shall link to what may not be told
            return
        key, trace_id = (life.id, step.index), visit.trace.trace_id
        self._placed.add(*key, trace_id, span_id)
        for span in self._owed.pop(key, ()) if self._owed else ():
            span.links = span.links or []
            link_to((trace_id, span_id), span.trace_id, c.WOKEN_BY, span.links)

    # ------------------------------------------------------------ holding back

    def hold(self, visit: Visit, span: Span, more: Callable[[], Attributes]) -> None:
        """Hold a task's span back for what may become known of its end."""
        self._hold(Holding(visit, span, None, None, more))

    def _hold(self, holding: Holding) -> None:
        self._held.append(holding)
        if len(self._held) > HELD:
            self._let_go(self._held.popleft())

    def release(self, until: int) -> Iterator[None]:
        """Let go of the spans that ended before `until`."""
        while self._held and self._held[0].span.end <= until:
            self._let_go(self._held.popleft())
            yield

    def _let_go(self, held: Holding) -> None:
        step, span = held.step, held.span
        if held.owed is not None:
            self._owed.pop(held.owed, None)
        if held.more is not None:
            span.alone += held.more()
        if step is None:
            self._emit(held.visit, span)
            return
        if step.harm is not None:
            span.alone += describe.harm_attributes(step.harm)
        span.events = [Event(c.STALL, time, attributes) for time, attributes in self._stalled(step)] or None
        self._send(held.visit, span, step)


def link_to(placed: Places | None, trace_id: int, kind: str, links: list[Link], more: Attributes | None = None) -> None:
    """Add a link to one of a step's spans: that of this trace where there is one."""
    if placed:
        traces = placed[::2]
        place = 2 * traces.index(trace_id) if trace_id in traces else 0
        links.append(link(placed[place], placed[place + 1], kind, more))


def link(trace_id: int, span_id: int, kind: str, more: Attributes | None = None) -> Link:
    """A link of a kind of `conventions`."""
    attributes: list[tuple[str, Any]] = [(c.LINK, kind), *(more or ())]
    return Link(trace_id, span_id, attributes)


def _printed(lines: Sequence[Printed] | None) -> list[Event] | None:
    if not lines:
        return None
    return [
        Event(c.PRINTED, line.time, [(c.PRINTED_STREAM, line.stream), (c.PRINTED_TEXT, line.text)]) for line in lines
    ]


def _awaited(what: str | Place | Wait | None) -> str:
    return describe.awaited_name(what) or "unknown"
