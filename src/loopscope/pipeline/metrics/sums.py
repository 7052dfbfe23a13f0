"""The sink that keeps the metrics' sums. Pure: no thread, no clock, no OpenTelemetry.

One thread writes, others read whole numbers and copies. Every task counts, those that are excluded and the runner's
own too, and every step once, in however many traces it is told. Steps that were not recorded are known by the gap in
their task's numbers: they are counted, their durations are not.
"""

from __future__ import annotations

from loopscope import conventions as c
from loopscope.model import (
    APPLICATION,
    CANCEL,
    CANCELLED,
    DESTROYED,
    RAISED,
    RETURNED,
    SUSPENDED,
    Look,
    Step,
    TaskLife,
    Wait,
    Where,
)
from loopscope.pipeline.metrics.histogram import Window
from loopscope.pipeline.metrics.looptime import Loops, Utilization
from loopscope.pipeline.metrics.sample import Sample
from loopscope.pipeline.metrics.tally import OTHER, OTHERS, Tally
from loopscope.pipeline.sinks import Sink
from loopscope.pipeline.spans.describe import awaited_name

#: the state of a task of whose end nothing was recorded; the name of what is not known
UNKNOWN = "unknown"


class Sums(Sink):
    """A Sink. Durations are nanoseconds."""

    __slots__ = (
        "alive", "awaits", "cancellations", "cancelled", "delayed", "delays", "exits", "loops", "mishaps", "ready",
        "running", "sample", "steps", "swallowed", "utilization", "waits",
    )  # fmt: skip

    def __init__(self) -> None:
        #: tasks alive
        self.alive = 0
        #: tasks by how they ended
        self.exits: dict[str, int] = {RETURNED: 0, RAISED: 0, CANCELLED: 0, DESTROYED: 0}
        self.steps = 0
        self.running = 0
        self.ready = 0
        #: steps that were delayed and for how long, by the culprit's name
        self.delayed = Tally(OTHER)
        #: waits for a lock or a queue that are over, by what was awaited and the place where it was made
        self.waits = Tally(OTHERS)
        #: wakes by a cancellation, by who asked
        self.cancellations = Tally(OTHER)
        #: tasks that ended after a cancellation and how long after, and those that swallowed it, by their function
        self.cancelled = Tally(OTHER)
        self.swallowed = Tally(OTHER)
        #: waits for anything that are over, by what was awaited and the application's function that did
        self.awaits = Tally(OTHERS)
        self.mishaps: dict[str, int] = {}
        #: ready durations, with what the I/O that woke the step may have waited before
        self.delays = Window()
        self.loops = Loops()
        self.utilization = Utilization(self.loops)
        #: where the SDK's histograms get their steps from; None while there are none
        self.sample: Sample | None = None

    def born(self, life: TaskLife) -> None:
        """See Sink."""
        self.alive += 1
        life.counted = life.steps

    def stepped(self, life: TaskLife, step: Step) -> None:
        """See Sink."""
        index, ready, start, end = step.index, step.ready, step.start, step.end
        following = life.counted
        if index >= following:
            self.steps += index + 1 - following
            life.counted = index + 1
        self.running += end - start
        self.ready += start - ready
        self.delays.add(start - ready + (step.unpolled or 0))
        self.loops.step(step.where.loop, ready, start, end, step.polls)
        if step.delay is not None:
            self.delayed.add(step.delay.name, step.delay.duration)
        if step.waker_kind is CANCEL:
            self.cancellations.add(step.waker_name or UNKNOWN)
        point = life.awaits
        if point is not None and index == following:
            waited = step.waited
            name = waited if type(waited) is str else awaited_name(waited) or UNKNOWN
            self.awaits.add((name, point.function), ready - life.before)
        point = (step.point or life.place) if step.outcome == SUSPENDED else None
        life.awaits = point if point is not None and point.origin == APPLICATION else None
        if life.contends is not None:
            self._waited(life.contends, step)
        life.contends = _contended(step, step.awaiting) if type(step.awaiting) is Wait else None
        if self.sample is not None:
            self.sample.add(step)

    def passed(self, life: TaskLife) -> None:
        """Count a living task's steps that are passed by, as far as capture has come."""
        pulse = life.pulse
        if pulse is not None and pulse.muted and pulse.index > life.counted:
            self.steps += pulse.index - life.counted
            life.counted, life.awaits = pulse.index, None

    def ended(self, life: TaskLife, time: int) -> None:
        """See Sink."""
        self.alive -= 1
        state = life.state or UNKNOWN
        self.exits[state] = self.exits.get(state, 0) + 1
        if life.pulse is not None and life.pulse.index > life.counted:
            self.steps += life.pulse.index - life.counted
        latency = life.cancel_latency
        if latency is not None:
            self.cancelled.add(life.place.function, latency)
            if life.state != CANCELLED:
                self.swallowed.add(life.place.function)

    def polled(self, where: Where, polls: tuple[int, ...]) -> None:
        """See Sink."""
        self.loops.looked(where.loop, polls)

    def looked(self, look: Look) -> None:
        """See Sink."""
        self.loops.held(look)

    def mishap(self, id: int, time: int, kind: str) -> None:
        """See Sink."""
        self.mishaps[kind] = self.mishaps.get(kind, 0) + 1

    # ------------------------------------------------------------ contention

    def _waited(self, contends: tuple[str, int, int], step: Step) -> None:
        place, index, since = contends
        if step.index == index + 1:
            name = awaited_name(step.waited) or UNKNOWN
            self.waits.add((name, place), max(step.ready - since, 0))


def _contended(step: Step, wait: Wait) -> tuple[str, int, int] | None:
    """What a step begins to wait for, where it is known where that was made."""
    for key, place in wait.details:
        if key == c.WAIT_PLACE:
            return str(place), step.index, step.end
    return None
