"""Draws a Timeline in a terminal: lanes of tasks, who holds each thread, what was printed, and tables of steps."""

from __future__ import annotations

from collections.abc import Iterator

from loopscope.recording.timeline import Timeline
from loopscope.views.terminal.chapters import chapters
from loopscope.views.terminal.picture import legend, picture
from loopscope.views.terminal.style import Style
from loopscope.views.terminal.summary import wrapped

__all__ = ["Style", "draw"]

#: chapters drawn; of more, those in which most happened
CHAPTERS = 12


def draw(timeline: Timeline, style: Style | None = None) -> str:
    """The picture, no wider than the style says (or 40 columns)."""
    return "".join(f"{line}\n" for line in _lines(timeline, style or Style()))


def _lines(timeline: Timeline, style: Style) -> Iterator[str]:
    parts = [part for part in chapters(timeline) if part.tasks]
    shown = parts if len(parts) <= CHAPTERS else sorted(parts, key=_activity, reverse=True)[:CHAPTERS]
    for part in parts:
        if part in shown:
            yield from picture(part, style)
            yield ""
    if len(parts) > len(shown):
        yield f"... and {len(parts) - len(shown)} more traces, in which less happened"
    if parts:
        yield from legend(timeline, style)
    else:
        yield from wrapped("Nothing was recorded: no task took a step that was to be.", style)
    for sentence in timeline.missing:
        yield from (style.alarm(line) for line in wrapped(style.fit(f"missing: {sentence}", 1000), style))


def _activity(part: Timeline) -> int:
    return sum(task.running + task.ready for task in part.tasks.values())
