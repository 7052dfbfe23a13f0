"""Who delayed whom: for each step that was ready for long, what held its thread meanwhile. Pure.

A ready task keeps its loop from waiting. So what lies between the steps in that time are the loop's callbacks, on a
loop that does not show its looks at the selector too; but for a timer, which may just have been noticed late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice

from loopscope.model import (
    CALLBACK,
    IO,
    TIMER,
    Delay,
    Frame,
    Harm,
    Place,
    Step,
    TaskLife,
    Where,
)
from loopscope.pipeline.bursts import Bursts
from loopscope.pipeline.frames import function_of, innermost, place_of
from loopscope.pipeline.occupancy import CALLBACK as CALLBACKS
from loopscope.pipeline.occupancy import GAP, Held, Long, Occupancy
from loopscope.pipeline.sinks import Sink
from loopscope.pipeline.spans.describe import line_of

#: long holders looked at for one victim at most
_MOST = 64
#: a step or callback that held the thread for this part of the time is the culprit, else a burst of steps is
_PART = 2
#: a burst has at least so many steps
_BURST = 4
#: steps of a burst that are looked at to name it
_NAMED = 64
#: timers of a loop that does not show its looks may be noticed this late without anybody's fault (nanoseconds)
_LATE = 2_000_000
#: a loop that comes back so late from its look at the selector, a timer being due, was kept from it (nanoseconds)
_BACK = 10 * _LATE
#: shorter pauses between steps are not told apart (nanoseconds)
_SHORT = 20_000
#: pauses between steps up to which a loop that does not show its looks counts as busy (nanoseconds)
_PAUSE = 1_000_000

#: gives the function that a callback of the loop on this thread ran in this time, where a stack was taken
CallbackAt = Callable[[int, int, int], "Frame | None"]
#: is told that no step and no callback that is known held this thread in this time
Unseen = Callable[[int, int, int], None]


def _nobody(thread: int, start: int, end: int) -> None:
    return None


class Culprits(Sink):
    """Sink that notes on each step what delayed it, and on the steps that did, their harm."""

    def __init__(self, threshold: int, callback_at: CallbackAt = _nobody, unseen: Unseen = _nobody) -> None:
        #: nanoseconds
        self._threshold = threshold
        self._callback_at = callback_at
        self._unseen = unseen
        self._threads: dict[int, Occupancy] = {}
        self._bursts = Bursts()
        #: by thread: when the turn of a loop that does not show its looks began
        self._turns: dict[int, tuple[int, int]] = {}

    # ------------------------------------------------------------ from the assembler

    def born(self, life: TaskLife) -> None:
        """See Sink."""
        self._bursts.born(life)

    def stepped(self, life: TaskLife, step: Step) -> None:
        """See Sink."""
        thread = step.where.thread
        occupancy = self._threads.get(thread)
        if occupancy is None:
            occupancy = self._threads[thread] = Occupancy(self._threshold, min(_SHORT, self._threshold // 50))
        inside = occupancy.before(step)
        if step.polls is None:
            self._turn(thread, life, step)
        ready = step.ready - (step.unpolled or 0)
        if step.start - ready >= self._threshold:
            self._blame(step, occupancy, ready)
        burst = self._bursts.made_by(life, step) if step.end - step.start >= self._threshold else None
        occupancy.add(life, step, inside, burst)

    def polled(self, where: Where, polls: tuple[int, ...]) -> None:
        """See Sink."""
        occupancy = self._threads.get(where.thread)
        if occupancy is not None:
            occupancy.looked(polls)

    # ------------------------------------------------------------ what is seen

    def coverage(self, thread: int, since: int) -> float | None:
        """The share of a thread's busy time since this clock reading that is in recorded steps and named callbacks.

        None where its loop does not show its looks at the selector, so that nobody knows when it was busy.
        """
        occupancy = self._threads.get(thread)
        held = occupancy.held(since) if occupancy is not None else None
        if occupancy is None or held is None or held.gap or not held.steps:
            return None
        named = sum(
            long.length
            for long in islice(occupancy.longest(since), _MOST)
            if long.kind == CALLBACKS and self._callback_at(thread, long.start, long.end) is not None
        )
        return (held.steps + named) / (held.steps + held.callbacks)

    # ------------------------------------------------------------ I/O of loops that do not show their looks

    def _turn(self, thread: int, life: TaskLife, step: Step) -> None:
        """Guess since when a loop had not looked at its selector, from what it runs in one turn.

        A turn runs what was scheduled before it began; a pause between steps may have been a look.
        """
        began, last = self._turns.get(thread, (0, 0))
        from_outside = step.waker_kind == IO or (step.waker_kind == CALLBACK and not step.waker and not step.waker_name)
        if from_outside and step.unpolled is None and began:
            step.unpolled_guessed = True
            busy = last - began if step.ready - last < _PAUSE else 0
            step.unpolled = max(min(busy, step.ready - life.before), 0)
        if not began or step.ready >= began or step.start - last >= _PAUSE:
            began = step.start
        self._turns[thread] = began, max(step.end, last)

    # ------------------------------------------------------------ blame

    def _blame(self, step: Step, occupancy: Occupancy, ready: int) -> None:
        """Find who held the thread since `ready`."""
        held = occupancy.held(ready)
        longest: Long | None = None
        harmed: set[int] = set()
        for count, long in enumerate(occupancy.longest(ready)):
            if count >= _MOST:
                break
            if long.kind == GAP and step.waker_kind == TIMER and long.length < _LATE:
                continue
            if longest is None or long.length > longest.length:
                longest = long
            if long.holder is not None and long.length >= self._threshold:
                _harm(long.holder[1], long.length, harmed)
        step.delay = delay = self._named(step, occupancy, ready, held, longest)
        if delay is not None and longest is not None and longest.holder is not None:
            maker, making = longest.holder
            if delay.by == (maker.id, making.index) and id(making) not in harmed:  # only its end was in that time
                _harm(making, longest.length, harmed)

    def _named(self, step: Step, occupancy: Occupancy, ready: int, held: Held, longest: Long | None) -> Delay | None:
        callbacks = held.callbacks + (0 if step.waker_kind == TIMER and held.gap < _LATE else held.gap)
        length = longest.length if longest is not None else 0
        if length < self._threshold and 2 * length < held.steps + callbacks:  # its end alone, and others were longer
            longest, length = None, 0
        if held.ended >= _BURST and length * _PART < held.steps and held.steps > callbacks:
            return _burst(occupancy, ready, held)
        if longest is None:
            if held.steps + callbacks < self._threshold:
                if held.idle >= _BACK:
                    self._unseen(step.where.thread, ready, ready + held.idle)
                return None
            if held.steps > callbacks:
                return _burst(occupancy, ready, held)
            return Delay("callback", None, callbacks, 0, "", "", (0, -1))
        if longest.holder is not None:
            maker, making = longest.holder
            if longest.place is not maker.place:
                return _burst(occupancy, ready, held)._replace(by=(maker.id, making.index))
            return _step(maker, making, length)
        frame = self._callback_at(step.where.thread, longest.start, longest.end)
        if frame is None:
            self._unseen(step.where.thread, longest.start, longest.end)
            return Delay("callback", None, length, 1, "", "", (0, -1))
        return Delay("callback", None, length, 1, function_of(frame), place_of(frame), (0, -1))


def _harm(culprit: Step, length: int, harmed: set[int]) -> None:
    harm = culprit.harm
    if harm is None:
        harm = culprit.harm = Harm()
    if id(culprit) not in harmed:  # one whose end was not known may be there twice
        harmed.add(id(culprit))
        harm.count += 1
    harm.duration += length


def _step(life: TaskLife, step: Step, length: int) -> Delay:
    """A step is the culprit: its function and line by a stack if one was taken, else where it stopped."""
    frame = next((innermost(look.stack) for look in step.looks or () if look.stack), None)
    if frame is not None:
        function, place = function_of(frame), place_of(frame)
    else:
        point = step.point or life.place
        function, place = point.function, f"{point.file}:{line_of(point, step.lasti)}" if point.file else ""
    return Delay(life.place.qualname, life.name, length, 1, function, place, (life.id, step.index))


def _burst(occupancy: Occupancy, ready: int, held: Held) -> Delay:
    """Many short steps are, with the one that made them: named by the task function that took most of the time."""
    shares: Counter[Place] = Counter()
    for piece in islice(occupancy.since(ready), _NAMED):
        if piece.place is not None:
            shares[piece.place] += piece.end - max(piece.start, ready)
    place = shares.most_common(1)[0][0]
    where = f"{place.file}:{place.line}" if place.file else ""
    return Delay(f"burst {place.qualname}", None, held.steps, held.ended, place.function, where, (0, -1))
