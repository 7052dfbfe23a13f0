"""Who asks for a cancellation: told by the calling frames and by the future, while it is asked. Never guessed.

Who cancels a task that waits for another one cancels that one: nothing of the first is called, but the wake of the one
at the end of the chain is seen. Those along the chain were asked by the same call where none of them had been before.
"""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING, Any

from loopscope.capture import coroutines, creations, private
from loopscope.capture.life import LIFE, Life, hung_on
from loopscope.model import APPLICATION, REQUEST, CancelRequest, Place

if TYPE_CHECKING:
    from loopscope.capture.core import Core
    from loopscope.capture.stand_ins import How

#: what an expiry is called
TIMEOUT = "timeout"

#: our hook through which the wake came
_GATE = "call_soon"
#: how far back the calling frames are looked through
_DEPTH = 64
#: so many tasks and futures are looked at that wait for one that is cancelled
_CHAIN = 64
#: a message is told up to this length
_LONGEST = 200


def request(future: Any, name: str | None) -> CancelRequest:
    """The cancellation that is asked right now of the task that waits for this future, by a function of this name."""
    frame: Any = sys._getframe(1)
    while frame.f_code.co_name != _GATE:  # no further: what comes next may be ours again, the step that runs
        frame = frame.f_back
    frame = frame.f_back
    if frame is not None and frame.f_code.co_name == private.CANCEL_AND_WAIT and sys.exc_info()[1] is None:
        name = TIMEOUT  # wait_for's, which was not itself cancelled
    for _ in range(_DEPTH):
        if frame is None:
            break
        whose = creations.whose(frame.f_code)
        if whose == creations.OUTSIDE:
            break
        if whose == APPLICATION:
            return CancelRequest(name, _place(frame), frame.f_lineno, _message(future))
        frame = frame.f_back
    return CancelRequest(name, None, 0, _message(future))


def pass_on(core: Core, task: Any, life: Life, how: How) -> None:
    """Tell of those who wait for this task, and were asked to end by the same call, that they were."""
    if not private.CANCELLING or not _is_first(task, life):
        return
    chain = [task]
    for thing in chain:
        for waiter in islice(private.waiting_for(thing), _CHAIN - len(chain)):
            if private.is_task(waiter):
                other: Life | None = hung_on(waiter, LIFE)
                if other is None or not _is_first(waiter, other):
                    continue
                other.cancels = 1
                if not other.muted:
                    core.buffer.put_vital((REQUEST, other.id, other.index, how[0], how[4], how[2]))
            chain.append(waiter)


def _is_first(task: Any, life: Life) -> bool:
    """Whether it was never asked before."""
    return not life.cancels and not life.uncancelled and private.own(task).cancelling() == 1


def _place(frame: Any) -> Place:
    code = frame.f_code
    module = frame.f_globals.get("__name__", "")
    return coroutines._places.get(id(code)) or coroutines.make_place(
        code, module if type(module) is str else "", getattr(code, "co_qualname", code.co_name)
    )


def _message(future: Any) -> str | None:
    message = private.cancel_message(future)
    if message is None:
        return None
    try:
        text = message if type(message) is str else str(message)
    except Exception:  # the application's own object
        text = coroutines.names_of(type(message))[1]
    return str.__getitem__(text, slice(_LONGEST))
