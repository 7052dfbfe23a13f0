"""Who asks for a cancellation: told by the calling frames and by the future, while it is asked. Never guessed."""

from __future__ import annotations

import sys
from typing import Any

from loopscope.capture import coroutines, creations, private
from loopscope.model import APPLICATION, CancelRequest, Place

#: what an expiry is called
TIMEOUT = "timeout"

#: our hook through which the wake came
_GATE = "call_soon"
#: how far back the calling frames are looked through
_DEPTH = 64
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
