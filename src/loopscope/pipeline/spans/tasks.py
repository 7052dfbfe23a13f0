"""Task spans: where a task's own are, and under whom; they are opened, closed, cut into segments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from loopscope import conventions as c
from loopscope.model import RAISED, READY, RUNNING, UNTOLD, WAITING, SpanIdentity, Step, TaskLife
from loopscope.pipeline.spans import describe
from loopscope.pipeline.spans.budget import Budget
from loopscope.pipeline.spans.endings import ending_attributes, mishap_attributes
from loopscope.pipeline.spans.handoffs import Handoffs
from loopscope.pipeline.spans.kin import Kin
from loopscope.pipeline.spans.notes import Notes
from loopscope.pipeline.spans.quiet import Quiet
from loopscope.pipeline.spans.span import Attributes, Link, Span
from loopscope.pipeline.spans.steps import StepSpans, link
from loopscope.pipeline.spans.traces import Trace, Traces
from loopscope.pipeline.spans.visit import CROWDED, SPARED, Caps, Visit

#: (thread, since) -> the share of the loop's busy time that is known, None where nobody knows
Coverage = Callable[[int, int], "float | None"]


class TaskSpans:
    """The spans of tasks, one for each visit to a trace."""

    def __init__(
        self,
        traces: Traces,
        kin: Kin,
        quiet: Quiet,
        steps: StepSpans,
        handoffs: Handoffs,
        new_span_id: Callable[[], int],
        drop: Callable[[Trace, int], None],
        caps: Caps,
        slow: bool,
        coverage: Coverage,
        budget: Budget,
    ) -> None:
        self._traces = traces
        self._kin = kin
        self._quiet = quiet
        self._steps = steps
        self._handoffs = handoffs
        self._new_span_id = new_span_id
        self._drop = drop
        self._caps = caps
        #: DETAIL=slow
        self._slow = slow
        self._coverage = coverage
        self._budget = budget

    # ------------------------------------------------------------ where a task's own are

    def home(self, life: TaskLife, notes: Notes, time: int) -> Trace:
        """The trace of steps that work for no other: the task's own, or the inherited one while it is fresh."""
        span = life.span
        if notes.home is None:
            if span is not None:
                fresh = self._kin.trace(life, span, time, False)
                if fresh is not None:
                    return fresh
                notes.link = link(span.trace_id, span.span_id, c.CREATED_BY)
                notes.home = self._traces.root(c.TASK_SPAN + life.place.qualname, time)
            else:
                self._inherit(life)
        home = notes.home
        assert home is not None
        if self._traces.old(home, time):
            home = self._traces.current(home, c.TASK_SPAN + life.place.qualname, time)
            self.move(life, notes, home)
        return home

    def _inherit(self, life: TaskLife) -> None:
        """Find the own trace of a task without an inherited span: its creator's, or a new one."""
        line = [life]
        creator = self._kin.known(life.notes.under)
        while creator is not None and creator.notes.home is None and creator.span is None:
            line.append(creator)
            creator = self._kin.known(creator.notes.under)
        for one in reversed(line):
            home = None if creator is None else self.home(creator, creator.notes, one.born)
            if home is None or not home.own:
                home = self._traces.root(c.TASK_SPAN + one.place.qualname, one.born)
            one.notes.home = home
            creator = one

    def move(self, life: TaskLife, notes: Notes, home: Trace) -> None:
        """The next own span is in the trace that follows; an open one stays until the next step or segment."""
        self.redeem(life, notes)
        if notes.own and notes.home is not None:
            if not self._quiet.is_silenced(notes.own):
                notes.link = link(notes.home.trace_id, notes.own, c.PREVIOUS_SEGMENT)
            notes.own = 0
        notes.home = home

    # ------------------------------------------------------------ opening

    def open(self, life: TaskLife, notes: Notes, trace: Trace, step: Step, since: int) -> Visit:
        """A step is the first of a visit to this trace; `since` when it is ready, and not in another segment."""
        if not trace.own:
            visit = self._visit(trace, self._new_span_id(), step.ready, trace.take(self._caps.spans))
            if life.span is not None and life.span.trace_id == trace.trace_id:
                self.adopt(visit, [life.span])
                if step.index == 0:
                    visit.start = visit.cursor = life.born
        else:
            visit = self._begin(life, notes, trace, life.born if step.index == 0 else since)
        notes.add(visit)
        return visit

    def _visit(self, trace: Trace, span_id: int, start: int, room: bool) -> Visit:
        visit = Visit(trace, span_id, start, room)
        if self._slow:
            visit.quiet = []
        elif trace.own and self._budget.level >= UNTOLD:
            visit.untold = SPARED
        elif trace.own and trace.crowded(self._caps.spans):
            visit.untold = CROWDED
        if visit.untold:
            visit.quiet, visit.detail = [], UNTOLD
        return visit

    def _begin(self, life: TaskLife, notes: Notes, trace: Trace, start: int) -> Visit:
        """An own task span: its id, parent and links."""
        reserved = notes.reserved
        if not reserved:
            notes.own = self._new_span_id()
            notes.above = self._parent(life, trace, start)
        visit = self._visit(trace, notes.own, start, reserved or trace.take(self._caps.spans))
        visit.local = True
        visit.parent_id = notes.above
        if notes.promised or _follows(notes.link):
            visit.quiet = None
        if visit.quiet is None and not notes.promised:
            visit.parent_id = self._quiet.stand(life, visit.parent_id)
        notes.reserved = notes.promised = False
        if notes.link is not None:
            visit.links += (notes.link,)
        notes.link = None
        return visit

    def redeem(self, life: TaskLife, notes: Notes, state: str = "") -> None:
        """Write the own span that others stand under already, for a task that took no step there itself.

        What it ended with is known of its last visits.
        """
        if notes.reserved and notes.home is not None:
            start = max(life.born, notes.home.born)
            visit = self._begin(life, notes, notes.home, start)
            visit.error = next((other.error for other in notes.visits if other.error is not None), None)
            self.close(life, visit, state)

    @staticmethod
    def adopt(visit: Visit, identities: list[SpanIdentity]) -> None:
        """Stand under the first local span that was current, else under the remote one."""
        if visit.local:
            return
        for identity in identities:
            if not identity.is_remote or not visit.parent_id:
                visit.parent_id = identity.span_id
                visit.parent_remote = visit.trace.own is False and identity.is_remote
                if not identity.is_remote:
                    visit.local = True
                    return

    # ------------------------------------------------------------ under whom

    def _parent(self, life: TaskLife, trace: Trace, time: int) -> int:
        """The creator's own task span in this trace, 0 for none. Where it has none yet an id is kept for it."""
        parent, kept = self._own(self._kin.creator(life), trace, time)
        while kept is not None:
            kept.notes.above, kept = self._own(self._kin.creator(kept), trace, time)
        return parent

    def _own(self, life: TaskLife | None, trace: Trace, time: int) -> tuple[int, TaskLife | None]:
        """A task's own span in this trace, 0 for none; and the task, if an id was kept for it just now."""
        if life is None:
            return 0, None
        notes: Notes = life.notes
        self._bring(life, trace, time)
        if notes.home is not trace:
            return 0, None
        if notes.own:
            return (notes.own if self._has_room(notes, trace) else 0), None
        if life.id not in self._kin.lives or not trace.take(self._caps.spans):
            return 0, None
        notes.own = self._new_span_id()
        notes.reserved = True
        return notes.own, life

    def _has_room(self, notes: Notes, trace: Trace) -> bool:
        """Whether a task's own span has room in this trace, or gets it now: another is about to stand under it."""
        visit = notes.visit_to(trace.trace_id)
        if visit is not None and not visit.room:
            visit.room = trace.take(self._caps.spans)
        return visit is None or visit.room

    def _bring(self, life: TaskLife, trace: Trace, time: int) -> None:
        """A task that stands under this one has moved to the trace that follows: so does this one, and who is above."""
        line = []
        one: TaskLife | None = life
        while one is not None and one.id in self._kin.lives and one.notes.home is not None and (
            one.notes.home is not trace and one.notes.home.leads_to(trace)
        ):  # fmt: skip
            line.append(one)
            one = self._kin.creator(one)
        for one in reversed(line):  # the outermost first
            notes: Notes = one.notes
            assert notes.home is not None
            visit = notes.visit_to(notes.home.trace_id)
            if visit is not None:
                self.cut(one, notes, visit, time, ahead(one) != one.steps, trace)
            if notes.home is not trace:
                self.move(one, notes, trace)

    # ------------------------------------------------------------ closing

    def close(self, life: TaskLife, visit: Visit, state: str = "", awaiting: str | None = None) -> None:
        """Write the visit's task span, and what was held back of its steps. The state as its last step left it."""
        state = state or visit.left_in
        if visit.untold and not visit.quick:
            self._quiet.speak(life, visit)
        self._steps.close(life, visit)
        trace = visit.trace
        if not visit.room:
            self._drop(trace, 1)
            self._quiet.silence(life.notes, visit)
            return
        attributes: Attributes = describe.task_attributes(life)
        attributes.append((c.TASK_STATE, state))
        attributes += visit.attributes()
        if life.where is not None and visit.steps:
            coverage = self._coverage(life.where.thread, visit.start)
            if coverage is not None:
                attributes.append((c.LOOP_COVERAGE, coverage))
        if awaiting is not None:
            attributes.append((c.TASK_AWAITING, awaiting))
        if trace.lost:
            attributes.append((c.TASK_SPANS_DROPPED, trace.lost))
        if visit.detail:
            attributes.append((c.DETAIL_LEVEL, visit.detail))
        if life.creator:
            attributes.append((c.TASK_CREATOR_ID, life.creator))
            creator = self._kin.known(life.creator)
            if creator is not None and creator.name:  # an eager one may get its name after its first step
                attributes.append((c.TASK_CREATOR_NAME, creator.name))
        asker = self._kin.known(life.cancel_by) if life.cancel_by else None
        attributes += ending_attributes(life, None if asker is None else asker.name)
        failed = state == RAISED
        if failed and visit.error is not None:
            attributes.append((c.ERROR_TYPE, visit.error))
        if trace.own and not visit.parent_id:
            attributes += trace.attributes
        span = Span(
            c.TASK_SPAN + life.place.qualname, trace.trace_id, visit.span_id, visit.parent_id, visit.start,
            visit.cursor, attributes, list(visit.links), failed, trace.trace_state, visit.parent_remote,
            self._budget.events(visit.start, visit.cursor), describe.task_kind(life),
        )  # fmt: skip
        if failed and life.state is not None:  # its exception may turn out to be never retrieved
            self._steps.hold(visit, span, partial(mishap_attributes, life))
        else:
            span.alone += mishap_attributes(life)
            self._quiet.tell(visit, span)
        self._quiet.silence(life.notes, visit)
        self._handoffs.closed(life.id, visit)

    def end_segment(self, life: TaskLife, visit: Visit, state: str, time: int) -> None:
        """It ends before its task does."""
        self.wait_until(visit, time)
        self.close(life, visit, state, describe.awaited_name(visit.awaited) if state == WAITING else None)

    @staticmethod
    def wait_until(visit: Visit, time: int) -> None:
        """Its task has waited until then."""
        if time > visit.cursor:
            visit.waiting += time - visit.cursor
            visit.cursor = time

    def cut(
        self, life: TaskLife, notes: Notes, visit: Visit, now: int, pending: bool, home: Trace | None = None
    ) -> None:
        """Close a segment at the last change of state, and open the next one there; an own one in `home`, if given.

        There it must be, else the next one but one would begin before this one ends: so it may last no time.
        """
        state, moment = (visit.left_in, visit.cursor) if pending else state_of(life, now)
        told, moment = visit.segment, max(min(moment, now), visit.cursor)
        if moment <= visit.start and home is None:
            return
        notes.remove(visit)
        self.end_segment(life, visit, state, moment)
        trace = visit.trace
        ended = (link(trace.trace_id, visit.span_id, c.PREVIOUS_SEGMENT),)
        previous = visit.links if visit.silent else ended
        if trace.own:
            if home is None:
                home = self.home(life, notes, now)
            else:
                self.move(life, notes, home)
            notes.link = previous[0] if previous else None
            if not home.sampled:
                return
            following = self._begin(life, notes, home, moment)
        else:
            following = self._visit(trace, self._new_span_id(), moment, trace.take(self._caps.spans))
            following.parent_id, following.parent_remote = visit.parent_id, visit.parent_remote
            following.local = visit.local
            following.links += previous
            if any(map(_follows, previous)):
                following.quiet = None
        following.segment = told + 1 if visit.steps == 0 else 0
        following.follow(visit)
        notes.add(following)


def _follows(one: Link | None) -> bool:
    """Whether a link leads to what was told of the task before: who is told of once is told of to its end."""
    return one is not None and (c.LINK, c.PREVIOUS_SEGMENT) in one.attributes


def ahead(life: TaskLife) -> int:
    """Index of a living task's next step as capture has it now."""
    return life.steps if life.pulse is None else life.pulse.index


def state_of(life: TaskLife, now: int) -> tuple[str, int]:
    """The state of a living task, and the moment until which it waited."""
    pulse = life.pulse
    if pulse is not None:
        if pulse.started:
            return RUNNING, pulse.started
        if pulse.ready:
            return READY, pulse.ready
    return WAITING, now
