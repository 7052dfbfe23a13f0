"""The slowest, most delayed and most harmful steps, and the stalls, each with its place in the code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from loopscope.recording.timeline import Delay, Stall, Step, Timeline
from loopscope.views.terminal.style import Style
from loopscope.views.terminal.summary import count, named
from loopscope.views.terminal.text import columns, duration, place

ROWS = 5
#: from here on a step is worth a row (nanoseconds)
NOTABLE = 1_000_000

_FRAME = re.compile(r'File "([^"\n]*)", line (\d+)(?:, in (\S+))?')


class Entry(NamedTuple):
    """A row."""

    size: str
    name: str
    place: str
    told: str


def notable(timeline: Timeline, style: Style) -> Iterator[str]:
    """Tables of the slowest, most delayed and most harmful steps, and of the stalls."""
    singles = [step for step in timeline.steps if step.count == 1]
    few = len(timeline.steps) <= 2 * ROWS  # the list of all of them says the rest
    slowest = [] if few else singles
    delayed = [step for step in singles if step.delay is not None or not few]
    yield from _table("slowest steps", slowest, lambda step: step.running, _slow, timeline, style)
    yield from _table("most delayed steps", delayed, lambda step: step.ready_duration, _delayed, timeline, style)
    yield from _table("most harmful steps", singles, lambda step: step.delayed_duration, _harmful, timeline, style)
    yield from _stalls(timeline, style)


def _table(
    title: str, steps: list[Step], size: Callable[[Step], int], told: Callable[[Step], str], timeline: Timeline,
    style: Style,
) -> Iterator[str]:  # fmt: skip
    ranked = sorted((step for step in steps if size(step) >= NOTABLE), key=size, reverse=True)[:ROWS]
    entries = [
        Entry(duration(size(step)), named(step, timeline), _place(step, timeline), told(step)) for step in ranked
    ]
    yield from _entries(title, entries, style)


def _entries(title: str, entries: list[Entry], style: Style) -> Iterator[str]:
    """Rows, each column as wide as it must; on a narrow terminal what is told of a step gives way."""
    if not entries:
        return
    most = max((style.columns - 12) // 3, 12)
    places = [place(entry.place, min(most, 40)) for entry in entries]
    names = min(max(columns(style.fit(entry.name)) for entry in entries), most)
    wide = max(columns(style.fit(where)) for where in places)
    yield ""
    yield style.head(f"  {title}")
    for entry, where in zip(entries, places, strict=True):
        line = f"  {entry.size:>8}  {style.pad(entry.name, names)}  {style.pad(where, wide)}"
        left = style.columns - columns(line) - 2
        yield style.fit(f"{line}  {style.fit(entry.told, left)}" if left >= 8 else line).rstrip()


def _place(step: Step, timeline: Timeline) -> str:
    """Where it suspended; the line of the task's function where it did not."""
    return step.place or timeline.tasks[step.task].place


def _slow(step: Step) -> str:
    return f"{step.outcome} {step.awaiting}".strip()


def _delayed(step: Step) -> str:
    return "" if step.delay is None else f"behind {_culprit(step.delay)}"


def _culprit(delay: Delay) -> str:
    name = f"{delay.name} ({delay.task})" if delay.task else delay.name
    many = f", {delay.steps} steps" if delay.steps > 1 else ""
    where = f", {delay.function} {place(delay.place)}".rstrip() if delay.function or delay.place else ""
    return f"{name} {duration(delay.duration)}{many}{where}"


def _harmful(step: Step) -> str:
    return f"kept {count(step.delayed_count, 'task')} waiting, ran {duration(step.running)}"


def _stalls(timeline: Timeline, style: Style) -> Iterator[str]:
    found = [(stall, step) for step in timeline.steps for stall in step.stalls]
    longest = sorted(found, key=lambda one: -one[0].held)[: 2 * ROWS]
    yield from _entries("stalls", [_stalled(stall, step, timeline) for stall, step in longest], style)
    if len(found) > len(longest):
        yield f"  ... and {len(found) - len(longest)} more"


def _stalled(stall: Stall, step: Step, timeline: Timeline) -> Entry:
    """Where it was seen; and in which function the stack ends."""
    frames = _FRAME.findall(stall.stack)
    function = f"in {frames[-1][2]}" if frames and frames[-1][2] else ""
    told = ", ".join(part for part in (stall.cause, function) if part)
    where = seen_at(stall, timeline.tasks[step.task].place) or _place(step, timeline)
    return Entry(duration(stall.held), named(step, timeline), where, told)


def seen_at(stall: Stall, task: str) -> str:
    """file:line where a stall's stack is in the file of its task, whose place is `task`; else where the stack ends."""
    frames = _FRAME.findall(stall.stack)
    own = task.rpartition(":")[0]
    where = next((f"{file}:{line}" for file, line, _ in reversed(frames) if file == own), "")
    return where or (":".join(frames[-1][:2]) if frames else "")
