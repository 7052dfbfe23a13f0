"""Where results go: pictures in a terminal, files, and pages that a browser opens."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import webbrowser
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import click

from loopscope.activation.cli.command import NotDone
from loopscope.recording.timeline import Timeline
from loopscope.settings import has_display, wants_colour
from loopscope.views.terminal import Style, draw

#: a picture's columns where there is no terminal
_COLUMNS = 100
#: and the most there are, however wide a terminal is said to be
WIDEST = 1000


def show(timeline: Timeline, stream: TextIO, width: int | None = None, colour: bool = True) -> None:
    """Draw it there."""
    stream.write(draw(timeline, style(stream, width, colour)))
    stream.flush()


def style(stream: TextIO, width: int | None = None, colour: bool = True) -> Style:
    """How to draw on a stream: as wide as the terminal, in colours and signs that it can show."""
    return Style(
        width=width or min(shutil.get_terminal_size((_COLUMNS, 24)).columns, WIDEST),
        colour=colour and wants_colour(stream.isatty()),
        plain=not (stream.encoding or "").lower().startswith("utf"),
    )


def say(line: str) -> None:
    """A line about what was done, beside the results."""
    sys.stderr.write(f"loopscope: {line}\n")
    sys.stderr.flush()


def write(path: str, content: str) -> None:
    """Write a file whole, or standard output (`-`), in UTF-8 wherever it goes. Raises NotDone."""
    if path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(content.encode())
        sys.stdout.buffer.flush()
        return
    try:
        Path(path).write_text(content, encoding="utf-8")
    except OSError as error:
        raise NotDone(f"cannot write {path}: {error.strerror or error}") from None
    say(f"wrote {path}")


def spare(path: str, others: Iterable[str], what: str) -> None:
    """Raises click.UsageError where what is written there would be written over one of those files."""
    if os.path.exists(path) and any(os.path.exists(one) and os.path.samefile(path, one) for one in others):
        raise click.UsageError(f"{path} is {what}: write to another file")


def writable(path: str, what: str) -> str:
    """The path made absolute, once it is sure that it can be written; what is there stays. Raises click.UsageError."""
    try:
        open(path, "a").close()
    except OSError as error:
        raise click.UsageError(f"cannot write the {what} {path}: {error.strerror or error}") from None
    return os.path.abspath(path)


def kept(name: str) -> str:
    """A path in a new folder among the temporary ones, which stays."""
    return os.path.join(tempfile.mkdtemp(prefix="loopscope-"), name)


def open_page(path: str) -> None:
    """Open it in the browser; without a display (over SSH) none is tried, for it would be one in the terminal."""
    if not has_display() or not webbrowser.open(Path(path).absolute().as_uri()):
        say(f"found no browser to open {path}")
