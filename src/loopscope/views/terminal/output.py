"""What the program printed: a lane of the moments, and the lines with the steps that wrote them."""

from __future__ import annotations

from collections.abc import Iterator

from loopscope.recording.timeline import Printed, Timeline
from loopscope.views.terminal.lanes import Axis
from loopscope.views.terminal.style import NONE, Style
from loopscope.views.terminal.text import columns, duration

#: lines told
LINES = 40


def marks(printed: list[Printed], axis: Axis) -> str:
    """How many lines were printed in each piece of time: a digit, `+` for more than nine."""
    counts = [0] * axis.columns
    for line in printed:
        counts[axis.at(line.time)] += 1
    return "".join(NONE if not count else str(count) if count < 10 else "+" for count in counts)


def lines(timeline: Timeline, style: Style) -> Iterator[str]:
    """The lines themselves."""
    if not timeline.printed:
        return
    shown = [(line, _who(line, timeline, style)) for line in timeline.printed[:LINES]]
    room = max(columns(who) for _, who in shown)
    yield ""
    yield style.head("  printed")
    for line, who in shown:
        mark = "!" if line.stream == "stderr" else " "
        at = duration(line.time - timeline.start)
        yield style.fit(f"  {at:>8}  {style.pad(who, room)} {mark}{style.fit(line.text)}").rstrip()
    if len(timeline.printed) > LINES:
        yield f"  ... and {len(timeline.printed) - LINES} more lines"


def _who(line: Printed, timeline: Timeline, style: Style) -> str:
    """The step that printed a line; on a narrow terminal without the name of its function."""
    task = timeline.tasks.get(line.task) if line.task is not None else None
    if task is None:
        return ""
    function = f" {task.qualname}" if style.columns >= 72 else ""
    return style.fit(f"{task.name}{function} {line.index}", style.columns // 3)
