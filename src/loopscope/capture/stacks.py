"""Reads the stack of another thread: code and line, without the loop's own frames and ours."""

from __future__ import annotations

from types import FrameType
from typing import Any, NamedTuple

from loopscope.capture import births, private
from loopscope.capture.core import RUN_CODE
from loopscope.capture.stand_ins import Callback
from loopscope.model import Frame
from loopscope.origin import is_ours

#: innermost frames kept, and frames looked at
DEPTH = 64
_REACH = 4096

#: codes of the frames in which what a loop calls begins, of asyncio's loop, and of our hooks around a loop in C,
#: by their ids: hashing a code object hashes all that is in it
_BEGINNINGS = frozenset(
    id(code) for code in (RUN_CODE, Callback.__call__.__code__, births.create.__code__, private.HANDLE_RUN)
)
_STEPS = frozenset({id(RUN_CODE), id(births.create.__code__)})
_LOOPS = frozenset(id(code) for code in private.LOOP_RUN)
_RUNNERS: set[int] = set()


class Seen(NamedTuple):
    """What was read of a thread."""

    #: outermost first
    stack: tuple[Frame, ...]
    #: it runs something that a loop called
    busy: bool
    #: the frame that lives as long as the callback that the loop called; None where there is none, or a step
    holder: FrameType | None


#: the loop's own, or unreadable
IDLE = Seen((), False, None)


#: stands for a frame beyond DEPTH
_MORE = Frame(RUN_CODE, 0)


def around(runner: Any) -> None:
    """This function is called around a whole loop that has no Python frames of its own."""
    _RUNNERS.add(id(runner.__code__))


def read(innermost: FrameType | None, kept: bool = True) -> Seen:
    """Read a thread's frames from its innermost one on; `kept`: also the stack."""
    stack: list[Frame] = []
    inner = None
    for frame in private.callers(innermost, _REACH):
        code = frame.f_code
        if id(code) in _BEGINNINGS:
            step = id(code) in _STEPS
            return Seen(_cut(stack, kept), True, None if step else frame)
        if id(code) in _RUNNERS:
            return Seen(_cut(stack, kept), inner is not None, inner)
        if id(code) in _LOOPS:
            return IDLE
        stack.append(Frame(code, frame.f_lineno or code.co_firstlineno) if len(stack) < DEPTH else _MORE)
        inner = frame
    return Seen(_cut(stack, kept), False, None)


def _cut(stack: list[Frame], kept: bool) -> tuple[Frame, ...]:
    if not kept:
        return ()
    if stack and private.is_runner(stack[-1].code):
        stack.pop()
    return tuple(frame for frame in reversed(stack[:DEPTH]) if not is_ours(frame.code.co_filename))
