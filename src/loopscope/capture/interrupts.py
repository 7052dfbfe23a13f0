"""Exceptions that the application's signal handlers raise: they interrupt whatever runs, ours too, and are not ours."""

from __future__ import annotations

from types import FrameType

from loopscope.origin import is_ours

_VARARGS = 0x04  # CO_VARARGS


def is_interrupt(error: BaseException | None) -> bool:
    """Whether a signal handler raised it: a frame that it passed was given the one that it interrupted."""
    traceback = None if error is None else error.__traceback__
    while traceback is not None:
        if not is_ours(traceback.tb_frame.f_code.co_filename) and _handles(traceback.tb_frame):
            return True
        traceback = traceback.tb_next
    return False


def _handles(frame: FrameType) -> bool:
    code, interrupted, given = frame.f_code, frame.f_back, frame.f_locals
    if interrupted is None:
        return False
    if any(given.get(name) is interrupted for name in code.co_varnames[: code.co_argcount]):
        return True
    if not code.co_flags & _VARARGS:
        return False
    rest = given.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount])
    return type(rest) is tuple and any(one is interrupted for one in rest)
