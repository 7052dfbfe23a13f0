"""Where locks, queues and the like were created: noted on each as text, by removable hooks on their `__init__`."""

from __future__ import annotations

import asyncio
import functools
import sys
from types import CodeType
from typing import TYPE_CHECKING, Any

from loopscope.capture import wakes
from loopscope.capture.interrupts import is_interrupt
from loopscope.capture.life import PLACE, hang
from loopscope.capture.patches import Patches
from loopscope.model import APPLICATION, LIBRARY, STANDARD
from loopscope.origin import is_ours, origin_of

if TYPE_CHECKING:
    from loopscope.capture.core import Core

#: classes of asyncio whose creation is noted; Barrier came with 3.11
KINDS = ("Lock", "Semaphore", "Condition", "Event", "Barrier", "Queue")

#: of a frame of the loop, or of ours that stands between it and what it calls: who called those made nothing
OUTSIDE = -1
#: code that was compiled from a string, if it has one of these names, begins a process (multiprocessing's) or was
#: written by dataclasses: it is nobody's line
_STRING, _NOBODYS = "<string>", ("<module>", "__init__")

#: how far back the calling frames are looked through
_DEPTH = 64
_LIMIT = 8192
#: by the code's id and the instruction, with the code to keep it alive
_places: dict[tuple[int, int], tuple[CodeType, str]] = {}
_origins: dict[int, tuple[CodeType, int]] = {}


def install(core: Core, patches: Patches) -> None:
    """Put the hooks on."""
    for name in KINDS:
        kind = getattr(asyncio, name, None)
        if kind is not None:
            patches.put(kind, "__init__", lambda original: _init(core, original))


def _init(core: Core, original: Any) -> Any:
    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        if core.on:
            try:
                hang(self, PLACE, core.creator())
            except Exception as error:
                if is_interrupt(error):
                    raise
                return  # an instance that takes no attributes

    return __init__


def creator() -> str | None:
    """`file:line` of the innermost application frame above its caller's; else of an installed package's.

    What a loop's callback makes was made by whoever wrote the callback, and not by whoever runs the loop.
    """
    frame: Any = sys._getframe(2)
    library = None
    for _ in range(_DEPTH):
        if frame is None:
            break
        origin = whose(frame.f_code)
        if origin == APPLICATION:
            return _place(frame)
        if origin == OUTSIDE:
            break
        if origin != STANDARD and library is None:
            library = frame
        frame = frame.f_back
    return None if library is None else _place(library)


def whose(code: CodeType) -> int:
    """APPLICATION, LIBRARY, STANDARD or OUTSIDE, remembered by the code."""
    known = _origins.get(id(code))
    if known is None:
        if len(_origins) >= _LIMIT:
            _origins.clear()
        known = _origins[id(code)] = code, _whose(code)
    return known[1]


def _whose(code: CodeType) -> int:
    if is_ours(code.co_filename):
        return STANDARD if code.co_filename == whose.__code__.co_filename else OUTSIDE
    if code.co_name in wakes.RUNNERS and wakes.is_loop(code):
        return OUTSIDE
    if code.co_filename == _STRING and code.co_name in _NOBODYS:
        return LIBRARY
    return origin_of(code.co_filename)


def _place(frame: Any) -> str:
    key = id(frame.f_code), frame.f_lasti
    known = _places.get(key)
    if known is None:
        if len(_places) >= _LIMIT:
            _places.clear()
        known = _places[key] = frame.f_code, f"{frame.f_code.co_filename}:{frame.f_lineno}"
    return known[1]
