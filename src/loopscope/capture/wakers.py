"""Who or what woke a task, where no recorded step did: a callback, a timer, another thread, I/O, a cancellation."""

from __future__ import annotations

from typing import Any

from loopscope.capture import awaits, cancels, private, wakes
from loopscope.capture.life import DUE, LIFE, Here, Life, hung_on
from loopscope.capture.stand_ins import How
from loopscope.model import CANCEL, IO, TASK, THREAD, TIMER

#: a timer may fire this much before its due time (nanoseconds): uvloop's clock counts milliseconds, and lags
EARLY = 3_000_000


def woken(loop: Any, task: Any, life: Life, future: Any, now: int, here: Here) -> How:
    """How a task was woken, where no recorded step woke it."""
    callback = here.callback
    if private.own(future).cancelled() and cancelled(task, life, future):
        return _asked(task, future, now, here)
    if callback is not None:
        function = callback.__wrapped__
        name = awaits.function_name(function)
        if callback.kind is THREAD:
            name = hung_on(future, awaits.LABEL) or name
        return _earlier(callback.since, now), callback.kind, callback.waker, callback.waker_step, name
    due = hung_on(future, DUE)
    if due and due <= now + EARLY:
        return min(due, now), TIMER, 0, 0, None
    running = private.current_task(loop)
    if running is not None:  # a task whose steps are not recorded, or of which this one is not
        other: Life | None = hung_on(running, LIFE)
        waker, step = (other.id, other.index) if other is not None else (0, 0)
        return now, TASK, waker, step, awaits.title(running)
    label = hung_on(future, awaits.LABEL)
    if label is not None:  # the executor's function ended before its future was chained to this one
        return now, THREAD, 0, 0, label
    kind, function = wakes.caller(3)
    if kind is IO:
        if here.polls is None:
            return now, kind, 0, -1, function
        return _earlier(here.polled, now), kind, 0, here.unpolled, function
    return now, kind, 0, 0, function


def _earlier(since: int, now: int) -> int:
    """The earlier one of two readings, the first of which may be none."""
    return since if 0 < since < now else now


def _asked(task: Any, future: Any, now: int, here: Here) -> How:
    """How a task was woken by its cancellation, where no recorded step asked for it."""
    callback, since = here.callback, 0
    waker = step = 0
    if callback is not None:
        name = _asking(awaits.function_name(callback.__wrapped__))
        since, waker, step = callback.since, callback.waker, callback.waker_step
    else:
        running = private.current_task(private.own(task).get_loop())
        if running is not None:  # a task whose steps are not recorded, or of which this one is not
            other: Life | None = hung_on(running, LIFE)
            waker, step = (other.id, other.index) if other is not None else (0, 0)
            name = awaits.title(running)
        else:
            name = _asking(wakes.caller(4)[1])
    return _earlier(since, now), CANCEL, waker, step, cancels.request(future, name)


def _asking(name: str | None) -> str | None:
    return cancels.TIMEOUT if name is not None and name.endswith(private.ON_TIMEOUT) else name


def cancelled(task: Any, life: Life, future: Any) -> bool:
    """Whether this wake is a cancellation of the task, not of what it waits for."""
    if private.is_task(future):
        return False
    if not private.CANCELLING:
        return True
    return bool(private.own(task).cancelling() > life.cancels)
