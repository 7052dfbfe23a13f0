"""Stalls: gives each long step what the watchdog saw of it, counts them by place and cause, and logs them.

The watchdog's looks come before the record of the step they belong to, or a little after it. One that came too late
to see the step itself tells only when its thread was held, and is matched by that. A step that was longer than the
threshold and that nobody looked at is a stall all the same. So is what such a look tells of a time between steps in
which a task was ready: a loop that has looked at its selector waits for the GIL there, with nothing running.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, NamedTuple

from loopscope import conventions as c
from loopscope.log import logger
from loopscope.model import (
    BLOCKING,
    COLLECTOR,
    GIL,
    PYTHON,
    UNSCHEDULED,
    Frame,
    Look,
    Step,
    TaskLife,
)
from loopscope.pipeline.frames import function_of, innermost, place_of, stack_text, text
from loopscope.pipeline.recent import Recent
from loopscope.pipeline.sinks import Sink
from loopscope.pipeline.spans.describe import line_of

SECOND = 1_000_000_000
#: a place is logged once in so long
WINDOW = 60 * SECOND
#: a stall is told so long after its end, for a look that comes late, or while it lasts when it lasts this long
GRACE, LASTING = SECOND // 5, 10 * SECOND
#: places counted by themselves
PLACES = 100
OTHER, UNKNOWN = "other", "unknown"
#: steps whose looks wait for their record; looks of one step; threads; long steps, looks and callbacks of a thread
_WAITING, _LOOKS, _THREADS, _KEPT = 256, 16, 256, 32

WORDS = {
    PYTHON: "computing in Python",
    GIL: "native code held the GIL",
    COLLECTOR: "garbage collection",
    UNSCHEDULED: "the thread was not scheduled: the process was stopped, or had no processor",
    BLOCKING: "a blocking call: the thread mostly waited",
    None: "cause unknown",
}


class Held(NamedTuple):
    """A time in which a callback of the loop held its thread (nanoseconds of the clock)."""

    thread: int
    since: int
    until: int
    #: the function, None where it could not be read
    frame: Frame | None


class _Thread:
    """What is remembered of a thread."""

    __slots__ = ("between", "callbacks", "long", "missed")

    def __init__(self) -> None:
        #: its last long steps, with their task
        self.long: deque[tuple[TaskLife, Step]] = deque(maxlen=_KEPT)
        #: looks that came too late to see what they were meant for
        self.missed: deque[Look] = deque(maxlen=_KEPT)
        self.callbacks: deque[Held] = deque(maxlen=_KEPT)
        #: times between its steps in which a task was ready, by their end
        self.between: dict[int, int] = {}


def events(step: Step) -> list[tuple[int, list[tuple[str, Any]]]]:
    """The stall events of a step: (clock reading, attributes), one a look."""
    told = []
    for look in step.looks or ():
        attributes: list[tuple[str, Any]] = [(c.STALL_HELD, (look.time - look.since) / SECOND)]
        if look.cause is not None:
            attributes.insert(0, (c.STALL_CAUSE, look.cause))
        if look.stack:
            attributes.append((c.CODE_STACKTRACE, stack_text(look.stack)))
        told.append((look.time, attributes))
    return told


class Stalls(Sink):
    """A Sink that must stand before those that read `step.looks`. `threshold` is nanoseconds."""

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold
        #: how many there were, and by (place, cause)
        self.stalls = 0
        self.by_place: Counter[tuple[str, str]] = Counter()
        self._places: set[str] = set()
        self._looks: dict[tuple[int, int], list[Look]] = {}
        self._threads: dict[int, _Thread] = {}
        self._collections: deque[tuple[int, int]] = deque(maxlen=_KEPT)
        #: stalls that ended and are to be told, and steps that were told while they lasted
        self._ended: deque[tuple[TaskLife, Step]] = deque(maxlen=4 * _WAITING)
        self._lasting: Recent[tuple[int, int], bool] = Recent(_WAITING)
        #: when a place was logged last
        self._logged: Recent[str, int] = Recent(4 * PLACES)

    # ------------------------------------------------------------ steps

    def stepped(self, life: TaskLife, step: Step) -> None:
        """See Sink: a step that was held too long gets its looks."""
        looks = self._looks.pop((life.id, step.index), None) if self._looks else None
        if step.end - step.start < self._threshold and looks is None:
            return
        thread = self._thread(step.where.thread)
        if looks is None:
            if step.end - step.start - _nested(thread, step) < self._threshold:
                return
            looks = self._unseen(thread, life, step)
        step.looks = looks
        thread.long.append((life, step))
        if len(self._ended) == self._ended.maxlen:
            self._tell(*self._ended.popleft())
        self._ended.append((life, step))

    def _unseen(self, thread: _Thread, life: TaskLife, step: Step) -> list[Look]:
        """A stall that nobody saw: what times alone tell of it."""
        cause = None
        for look in thread.missed:
            if _covers(step.start, step.end, look):
                cause = look.cause
                thread.missed.remove(look)
                break
        else:
            cause = self._collector(step)
        where = step.where
        return [Look(where.thread, where.loop, life.id, step.index, step.start, step.end, cause, ())]

    def _collector(self, step: Step) -> str | None:
        """Whether the garbage collector is the cause, by its records."""
        collected = sum(max(0, min(e, step.end) - max(s, step.start)) for s, e in self._collections)
        return COLLECTOR if 2 * collected >= step.end - step.start else None

    def looked(self, look: Look) -> None:
        """See Sink."""
        thread = self._thread(look.thread)
        for life, step in reversed(thread.long):
            if look.task <= 0:
                if _covers(
                    step.start, step.end, look
                ):  # also one of a callback that began when the watchdog was kept from running
                    guess = _guess(step)
                    if guess is not None and guess.cause is None:
                        step.looks = [guess._replace(cause=look.cause)]
                    return
            elif life.id == look.task and step.index == look.step:
                guess = _guess(step)
                step.looks = [look] if guess is not None and guess.cause is None else [look, *(step.looks or ())]
                return
        if look.task == 0:
            self._callback(thread, look)
            return
        if look.task < 0:
            thread.missed.append(look)
            return
        key = look.task, look.step
        looks = self._looks.get(key)
        if looks is None:
            if len(self._looks) >= _WAITING:
                del self._looks[next(iter(self._looks))]
            looks = self._looks[key] = []
        if len(looks) < _LOOKS:
            looks.append(look)
        if look.time - look.since >= LASTING and not self._lasting.get(key):
            self._lasting.put(key, True)
            frame = innermost(look.stack)
            name = function_of(frame) if frame is not None else f"a step of task {look.task}"
            self._note(place_of(frame) if frame is not None else "", name, _cause(looks), looks, "has held", look)

    def _tell(self, life: TaskLife, step: Step) -> None:
        if self._lasting.get((life.id, step.index)):
            return
        looks = step.looks or []
        seen = next((look for look in reversed(looks) if look.stack), None)
        frame = innermost(seen.stack) if seen is not None else None
        if frame is not None:
            name, place = function_of(frame), place_of(frame)
        else:
            name = _function(life)
            point = step.point or life.place
            line = line_of(point, step.lasti) if step.point is not None else point.line
            place = f"{text(point.file)}:{line}" if point.file else ""
        where, since = step.where, step.start + _nested(self._thread(step.where.thread), step)
        whole = Look(where.thread, where.loop, life.id, step.index, since, step.end, None, ())
        self._note(place, name, self._collector(step) or _cause(looks), looks, "held", whole)

    # ------------------------------------------------------------ callbacks

    def _callback(self, thread: _Thread, look: Look) -> None:
        frame = innermost(look.stack)
        held = Held(look.thread, look.since, look.time, frame)
        last = thread.callbacks[-1] if thread.callbacks else None
        if last is not None and last.since == look.since:
            thread.callbacks[-1] = held._replace(frame=frame or last.frame)
            return
        thread.callbacks.append(held)
        name = function_of(frame) if frame is not None else "a callback"
        place = place_of(frame) if frame is not None else ""
        self._note(place, name, look.cause, [look], "has held", look)

    def callback_at(self, thread: int, start: int, end: int) -> Frame | None:
        """The function of the callback that held this thread longest between two clock readings, if it was seen."""
        known = self._threads.get(thread)
        best, found = 0, None
        for held in known.callbacks if known is not None else ():
            overlap = min(held.until, end) - max(held.since, start)
            if held.frame is not None and overlap > best:
                best, found = overlap, held.frame
        return found

    def between(self, thread: int, start: int, end: int) -> None:
        """A task was ready for all of this time, and neither a step ran nor a callback that is known."""
        if end - start < self._threshold:
            return
        known = self._thread(thread).between
        if end in known or len(known) < _KEPT:
            known[end] = min(start, known.get(end, start))

    # ------------------------------------------------------------ telling

    def tick(self, now: int, final: bool = False) -> None:
        """Tell the stalls that ended a moment ago; `final`: all."""
        while self._ended and (final or now - self._ended[0][1].end >= GRACE):
            self._tell(*self._ended.popleft())
        for thread in self._threads.values():
            for end in [end for end in thread.between if final or now - end >= GRACE]:
                self._tell_between(thread, thread.between.pop(end), end)

    def _tell_between(self, thread: _Thread, start: int, end: int) -> None:
        for look in thread.missed:
            if _covers(start, end, look):
                thread.missed.remove(look)
                self._note("", "a callback", look.cause, [look], "held", look._replace(since=start, time=end))
                return

    def _note(self, place: str, name: str, cause: str | None, looks: list[Look], held: str, whole: Look) -> None:
        """Count a stall, and log it, if its place was not logged lately."""
        self.stalls += 1
        said, place = f" at {place}" if place else "", place or name
        if place not in self._places and len(self._places) < PLACES:
            self._places.add(place)
        self.by_place[(place if place in self._places else OTHER, cause or UNKNOWN)] += 1
        last = self._logged.get(place)
        if last is not None and whole.time - last < WINDOW:
            return
        self._logged.put(place, whole.time)
        stack = next((look.stack for look in reversed(looks) if look.stack), ())
        logger.warning(
            "loopscope: %s %s the event loop for %.3f s%s (%s)%s",
            name, held, (whole.time - whole.since) / SECOND, said, WORDS.get(cause, WORDS[None]),
            ":\n" + stack_text(stack).rstrip() if stack else "",
        )  # fmt: skip

    def _thread(self, ident: int) -> _Thread:
        thread = self._threads.get(ident)
        if thread is None:
            if len(self._threads) >= _THREADS:
                del self._threads[next(iter(self._threads))]
            thread = self._threads[ident] = _Thread()
        return thread

    def collected(self, thread: int, start: int, end: int) -> None:
        """See Sink: a collection holds the GIL, whichever thread it is on."""
        self._collections.append((start, end))


def _function(life: TaskLife) -> str:
    try:
        return text(life.place.function)
    except Exception:  # a name that is no plain text
        return text(life.place.qualname)


def _nested(thread: _Thread, step: Step) -> int:
    """How long stalls held the thread that ran within this step: they are told by themselves."""
    total, before = 0, step.end
    for _, inner in reversed(thread.long):
        if inner is not step and inner.start >= step.start and inner.end <= before:
            total += inner.end - inner.start
            before = inner.start
    return total


def _covers(start: int, end: int, look: Look) -> bool:
    """Whether most of what a late look tells of lies within this time."""
    return 2 * (min(end, look.time) - max(start, look.since)) >= look.time - look.since


def _guess(step: Step) -> Look | None:
    """What stands for the looks of a stall of which only times are known."""
    first = step.looks[0] if step.looks else None
    return first if first is not None and first.time == step.end and first.since == step.start else None


def _cause(looks: list[Look]) -> str | None:
    """The cause that most looks tell, the latest of them where it is even."""
    causes = Counter(look.cause for look in reversed(looks) if look.cause is not None)
    return causes.most_common(1)[0][0] if causes else None
