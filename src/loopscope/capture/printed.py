"""Lines that the program prints: notes which step wrote each, and leaves the writing to the stream itself.

An attribute `write` on the stream object hides the method of its type, for `print`, `writelines`, logging handlers
and tracebacks alike: they all look it up on the object. The stream stays the same object of the same type, so
`sys.stdout is sys.__stdout__`, what was captured early, its buffer, encoding, order and flushing are as before. What
was considered: another class for the stream (its type takes none), a second wrapper around its buffer (two texts
pending, so another order, and what was captured early is not seen), a Python object in its place (its type shows, and
C code asks for the type). What shows: `vars(sys.stdout)`, and one frame more in the traceback of a `write` that fails.

Not seen: what is written to `sys.stdout.buffer` or to the file descriptor, a `write` that was looked up before, and
a stream that the program puts in the place of the first without writing on to it.
"""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from loopscope.capture.core import Core
from loopscope.capture.life import Here, Life, local
from loopscope.capture.patches import Patches
from loopscope.model import PRINTED

#: characters told of a line; lines a second, and of a process
LONGEST = 1_000
A_SECOND, ALL = 1_000, 20_000
_SECOND = 1_000_000_000
_MORE = "…"


class Line(NamedTuple):
    """A line that a step began: the step, when that was, and what of it is written."""

    life: Life
    step: int
    time: int
    text: str


class Lines:
    """Puts the lines of steps into the core's buffer."""

    def __init__(self, core: Core) -> None:
        self._core = core
        #: lines that were too many
        self.dropped = 0
        self._noted = 0
        #: the second of the clock, and lines noted in it
        self._second = self._lately = 0

    def install(self, patches: Patches) -> None:
        """Listen on the process's stdout and stderr."""
        for name, number in ("stdout", 1), ("stderr", 2):
            for stream in streams(name, number):
                patches.put(stream, "write", functools.partial(self.write, name))

    def forked(self) -> None:
        """In a forked child: count anew."""
        self.dropped = self._noted = self._lately = 0

    def write(self, name: str, original: Any) -> Any:
        """What stands for a stream's `write`."""
        core = self._core

        @functools.wraps(original)
        def write(*args: Any, **options: Any) -> Any:
            if not core.on:
                return original(*args, **options)
            here = getattr(local, "here", None)
            if here is None or (here.life is None and not here.lines):
                return original(*args, **options)
            time = core.reading()
            written = original(*args, **options)
            try:
                self.wrote(here, name, args[0], time)
            except RecursionError:  # the application's own
                self.dropped += 1
            except Exception:
                core.fail()
            return written

        return write

    def wrote(self, here: Here, stream: str, text: str, time: int) -> None:
        """A text is written on this thread: note the lines that it ends, and keep the one that it begins."""
        if type(text) is not str:  # a subclass's own
            text = str.__str__(text)
        life = here.life
        line = here.lines.pop(stream, None)
        at = 0
        while (end := text.find("\n", at)) >= 0:
            line = _continued(line, life, time, text, at, end)
            if line is None:  # the rest is no step's
                return
            at = end + 1
            if not self._note(line, life, stream):
                self.dropped += 1
                if life is not None:  # nor is there room for the text's other lines
                    self.dropped += text.count("\n", at)
                at = text.rfind("\n") + 1
            line = None
        if line is not None or at < len(text):
            line = _continued(line, life, time, text, at, len(text))
            if line is not None:
                here.lines[stream] = line

    def _note(self, line: Line, life: Life | None, stream: str) -> bool:
        """A line is complete: the step's that began it, or that ends it where the first is over. Is there room?"""
        owner, step, time, text = line
        if life is not None and (owner.index != step or owner.over):
            owner, step = life, life.index
        if owner.muted or owner.excluded:
            return True
        if time // _SECOND != self._second:
            self._second, self._lately = time // _SECOND, 0
        if self._lately >= A_SECOND or self._noted >= ALL:
            return False
        self._lately += 1
        self._noted += 1
        if len(text) > LONGEST:
            text = text[:LONGEST] + _MORE
        self._core.buffer.put((PRINTED, owner.id, step, time, stream, text))
        return True


def streams(name: str, number: int) -> Iterator[Any]:
    """The process's own stream of this name, and one of the same kind that the program made for the same file."""
    seen: list[Any] = []
    for stream in getattr(sys, f"__{name}__", None), getattr(sys, name, None):
        if type(stream) is not io.TextIOWrapper or any(stream is other for other in seen):
            continue
        try:
            if stream.fileno() == number:
                seen.append(stream)
                yield stream
        except (OSError, ValueError):  # closed, or detached
            continue


def _continued(line: Line | None, life: Life | None, time: int, text: str, start: int, end: int) -> Line | None:
    """The line with a piece more; None where no step began it."""
    piece = text[start : min(end, start + LONGEST + 1)]
    if line is None:
        return None if life is None else Line(life, life.index, time, piece)
    return line._replace(text=(line.text + piece)[: LONGEST + 1])
