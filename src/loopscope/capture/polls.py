"""Looks at a loop's selector, seen by a `select` on the selector itself from the first recorded step of a run on.

`Core.stepped` puts the hook on. It goes when the loop stops: on the selector it is a cycle. Where none of a loop's
steps is recorded any more, it minds only the looks that may wait.
"""

from __future__ import annotations

import selectors
from types import MethodType
from typing import TYPE_CHECKING, Any

from loopscope.model import POLLS, Where, clock

if TYPE_CHECKING:
    from loopscope.capture.core import Core
    from loopscope.capture.life import Here

#: clock readings kept until a record takes them, and for how long about (nanoseconds)
KEPT, LATE = 128, 1_000_000_000
#: after so many looks that do not wait, with no step recorded, further ones pass through
TURNS = 256
#: a look that took longer than this waited: what it found came meanwhile (nanoseconds)
WAITED = 50_000
#: a loop that was busy for so long looks without waiting first: what it finds came meanwhile (nanoseconds)
MATTERS = 500_000


def selector_of(loop: Any) -> Any:
    """The loop's selector if its looks can be seen, else None."""
    selector = getattr(loop, "_selector", None)
    return selector if isinstance(selector, selectors.BaseSelector) else None


def see(core: Core, here: Here, loop: Any) -> None:
    """Have the looks of the loop that runs on this thread seen."""
    here.blind = False
    selector = selector_of(loop)
    if selector is None or not _is_plain(selector):
        return
    here.polled, here.polls, here.unpolled = clock(), (), -1
    where = here.at(here.loop)
    selector.select = core.select(core, here, where, selector.select)


def _is_plain(selector: Any) -> bool:
    """Whether its `select` is its class's.

    Its `__dict__` is asked for only where that is wrapped: once it is made, all its attributes are slower.
    """
    method = selector.select
    if getattr(method, "_loopscope_gate", False):
        return False
    own = isinstance(method, MethodType) and method.__func__ is getattr(type(selector), "select", None)
    return own or "select" not in vars(selector)


def unsee(selector: Any) -> None:
    """Take the hook off a selector."""
    if getattr(selector.select, "_loopscope_gate", False):
        del selector.select


def select(core: Core, here: Here, where: Where, original: Any) -> Any:
    """What stands for `original`."""
    ended = turns = 0

    def select(timeout: Any = None) -> Any:
        nonlocal ended, turns
        waits = timeout is None or not timeout <= 0
        if not waits:
            if here.ended != ended:
                ended, turns = here.ended, 0
            elif turns < TURNS:
                turns += 1
            else:
                here.polled, here.unpolled = 0, -1
                return original(timeout)
        try:
            start = clock()
            busy = start - here.polled if here.polled else -1
        except MemoryError:
            core.fail()
            return original(timeout)
        if not waits:
            found = original(timeout)
            seen(start, busy, False)
            return found
        if busy >= MATTERS:  # whether it had to wait cannot be told by how long it took
            found = original(0)
            if found:
                here.unpolled, here.polled = busy, core.reading()
                return found
            busy = 0
        here.polling = start
        try:
            return original(timeout)
        finally:
            here.polling = 0
            seen(start, busy, True)
            if core.dozing:
                core.rouse()

    def seen(start: int, busy: int, waits: bool) -> None:
        """A look is over, which began then, after the loop had not looked for so long."""
        try:
            end = clock()
            long = end - start >= WAITED  # for the GIL, or to be scheduled, where it does not wait by itself
            here.unpolled, here.polled = 0 if waits and long else busy, end
            if waits or long:
                note(start, end)
        except Exception:
            core.fail()

    def note(start: int, end: int) -> None:
        polls = here.polls
        if polls and (len(polls) >= KEPT or start - polls[0] >= LATE):
            core.buffer.put((POLLS, where, polls))
            polls = None
        here.polls = (*polls, start, end) if polls else (start, end)

    select._loopscope_gate = True  # type: ignore[attr-defined]
    return select
