"""A visit: the consecutive steps that a task does for one trace, and the task span that holds them.

Past the caps neighbouring steps are coalesced into one span. The visit's own sums stay exact.
"""

from __future__ import annotations

from typing import NamedTuple

from loopscope import conventions as c
from loopscope.model import BARE, FULL, READY, WAITING, YIELDED, Place, Printed, Step, Wait, Where
from loopscope.pipeline.spans.describe import SECOND
from loopscope.pipeline.spans.span import Attributes, Link, Span, Whose
from loopscope.pipeline.spans.traces import Trace

#: a task span that is shorter is a quick one (nanoseconds)
QUICK = int(SECOND)
#: why a quick task is not told: at the level UNTOLD, or where its trace has little room left, or none
SPARED, CROWDED = "budget", "trace_size"


class Caps(NamedTuple):
    """How many spans one task span and one trace may hold, and what is slow (nanoseconds)."""

    steps: int
    spans: int
    delay: int
    slow: int
    #: steps that last so long are held back until their victims are known
    hold: int = 1 << 62

    @property
    def most(self) -> int:
        """How many step spans a task span has before all but what is worth telling is coalesced."""
        return min(self.steps * 3 // 4, self.steps - 4)

    def notable(self, step: Step) -> bool:
        """Whether a step is slow, delayed or failed."""
        since = step.ready - (step.unpolled or 0)
        return step.error is not None or step.start - since >= self.delay or step.end - step.start >= self.slow

    def ordinary(self, step: Step) -> bool:
        """Whether nothing is to be told of a step: not even that it may have delayed others."""
        return not self.notable(step) and step.end - step.start < self.hold and step.printed is None


class Group:
    """Neighbouring steps coalesced into one span."""

    __slots__ = ("count", "end", "index", "printed", "ready", "room", "running", "shared", "span_id", "start", "step")

    def __init__(self, span_id: int, step: Step, shared: bool, room: bool) -> None:
        self.span_id = span_id
        #: whether its trace has room for its span, which is taken
        self.room = room
        #: its first step, and whether that stands in more than one trace
        self.step = step
        self.shared = shared
        self.index = step.index
        self.start = step.start
        self.end = step.end
        self.count = self.running = self.ready = 0
        self.printed: tuple[Printed, ...] = ()
        self.add(step)

    def add(self, step: Step) -> None:
        """One more step."""
        self.count += 1
        self.running += step.end - step.start
        self.ready += step.start - step.ready
        self.end = step.end
        if step.printed is not None:
            self.printed += tuple(step.printed)

    def attributes(self, task_name: str) -> Attributes:
        """Exact sums of what was coalesced."""
        return [
            (c.STEP_INDEX, self.index),
            (c.STEP_COUNT, self.count),
            (c.STEP_RUNNING, self.running / SECOND),
            (c.STEP_READY, self.ready / SECOND),
            (c.TASK_NAME, task_name),
            (c.THREAD_ID, self.step.where.thread),
            (c.LOOP_ID, self.step.where.loop),
        ]


class Visit:
    """An open task span."""

    __slots__ = (
        "_whose", "awaited", "cursor", "detail", "ended", "error", "first", "group", "held", "last", "left", "links",
        "local", "longest", "outcome", "parent_id", "parent_remote", "quiet", "ready", "room", "running", "segment",
        "silent", "span_id", "start", "steps", "trace", "unkept", "untold", "waiting", "written",
    )  # fmt: skip

    def __init__(self, trace: Trace, span_id: int, start: int, room: bool) -> None:
        self.trace = trace
        #: whether its trace has room for its span
        self.room = room
        self.span_id = span_id
        self.parent_id = 0
        self.parent_remote = False
        #: the parent is a local span of the application (or ours): it stays
        self.local = False
        self.start = self.cursor = start
        self.running = self.ready = self.waiting = self.longest = 0
        self.steps = 0
        #: indices of its first step, and of the last one that it or the segment before it has; -1 while there is none
        self.first = self.last = -1
        #: of the latter: when it ended and how, its error's type, what it suspended on
        self.ended = 0
        self.outcome = ""
        self.error: str | None = None
        self.awaited: str | Place | Wait | None = None
        #: child spans written
        self.written = 0
        self.links: tuple[Link, ...] = ()
        #: since when the trace is no longer current in the suspended task; 0 while it is
        self.left = 0
        #: how many segments this task has told since its last step
        self.segment = 0

        #: DETAIL=slow, or `untold`: its spans, as long as none of its steps was worth telling
        self.quiet: list[Span] | None = None
        #: the level of detail (`budget`) with which it was told, where that was less than all
        self.detail = FULL
        #: spans that found no room among them
        self.unkept = 0
        #: why it is not told, though DETAIL is not `slow`, unless it turns out to be long or one of its steps worth it
        self.untold = ""
        #: none was: it is not told
        self.silent = False
        self.group: Group | None = None
        #: the latest of steps that could be coalesced, kept apart in case it is the last; whether it is shared
        self.held: tuple[Step, bool] | None = None
        #: what its steps' spans share
        self._whose: Whose | None = None

    @property
    def left_in(self) -> str:
        """The state in which its last step left the task."""
        return READY if self.outcome == YIELDED else WAITING

    def whose(self, name: str, where: Where) -> Whose:
        """Whose steps these are, and where they run."""
        said = self._whose
        if said is None or where is not said.where or name != said.name:
            said = self._whose = Whose(name, where)
        return said

    def follow(self, visit: Visit) -> None:
        """This is the segment after that one."""
        self.last, self.ended, self.outcome = visit.last, visit.ended, visit.outcome
        self.error, self.awaited, self.left = visit.error, visit.awaited, visit.left

    def account(self, step: Step) -> None:
        """Add a step to the sums."""
        cursor, ready, start, end = self.cursor, step.ready, step.start, step.end
        if end - start > self.longest:
            self.longest = end - start
        if ready < cursor:  # a step is told in two segments, or overlaps with one of another loop
            ready, start, end = cursor, max(start, cursor), max(end, cursor)
        self.waiting += ready - cursor
        self.ready += start - ready
        self.running += end - start
        self.cursor = end
        self.steps += 1
        self.last, self.ended, self.outcome = step.index, step.end, step.outcome
        self.error, self.awaited = step.error, step.awaiting
        if self.first < 0:
            self.first = step.index
        self.left = 0
        self.segment = 0

    def takes(self, caps: Caps) -> bool:
        """Take room for a span of a step or of several; there is none where the task span had none."""
        return self.room and self.trace.take(caps.spans)

    def keeps(self, step: Step, caps: Caps) -> bool:
        """Whether this step gets a span of its own, rather than being coalesced."""
        trace = self.trace
        if self.written < caps.most and trace.spans < caps.spans * 3 // 4:
            return True
        if self.steps == 1:
            return trace.spans < caps.spans * 15 // 16
        room = self.written < caps.steps - 3  # for a group before it, and two at the end
        return (caps.notable(step) or step.printed is not None) and room and not trace.crowded(caps.spans)

    def spares(self, step: Step, caps: Caps, level: int) -> bool:
        """Whether this level of detail, which is not FULL, has no span of its own for the step."""
        if (self.steps == 1 and not self._bare(level)) or not caps.ordinary(step):
            return False
        self.detail = max(self.detail, level)
        return True

    def _bare(self, level: int) -> bool:
        return level >= BARE and self.trace.own

    @property
    def bare(self) -> bool:
        """Whether its span shall stand for its steps: it was quick, and none of them is worth telling."""
        return self._bare(self.detail) and not self.written and self.quick

    @property
    def quick(self) -> bool:
        """Whether it took little time."""
        return self.cursor - self.start < QUICK

    def closes_group(self, caps: Caps) -> bool:
        """Whether there is room to write the open group and begin another."""
        group = self.group
        return (
            group is not None
            and group.end - group.start >= SECOND
            and self.written < caps.steps - 4
            and self.trace.spans < caps.spans * 15 // 16
        )

    def attributes(self) -> Attributes:
        """The visit's sums; they add up to its span."""
        return [
            (c.TASK_STEP_COUNT, self.steps),
            (c.TASK_RUNNING, self.running / SECOND),
            (c.TASK_READY, self.ready / SECOND),
            (c.TASK_WAITING, self.waiting / SECOND),
            (c.TASK_STEP_MAX, self.longest / SECOND),
        ]
