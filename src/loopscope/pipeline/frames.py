"""Stacks as text, and whose frame in them is the application's own."""

from __future__ import annotations

import linecache
from collections.abc import Iterable
from typing import Any

from loopscope.model import APPLICATION, Frame
from loopscope.origin import origin_of


def text(value: Any) -> str:
    """A name as text, whatever it is and does."""
    try:
        return str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:
        return f"<{type(value).__name__}>"


def function_of(frame: Frame) -> str:
    """The qualname of the function, before Python 3.11 its name."""
    return text(getattr(frame.code, "co_qualname", None) or frame.code.co_name)


def place_of(frame: Frame) -> str:
    """`file:line`."""
    return f"{text(frame.code.co_filename)}:{frame.line}"


def innermost(stack: tuple[Frame, ...]) -> Frame | None:
    """The innermost frame of the application's own code, else the outermost; None for an empty stack."""
    for frame in reversed(stack):
        if origin_of(text(frame.code.co_filename)) == APPLICATION:
            return frame
    return stack[0] if stack else None


def stack_text(frames: Iterable[Frame]) -> str:
    """The frames as a traceback shows them, outermost first, with their source where it is at hand."""
    lines = []
    for frame in frames:
        file = text(frame.code.co_filename)
        lines.append(f'  File "{file}", line {frame.line}, in {text(frame.code.co_name)}\n')
        try:
            source = linecache.getline(file, frame.line).strip()
        except Exception:
            source = ""
        if source:
            lines.append(f"    {source}\n")
    return "".join(lines)
