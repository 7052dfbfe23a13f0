"""Who woke a task, where no task did: the callback that runs in the loop, told by the calling frames."""

from __future__ import annotations

import os
import sys
from types import CodeType

from loopscope.model import CALLBACK, IO

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
_OURS = os.path.dirname(__file__)
#: how far back the calling frames are looked through
_DEPTH = 12

#: by the code's id, with the code to keep it alive
_kinds: dict[int, tuple[CodeType, bool]] = {}


def caller(depth: int) -> tuple[str, str | None]:
    """(waker kind, function name) of the callback that wakes a task right now, `depth` frames up.

    No name where the callback has no Python frame: the loop's own would mislead.
    """
    frame = sys._getframe(depth + 1)
    name: str | None = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)
    if frame.f_code.co_name in RUNNERS and is_loop(frame.f_code):
        name = None
    steps = _DEPTH
    while frame is not None and steps:
        code = frame.f_code
        known = _kinds.get(id(code))
        if known is None:
            if len(_kinds) > 4096:
                _kinds.clear()
            known = _kinds[id(code)] = code, _is_io(code)
        if known[1]:
            return IO, name
        if code.co_name == "_run_once":
            break
        frame = frame.f_back  # type: ignore[assignment]
        steps -= 1
    return CALLBACK, name


def _is_io(code: CodeType) -> bool:
    file = os.path.basename(code.co_filename)
    return code.co_name in _IO_METHODS or (file in _IO_FILES and _folder(code) == "asyncio")


def is_loop(code: CodeType) -> bool:
    """Whether this is code of asyncio, uvloop or ours."""
    return _folder(code) in ("asyncio", "uvloop") or os.path.dirname(code.co_filename) == _OURS


def _folder(code: CodeType) -> str:
    return os.path.basename(os.path.dirname(code.co_filename))
