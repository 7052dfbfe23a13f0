"""What a picture's lanes are too coarse for: how each task's life divides, and the steps in order."""

from __future__ import annotations

from collections.abc import Iterator

from loopscope.recording.timeline import Step, Task, Timeline
from loopscope.views.terminal.style import Style
from loopscope.views.terminal.text import columns, duration, place

#: tasks summed up; steps told in order, if there are no more
TASKS, STEPS = 20, 60


def summaries(tasks: list[Task], style: Style) -> Iterator[str]:
    """How each task's life divides."""
    for task in tasks[:TASKS]:
        state = task.state or "no end seen"
        error = f" {task.error}" if task.error and task.error != task.state else ""
        name = style.fit(f"{task.qualname} {task.name}".strip(), 40)
        said = (
            f"{state}{error} after {duration(task.end - task.start)}, {count(task.steps, 'step')}: running "
            f"{duration(task.running)}, ready {duration(task.ready)}, waiting {duration(task.waiting)}"
        )
        if task.awaiting:
            said += f", in {task.awaiting}"
        yield from wrapped(f"  {name}: {style.fit(said, 300)}", style)
    if len(tasks) > TASKS:
        yield f"  ... and {len(tasks) - TASKS} more"


def wrapped(said: str, style: Style) -> Iterator[str]:
    """A safe text in as many lines as it needs."""
    words = said.split()
    indent = " " * (len(said) - len(said.lstrip()))
    line = indent + " ".join(words[:1])
    for word in words[1:]:
        longer = f"{line} {word}"
        if columns(longer) > style.columns:
            yield style.fit(line)
            longer = f"{indent}  {word}"
        line = longer
    yield style.fit(line)


def in_order(timeline: Timeline, style: Style) -> Iterator[str]:
    """The steps, one after the other; nothing where they are too many to be read."""
    if not timeline.steps or len(timeline.steps) > STEPS:
        return
    rows = [("at", "ready", "ran", "step", "woken by", "then")]
    for step in timeline.steps:
        waker = f"{step.waker_kind} {step.waker_name}" if step.waker_name else step.waker_kind
        where = f"  {place(step.place, style.columns - 110)}" if step.place else ""
        then = f"{step.outcome} {step.awaiting}".strip() + where
        at = duration(step.start - timeline.start)
        ready, ran = duration(step.ready_duration), duration(step.running)
        rows.append((at, ready, ran, named(step, timeline), waker, then))
    room = max(style.columns - 30, 10)
    steps = min(max(columns(style.fit(row[3], room)) for row in rows), room // 2)
    wakers = min(max(columns(style.fit(row[4], room)) for row in rows), room // 3)
    yield ""
    for number, row in enumerate(rows):
        line = _row(style, row, steps, wakers)
        yield line if number else style.head(line)


def _row(style: Style, row: tuple[str, str, str, str, str, str], steps: int, wakers: int) -> str:
    at, ready, ran, what, waker, then = row
    if style.columns < 72:  # no room for all of it
        return style.fit(f"  {at:>8} {ran:>8}  {style.pad(what, steps + 8)} {style.fit(then)}")
    line = f"  {at:>8} {ready:>8} {ran:>8}  {style.pad(what, steps)} {style.pad(waker, wakers)}"
    return style.fit(f"{line} {style.fit(then)}")


def named(step: Step, timeline: Timeline) -> str:
    what = f"{step.qualname} {step.index}" if step.count == 1 else f"{step.qualname}, {step.count} steps"
    return f"{timeline.tasks[step.task].name} {what}".strip()


def count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
