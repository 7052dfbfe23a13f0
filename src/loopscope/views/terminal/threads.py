"""The lane of a thread: who holds it in each piece of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from loopscope.recording.timeline import Step, TaskKey, Timeline
from loopscope.views.terminal.lanes import Axis
from loopscope.views.terminal.style import NONE, RUNNING

#: a process and a thread of it
Thread = tuple[str, int]


def threads(timeline: Timeline) -> dict[Thread, list[Step]]:
    """The steps of each thread, by start; coalesced ones are left out: nobody knows when exactly they ran."""
    found: dict[Thread, list[Step]] = {}
    for step in timeline.steps:
        if step.count == 1:
            found.setdefault((step.task[0], step.thread), []).append(step)
    return found


def held(steps: Iterable[Step]) -> Iterator[tuple[int, int, Step]]:
    """(start, end, step) of the innermost step at each moment, for steps of one thread by start."""
    open_: list[Step] = []
    cursor = 0

    def close(until: int) -> Iterator[tuple[int, int, Step]]:
        nonlocal cursor
        while open_ and open_[-1].end <= until:
            step = open_.pop()
            if step.end > cursor or step.end == step.start:
                yield max(min(cursor, step.end), step.start), step.end, step
            cursor = max(cursor, step.end)

    for step in steps:
        yield from close(step.start)
        if open_ and step.start > cursor:
            yield cursor, step.start, open_[-1]
        cursor = max(cursor, step.start)
        open_.append(step)
    if open_:
        yield from close(max(step.end for step in open_))


def marks(steps: Iterable[Step], axis: Axis, letters: Mapping[TaskKey, str]) -> tuple[str, int]:
    """The cells, each with the letter of the task that held the thread longest in it; and how long it was held."""
    longest: list[dict[str, int]] = [{} for _ in range(axis.columns)]
    total = 0
    for start, end, step in held(steps):
        total += end - start
        letter = letters.get(step.task, RUNNING)
        for column, part in axis.parts(start, end):
            cell = longest[column]
            cell[letter] = cell.get(letter, 0) + part
    return "".join(max(cell, key=lambda letter: cell[letter]) if cell else NONE for cell in longest), total
