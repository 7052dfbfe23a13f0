"""The sink that makes spans: which traces a step works for, which visits open and close."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from loopscope import conventions as c
from loopscope.model import (
    DESTROYED,
    RAISED,
    READY,
    RUNNING,
    UNTOLD,
    WAITING,
    Handoff,
    SpanIdentity,
    Step,
    TaskLife,
)
from loopscope.pipeline.recent import Recent
from loopscope.pipeline.sinks import Sink
from loopscope.pipeline.spans import describe
from loopscope.pipeline.spans.budget import UNBOUNDED, Budget
from loopscope.pipeline.spans.endings import ending_attributes, mishap_attributes
from loopscope.pipeline.spans.handoffs import Handoffs
from loopscope.pipeline.spans.notes import Notes
from loopscope.pipeline.spans.placed import STEPS, Placed, RecentlyPlaced
from loopscope.pipeline.spans.quiet import Quiet
from loopscope.pipeline.spans.span import Attributes, Span
from loopscope.pipeline.spans.steps import HOLD, Exported, Stalled, StepSpans, link
from loopscope.pipeline.spans.traces import SECOND, Trace, Traces
from loopscope.pipeline.spans.visit import Caps, Visit

#: steps in a row that no trace took, after which capture passes a task's steps by
MUTE_AFTER = 512
#: a visit is closed this long after its trace was last current in the suspended task
LINGER = SECOND // 2
#: why a quick task is not told at the level UNTOLD
SPARED = "budget"
#: a task that takes no step is told again after at most this long
RETELL = 3600 * SECOND


def _no_stalls(step: Step) -> list[tuple[int, Attributes]]:
    return []


def _nobody(step: Step, trace_id: int, span_id: int) -> None:
    return None


def _unknown(thread: int, since: int) -> float | None:
    return None


class Tracer(Sink):
    """Sink of the assembler; gives finished spans to `emit`."""

    def __init__(
        self,
        traces: Traces,
        new_span_id: Callable[[], int],
        emit: Callable[[Span], None],
        lost: Callable[[str, int], None],
        caps: Caps,
        segment: int,
        detail: str = "steps",
        stalled: Stalled = _no_stalls,
        exported: Exported = _nobody,
        coverage: Callable[[int, int], float | None] = _unknown,
        budget: Budget | None = None,
        placed: Placed | None = None,
    ) -> None:
        self.traces = traces
        self._new_span_id = new_span_id
        #: counts spans that found no room, by cause
        self._lost = lost
        self._caps = caps
        #: nanoseconds after which a living task is told
        self._segment = segment
        #: (thread, since) -> the share of the loop's busy time that is known, None where nobody knows
        self._coverage = coverage
        #: DETAIL=slow
        self._slow = detail == "slow"
        self._budget = budget or Budget(UNBOUNDED)
        self._quiet = Quiet(emit, lost, self._known)
        self.lives: dict[int, TaskLife] = {}
        self._names: Recent[int, TaskLife] = Recent(8192)
        self.steps = StepSpans(
            new_span_id, self._quiet.tell, self._drop, self._known, caps, detail, stalled, exported, self._budget,
            placed or RecentlyPlaced(STEPS),
        )  # fmt: skip
        #: lives with a visit whose trace is no longer current
        self._leaving: dict[int, TaskLife] = {}
        self._handoffs = Handoffs(new_span_id, self._quiet.tell, lost, caps)

    @property
    def open(self) -> int:
        """Task spans that are open."""
        return sum(len(life.notes.visits) for life in self.lives.values())

    # ------------------------------------------------------------ from the assembler

    def span_started(self, trace_id: int, time: int) -> None:
        """See Sink."""
        self.traces.started(trace_id, time)

    def span_ended(self, trace_id: int, time: int) -> None:
        """See Sink."""
        self.traces.ended(trace_id, time)

    def born(self, life: TaskLife) -> None:
        """See Sink."""
        life.notes = notes = Notes()
        self.lives[life.id] = life
        creator = self._known(life.creator)
        if creator is not None and creator.id < life.id:
            notes.under = creator.notes.under if _excluded(creator) else creator.id

    def stepped(self, life: TaskLife, step: Step) -> None:
        """See Sink."""
        notes: Notes = life.notes
        if _excluded(life):
            return
        touched = self._touched(life, notes, step)
        for visit in notes.visits:
            if visit.trace.trace_id not in touched:
                notes.remove(visit)
                if visit.trace.own and visit.trace is not notes.home:  # it rotated
                    self._end_segment(life, visit, visit.left_in, step.ready)
                else:
                    self._close(life, visit)
        shared = len(touched) > 1
        for trace, identities in touched.values():
            visit = notes.visit_to(trace.trace_id) or self._open(life, notes, trace, step)
            if identities:
                self._adopt(visit, identities)
            before = visit.cursor
            visit.account(step)
            self.steps.place(life, visit, step, shared, before)
            if visit.quiet is not None and self._worth_telling(visit, step):
                self._quiet.speak(life, visit)
            if not trace.own and life.state is None and not _in(step.span_after, trace):
                visit.left = step.end
                self._leaving[life.id] = life
        self._handoffs.stepped(life)
        if touched or step.activated or step.end - step.start >= self._caps.hold:
            notes.idle = 0
        else:
            self._mute(life, notes)

    def ended(self, life: TaskLife, time: int) -> None:
        """See Sink."""
        notes: Notes = life.notes
        self.lives.pop(life.id, None)
        self._leaving.pop(life.id, None)
        self._names.put(life.id, life)
        state = life.state or WAITING
        if life.state == DESTROYED:
            for visit in notes.visits:
                self._wait_until(visit, time)
        for visit in notes.visits:
            self._close(life, visit, state)
        notes.visits = ()
        excluded = _excluded(life)
        self._handoffs.ended(life.id, excluded)
        self._redeem(life, notes, state)
        notes.excluded, life.pulse = excluded, None  # what capture kept of it need not be remembered

    def handed(self, handoff: Handoff) -> None:
        """See Sink."""
        life = self.lives.get(handoff.task)
        if life is not None and _excluded(life):
            return
        self._handoffs.handed(handoff, life, life is not None or self._names.get(handoff.task) is not None)

    def mishap(self, id: int, time: int, kind: str) -> None:
        """See Sink."""
        life = self._known(id)
        if life is not None and kind not in life.mishaps:
            life.mishaps += (kind,)

    # ------------------------------------------------------------ which traces

    def _touched(self, life: TaskLife, notes: Notes, step: Step) -> dict[int, tuple[Trace, list[SpanIdentity]]]:
        """The traces that the step works for, with the spans of each that were current, oldest first."""
        touched: dict[int, tuple[Trace, list[SpanIdentity]]] = {}
        identities = step.activated if step.span is None else (step.span, *step.activated)
        for place, identity in enumerate(identities):
            activated = place > 0 or step.span is None
            trace = self._trace(life, identity, step.start, activated)
            if trace is None:
                continue
            if trace.trace_id in touched:
                touched[trace.trace_id][1].append(identity)
            else:
                touched[trace.trace_id] = (trace, [identity])
        if touched:  # whether a trace is sampled is known once the last of its spans is seen
            return {trace_id: found for trace_id, found in touched.items() if found[0].sampled}
        home = self._home(life, notes, step.start)
        if home.sampled:
            touched[home.trace_id] = (home, [])
        return touched

    def _trace(self, life: TaskLife, identity: SpanIdentity, time: int, activated: bool) -> Trace | None:
        """The application's trace that a step with this span works for, None where the span is stale."""
        trace = self.traces.of(identity, time, activated)
        if trace is not None or activated or life.span is None or life.span.trace_id != identity.trace_id:
            return trace
        one, untold = life, False
        while one.creator:
            creator = self._known(one.creator)
            if creator is None:
                return None
            runs = _runs(creator, one.creator_step)  # one is eager: what its creator's step did is not told yet
            if creator.span is None or creator.span.trace_id != identity.trace_id:
                untold = runs
                break
            if not runs:  # its creator had it already, as far as is known, and it was stale for that one
                return None
            one = creator
        return self.traces.inherited(identity, life.born, time, untold)

    def _known(self, id: int) -> TaskLife | None:
        return self.lives.get(id) or self._names.get(id)

    def _home(self, life: TaskLife, notes: Notes, time: int) -> Trace:
        """The trace of steps that work for no other: the task's own, or the inherited one while it is fresh."""
        span = life.span
        if notes.home is None:
            if span is not None:
                fresh = self._trace(life, span, time, False)
                if fresh is not None:
                    return fresh
                notes.link = link(span.trace_id, span.span_id, c.CREATED_BY)
                notes.home = self.traces.root(c.TASK_SPAN + life.place.qualname, time)
            else:
                self._inherit(life)
        home = notes.home
        assert home is not None
        if self.traces.old(home, time):
            home = self.traces.current(home, c.TASK_SPAN + life.place.qualname, time)
            self._move(life, notes, home)
        return home

    def _move(self, life: TaskLife, notes: Notes, home: Trace) -> None:
        """The next own span is in the trace that follows; an open one stays until the next step or segment."""
        self._redeem(life, notes)
        if notes.own and notes.home is not None:
            if not self._quiet.is_silenced(notes.own):
                notes.link = link(notes.home.trace_id, notes.own, c.PREVIOUS_SEGMENT)
            notes.own = 0
        notes.home = home

    def _inherit(self, life: TaskLife) -> None:
        """Find the own trace of a task without an inherited span: its creator's, or a new one."""
        line = [life]
        creator = self._known(life.notes.under)
        while creator is not None and creator.notes.home is None and creator.span is None:
            line.append(creator)
            creator = self._known(creator.notes.under)
        for one in reversed(line):
            home = None if creator is None else self._home(creator, creator.notes, one.born)
            if home is None or not home.own:
                home = self.traces.root(c.TASK_SPAN + one.place.qualname, one.born)
            one.notes.home = home
            creator = one

    # ------------------------------------------------------------ visits

    def _open(self, life: TaskLife, notes: Notes, trace: Trace, step: Step) -> Visit:
        if not trace.own:
            visit = self._visit(trace, self._new_span_id(), step.ready, trace.take(self._caps.spans))
            if life.span is not None and life.span.trace_id == trace.trace_id:
                self._adopt(visit, [life.span])
                if step.index == 0:
                    visit.start = visit.cursor = life.born
        else:
            visit = self._begin(life, notes, trace, life.born if step.index == 0 else step.ready)
        notes.add(visit)
        return visit

    def _visit(self, trace: Trace, span_id: int, start: int, room: bool) -> Visit:
        visit = Visit(trace, span_id, start, room)
        if self._slow:
            visit.quiet = []
        elif trace.own and self._budget.level >= UNTOLD:
            visit.detail = UNTOLD
            visit.quiet, visit.untold = [], SPARED
        elif trace.own and trace.crowded(self._caps.spans):
            visit.quiet, visit.untold = [], "trace_size"
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
        if notes.promised:
            visit.quiet = None
        elif visit.quiet is None:
            visit.parent_id = self._quiet.stand(life, visit.parent_id)
        notes.reserved = notes.promised = False
        if notes.link is not None:
            visit.links += (notes.link,)
        notes.link = None
        return visit

    def _redeem(self, life: TaskLife, notes: Notes, state: str = "") -> None:
        """Write the own span that others stand under already, for a task that took no step there itself."""
        if notes.reserved and notes.home is not None:
            start = max(life.born, notes.home.born)
            self._close(life, self._begin(life, notes, notes.home, start), state)

    def _parent(self, life: TaskLife, trace: Trace, time: int) -> int:
        """The creator's own task span in this trace, 0 for none. Where it has none yet an id is kept for it."""
        parent, kept = self._own(self._creator(life), trace, time)
        while kept is not None:
            kept.notes.above, kept = self._own(self._creator(kept), trace, time)
        return parent

    def _own(self, life: TaskLife | None, trace: Trace, time: int) -> tuple[int, TaskLife | None]:
        """A task's own span in this trace, 0 for none; and the task, if an id was kept for it just now."""
        if life is None:
            return 0, None
        notes: Notes = life.notes
        self._bring(life, trace, time)
        if notes.home is not trace:
            return 0, None
        if notes.own or life.id not in self.lives or not trace.take(self._caps.spans):
            return notes.own, None
        notes.own = self._new_span_id()
        notes.reserved = True
        return notes.own, life

    def _creator(self, life: TaskLife) -> TaskLife | None:
        """Under whose own span a task's own is."""
        return None if life.span is not None else self._known(life.notes.under)

    def _bring(self, life: TaskLife, trace: Trace, time: int) -> None:
        """A task that stands under this one has moved to the trace that follows: so does this one, and who is above."""
        line = []
        one: TaskLife | None = life
        while one is not None and one.id in self.lives and one.notes.home is not None and (
            one.notes.home is not trace and one.notes.home.leads_to(trace)
        ):  # fmt: skip
            line.append(one)
            one = self._creator(one)
        for one in reversed(line):  # the outermost first
            notes: Notes = one.notes
            assert notes.home is not None
            visit = notes.visit_to(notes.home.trace_id)
            if visit is not None:
                self._cut(one, notes, visit, time, _ahead(one) != one.steps, trace)
            if notes.home is not trace:
                self._move(one, notes, trace)

    @staticmethod
    def _adopt(visit: Visit, identities: list[SpanIdentity]) -> None:
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

    def _close(self, life: TaskLife, visit: Visit, state: str = "", awaiting: str | None = None) -> None:
        """Write the visit's task span, and what was held back of its steps. The state as its last step left it."""
        state = state or visit.left_in
        if visit.untold and not visit.quick:
            self._quiet.speak(life, visit)
        self.steps.close(life, visit)
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
            creator = self._known(life.creator)
            if creator is not None and creator.name:  # an eager one may get its name after its first step
                attributes.append((c.TASK_CREATOR_NAME, creator.name))
        asker = self._known(life.cancel_by) if life.cancel_by else None
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
            self.steps.hold(visit, span, partial(mishap_attributes, life))
        else:
            span.alone += mishap_attributes(life)
            self._quiet.tell(visit, span)
        self._quiet.silence(life.notes, visit)
        self._handoffs.closed(life.id, visit)

    def _end_segment(self, life: TaskLife, visit: Visit, state: str, time: int) -> None:
        """Another one begins where this one ends."""
        self._wait_until(visit, time)
        self._close(life, visit, state, describe.awaited_name(visit.awaited) if state == WAITING else None)

    @staticmethod
    def _wait_until(visit: Visit, time: int) -> None:
        if time > visit.cursor:
            visit.waiting += time - visit.cursor
            visit.cursor = time

    def _drop(self, trace: Trace, count: int) -> None:
        trace.lost += count
        self._lost("trace_size", count)

    def _worth_telling(self, visit: Visit, step: Step) -> bool:
        if visit.untold:
            return not visit.quick or not self._caps.ordinary(step)
        return self._caps.notable(step)

    def _mute(self, life: TaskLife, notes: Notes) -> None:
        """One more step that no trace took, and that harmed nobody."""
        notes.idle += 1
        if notes.idle >= MUTE_AFTER and life.pulse is not None and life.state is None and not notes.visits:
            life.unrecorded = life.pulse.muted = True

    # ------------------------------------------------------------ as time goes by

    def tick(self, now: int) -> Iterator[None]:
        """What time alone brings, in small pieces: close visits that were left, tell long-lived tasks."""
        yield from self.steps.release(now - HOLD)
        for life in list(self._leaving.values()):
            self._leave(life, now)
            yield

    def sweep(self, now: int) -> Iterator[None]:
        """Tell every task that is due, in small pieces."""
        for id in list(self.lives):
            life = self.lives.get(id)
            if life is not None:
                self._tell(life, now)
                yield
        yield from self.traces.forget(now)

    def _leave(self, life: TaskLife, now: int) -> None:
        notes: Notes = life.notes
        waiting = False
        for visit in notes.visits:
            if not visit.left:
                continue
            if now - visit.left >= LINGER:
                notes.remove(visit)
                self._close(life, visit)
            else:
                waiting = True
        if not waiting:
            self._leaving.pop(life.id, None)

    def _tell(self, life: TaskLife, now: int) -> None:
        """Export what is open of a long-lived task as a segment, and let a muted task be heard again."""
        notes: Notes = life.notes
        home = notes.home
        if home is not None and home.next is not None and notes.visit_to(home.trace_id) is None:
            self._move(life, notes, home.latest())  # else every trace since would be kept in memory
        if life.unrecorded and life.pulse is not None and life.pulse.muted:
            if notes.home is None or self.traces.old(notes.home, now):
                life.pulse.muted = False
                notes.idle = 0
            return
        index = _ahead(life)
        # records of its latest steps are still on their way; one that did not come since the last sweep is lost
        pending = index != life.steps and index != notes.ahead
        notes.ahead = index
        for visit in notes.visits:
            if visit.left:  # it is closed soon
                continue
            due = min(self._segment << visit.segment, max(RETELL, self._segment))
            if now - visit.start >= due:
                self._cut(life, notes, visit, now, pending)

    def _cut(
        self, life: TaskLife, notes: Notes, visit: Visit, now: int, pending: bool, home: Trace | None = None
    ) -> None:
        """Close a segment at the last change of state, and open the next one there; an own one in `home`, if given."""
        state, moment = (visit.left_in, visit.cursor) if pending else _state(life, now)
        told, moment = visit.segment, max(min(moment, now), visit.cursor)
        if moment <= visit.start:
            return
        notes.remove(visit)
        self._end_segment(life, visit, state, moment)
        trace = visit.trace
        ended = (link(trace.trace_id, visit.span_id, c.PREVIOUS_SEGMENT),)
        previous = visit.links if visit.silent else ended
        if trace.own:
            if home is None:
                home = self._home(life, notes, now)
            else:
                self._move(life, notes, home)
            notes.link = previous[0] if previous else None
            if not home.sampled:
                return
            following = self._begin(life, notes, home, moment)
        else:
            following = self._visit(trace, self._new_span_id(), moment, trace.take(self._caps.spans))
            following.parent_id, following.parent_remote = visit.parent_id, visit.parent_remote
            following.local = visit.local
            following.links += previous
        following.segment = told + 1 if visit.steps == 0 else 0
        following.follow(visit)
        notes.add(following)

    def finish(self, now: int) -> Iterator[None]:
        """Close everything that is open: nothing more will come."""
        for life in reversed(list(self.lives.values())):  # creators after those that stand under them
            notes: Notes = life.notes
            state, moment = _state(life, now)
            for visit in notes.visits:
                self._wait_until(visit, moment)
                self._close(life, visit, state)
            notes.visits = ()

            self._redeem(life, notes)
            yield
        self.lives.clear()
        yield from self.steps.release(now)


def _excluded(life: TaskLife) -> bool:
    excluded: bool = life.notes.excluded if life.pulse is None else life.pulse.excluded
    return excluded


def _runs(life: TaskLife, index: int) -> bool:
    """Whether that step's record, which will come, has not come yet."""
    pulse = life.pulse
    passed_by = pulse is not None and (pulse.muted or pulse.excluded)
    return life.state is None and not passed_by and index >= life.steps


def _ahead(life: TaskLife) -> int:
    """Index of a living task's next step as capture has it now."""
    return life.steps if life.pulse is None else life.pulse.index


def _state(life: TaskLife, now: int) -> tuple[str, int]:
    """The state of a living task, and the moment until which it waited."""
    pulse = life.pulse
    if pulse is not None:
        if pulse.started:
            return RUNNING, pulse.started
        if pulse.ready:
            return READY, pulse.ready
    return WAITING, now


def _in(identity: SpanIdentity | None, trace: Trace) -> bool:
    return identity is not None and identity.trace_id == trace.trace_id
