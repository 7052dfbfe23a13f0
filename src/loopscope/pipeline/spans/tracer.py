"""The sink that makes spans: which traces a step works for, which visits open and close."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from loopscope.model import DESTROYED, NEVER, WAITING, Handoff, SpanIdentity, Step, TaskLife
from loopscope.pipeline.lives import Lives, Muted, each
from loopscope.pipeline.sinks import Sink
from loopscope.pipeline.spans.budget import UNBOUNDED, Budget
from loopscope.pipeline.spans.handoffs import Handoffs
from loopscope.pipeline.spans.kin import Kin
from loopscope.pipeline.spans.notes import Notes
from loopscope.pipeline.spans.placed import STEPS, Placed, RecentlyPlaced
from loopscope.pipeline.spans.quiet import Quiet
from loopscope.pipeline.spans.span import Attributes, Span
from loopscope.pipeline.spans.steps import HOLD, Exported, Stalled, StepSpans
from loopscope.pipeline.spans.tasks import Coverage, TaskSpans, ahead, state_of
from loopscope.pipeline.spans.traces import SECOND, Trace, Traces
from loopscope.pipeline.spans.visit import CROWDED, Caps, Visit

#: steps in a row that no trace took, after which capture passes a task's steps by
MUTE_AFTER = 512
#: a visit is closed this long after its trace was last current in the suspended task
LINGER = SECOND // 2
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
        coverage: Coverage = _unknown,
        budget: Budget | None = None,
        placed: Placed | None = None,
        lives: Lives | None = None,
        muted: Muted | None = None,
    ) -> None:
        self.traces = traces
        #: the assembler's
        self._muted = muted if muted is not None else {}
        #: counts spans that found no room, by cause
        self._lost = lost
        self._caps = caps
        #: nanoseconds after which a living task is told
        self._segment = segment
        budget = budget or Budget(UNBOUNDED)
        self.kin = kin = Kin(traces, lives if lives is not None else dict[int, TaskLife]())
        self._quiet = quiet = Quiet(emit, lost, kin.known)
        self.steps = StepSpans(
            new_span_id, quiet.tell, self._drop, kin.known, caps, detail, stalled, exported, budget,
            placed or RecentlyPlaced(STEPS),
        )  # fmt: skip
        self._handoffs = Handoffs(new_span_id, quiet.tell, lost, caps)
        self.tasks = TaskSpans(
            traces, kin, quiet, self.steps, self._handoffs, new_span_id, self._drop, caps, detail == "slow", coverage,
            budget,
        )  # fmt: skip
        #: lives with a visit whose trace is no longer current
        self._leaving: dict[int, TaskLife] = {}

    @property
    def open(self) -> int:
        """Task spans that are open."""
        return sum(len(life.notes.visits) for life in each(self.kin.lives))

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
        creator = self.kin.known(life.creator)
        if creator is not None and creator.id < life.id:
            notes.under = creator.notes.under if _excluded(creator) else creator.id

    def stepped(self, life: TaskLife, step: Step) -> None:
        """See Sink."""
        notes: Notes = life.notes
        if _excluded(life):
            return
        touched = self._touched(life, notes, step)
        since = step.ready
        for visit in notes.visits:
            if visit.trace.trace_id not in touched:
                notes.remove(visit)
                if visit.trace.own and visit.trace is not notes.home:  # it rotated
                    self.tasks.end_segment(life, visit, visit.left_in, since)
                    since = visit.cursor  # it may have been told as waiting, while the step was ready
                else:
                    self.tasks.close(life, visit)
        shared = len(touched) > 1
        for trace, identities in touched.values():
            visit = notes.visit_to(trace.trace_id) or self.tasks.open(life, notes, trace, step, since)
            if identities:
                self.tasks.adopt(visit, identities)
            before = visit.cursor
            visit.account(step)
            if visit.quiet is not None and self._worth_telling(visit, step):
                self._quiet.speak(life, visit)
            self.steps.place(life, visit, step, shared, before)
            if not trace.own and life.state is None and not _in(step.span_after, trace):
                visit.left = step.end
                self._leaving[life.id] = life
        self._handoffs.stepped(life)
        if touched and life.pulse is not None and life.pulse.hush < NEVER:  # nobody heard of that span
            life.pulse.muted = False
        if touched or step.activated or step.end - step.start >= self._caps.hold:
            notes.idle = 0
        else:
            self._mute(life, notes, step.index)

    def ended(self, life: TaskLife, time: int) -> None:
        """See Sink."""
        notes: Notes = life.notes
        self.kin.ended(life)
        self._leaving.pop(life.id, None)
        state = life.state or WAITING
        if life.state == DESTROYED:
            for visit in notes.visits:
                self.tasks.wait_until(visit, time)
        for visit in notes.visits:
            self.tasks.close(life, visit, state)
        excluded = _excluded(life)
        self._handoffs.ended(life.id, excluded)
        self.tasks.redeem(life, notes, state)
        notes.visits = ()
        notes.excluded, life.pulse = excluded, None  # what capture kept of it need not be remembered

    def handed(self, handoff: Handoff) -> None:
        """See Sink."""
        life = self.kin.lives.get(handoff.task)
        if life is not None and _excluded(life):
            return
        self._handoffs.handed(handoff, life, self.kin.known(handoff.task) is not None)

    def mishap(self, id: int, time: int, kind: str) -> None:
        """See Sink."""
        life = self.kin.known(id)
        if life is not None and kind not in life.mishaps:
            life.mishaps += (kind,)

    # ------------------------------------------------------------ which traces

    def _touched(self, life: TaskLife, notes: Notes, step: Step) -> dict[int, tuple[Trace, list[SpanIdentity]]]:
        """The traces that the step works for, with the spans of each that were current, oldest first."""
        touched: dict[int, tuple[Trace, list[SpanIdentity]]] = {}
        identities = step.activated if step.span is None else (step.span, *step.activated)
        for place, identity in enumerate(identities):
            activated = place > 0 or step.span is None
            trace = self.kin.trace(life, identity, step.start, activated)
            if trace is None:
                continue
            if trace.trace_id in touched:
                touched[trace.trace_id][1].append(identity)
            else:
                touched[trace.trace_id] = (trace, [identity])
        if touched:  # whether a trace is sampled is known once the last of its spans is seen
            return {trace_id: found for trace_id, found in touched.items() if found[0].sampled}
        home = self.tasks.home(life, notes, step.start)
        if home.sampled:
            touched[home.trace_id] = (home, [])
        return touched

    def _drop(self, trace: Trace, count: int) -> None:
        trace.lost += count
        self._lost(CROWDED, count)

    def _worth_telling(self, visit: Visit, step: Step) -> bool:
        if visit.untold:
            return not visit.quick or not self._caps.ordinary(step)
        return self._caps.notable(step)

    def _mute(self, life: TaskLife, notes: Notes, index: int) -> None:
        """One more step that no trace took, and that harmed nobody."""
        notes.idle += 1
        pulse = life.pulse
        if notes.idle < MUTE_AFTER or pulse is None or life.state is not None or notes.visits:
            return
        heard = pulse.hush - NEVER  # a step of which the record is on its way, it may be
        if heard == 0 or 0 < heard <= index + 1 - MUTE_AFTER:
            pulse.muted = True
            self._muted[life.id] = pulse, life.where.thread if life.where is not None else 0

    # ------------------------------------------------------------ as time goes by

    def tick(self, now: int) -> Iterator[None]:
        """What time alone brings, in small pieces: close visits that were left, tell long-lived tasks."""
        yield from self.steps.release(now - HOLD)
        for life in list(self._leaving.values()):
            self._leave(life, now)
            yield

    def _leave(self, life: TaskLife, now: int) -> None:
        notes: Notes = life.notes
        waiting = False
        for visit in notes.visits:
            if not visit.left:
                continue
            if now - visit.left >= LINGER:
                notes.remove(visit)
                self.tasks.close(life, visit)
            else:
                waiting = True
        if not waiting:
            self._leaving.pop(life.id, None)

    def tell(self, life: TaskLife, now: int) -> None:
        """Export what is open of a long-lived task as a segment, and let a muted task be heard again."""
        notes: Notes = life.notes
        home = notes.home
        if home is not None and home.next is not None and notes.visit_to(home.trace_id) is None:
            self.tasks.move(life, notes, home.latest())  # else every trace since would be kept in memory
        if life.pulse is not None and life.pulse.muted and not life.pulse.excluded:
            if notes.home is None or self.traces.old(notes.home, now):
                life.pulse.muted = False
                notes.idle = 0
            return
        index = ahead(life)
        # records of its latest steps are still on their way; one that did not come since the last sweep is lost
        pending = index != life.steps and index != notes.ahead
        notes.ahead = index
        for visit in notes.visits:
            if visit.left:  # it is closed soon
                continue
            due = min(self._segment << visit.segment, max(RETELL, self._segment))
            if now - visit.start >= due:
                self.tasks.cut(life, notes, visit, now, pending)

    def finish(self, now: int) -> Iterator[None]:
        """Close everything that is open: nothing more will come."""
        for id in sorted(self.kin.lives, reverse=True):  # creators after those that stand under them
            life = self.kin.lives[id]
            notes: Notes = life.notes
            state, moment = state_of(life, now)
            for visit in notes.visits:
                self.tasks.end_segment(life, visit, state, moment)
            self.tasks.redeem(life, notes)
            notes.visits = ()
            yield
        yield from self.steps.release(now)


def _excluded(life: TaskLife) -> bool:
    excluded: bool = life.notes.excluded if life.pulse is None else life.pulse.excluded
    return excluded


def _in(identity: SpanIdentity | None, trace: Trace) -> bool:
    return identity is not None and identity.trace_id == trace.trace_id
