"""Who woke a task, where no task did: the callback that runs in the loop, told by the calling frames."""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType
from typing import NamedTuple

from loopscope.model import CALLBACK, IO
from loopscope.origin import is_ours

#: files of asyncio whose callbacks the selector or the proactor calls for I/O
_IO_FILES = frozenset(
    {"selector_events.py", "proactor_events.py", "sslproto.py", "unix_events.py", "windows_events.py"}
)
#: methods of protocols that a transport calls for I/O, for loops whose transports have no Python frames
_IO_METHODS = frozenset(
    {"data_received", "buffer_updated", "eof_received", "datagram_received", "error_received", "connection_made",
     "connection_lost", "resume_writing", "pipe_data_received", "pipe_connection_lost", "process_exited"}
)  # fmt: skip
#: functions of asyncio and uvloop that run callbacks: innermost where a callback has no Python frame
RUNNERS = frozenset({"_run", "_run_once", "run", "run_forever", "run_until_complete"})
#: how far back the calling frames are looked through
DEPTH = 12


class About(NamedTuple):
    """What matters of a function that is found among the calling ones."""

    code: CodeType
    #: None where it is the loop's own and calls callbacks
    name: str | None
    #: it is called for I/O
    io: bool
    #: nothing further out matters
    last: bool


#: by the code's id
_abouts: dict[int, About] = {}


def about(code: CodeType) -> About:
    """What matters of this code, remembered."""
    known = _abouts.get(id(code))
    if known is None:
        if len(_abouts) > 4096:
            _abouts.clear()
        named = code.co_name not in RUNNERS or not is_loop(code)
        known = _abouts[id(code)] = About(
            code,
            getattr(code, "co_qualname", code.co_name) if named else None,
            _is_io(code),
            code.co_name == "_run_once",
        )
    return known


def caller(depth: int) -> tuple[str, str | None]:
    """(waker kind, function name) of the callback that wakes a task right now, `depth` frames up.

    No name where the callback has no Python frame: the loop's own would mislead.
    """
    frame: FrameType | None = sys._getframe(depth + 1)
    name = about(frame.f_code).name if frame is not None else None
    steps = DEPTH
    while frame is not None and steps:
        known = about(frame.f_code)
        if known.io:
            return IO, name
        if known.last:
            break
        frame = frame.f_back
        steps -= 1
    return CALLBACK, name


def _is_io(code: CodeType) -> bool:
    file = os.path.basename(code.co_filename)
    return code.co_name in _IO_METHODS or (file in _IO_FILES and _folder(code) == "asyncio")


def is_loop(code: CodeType) -> bool:
    """Whether this is code of asyncio, uvloop or ours."""
    return _folder(code) in ("asyncio", "uvloop") or is_ours(code.co_filename)


def _folder(code: CodeType) -> str:
    return os.path.basename(os.path.dirname(code.co_filename))
