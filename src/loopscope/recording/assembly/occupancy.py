"""Who ran at a moment: a look-up over all steps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate

from loopscope.recording.timeline import Step

#: a process and a thread of it
Thread = tuple[str, int]


class _Line:
    """The steps of one thread by start, and how far those up to each of them reach."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps
        self.starts = [step.start for step in steps]
        self.reach = list(accumulate((step.end for step in steps), max))


class Occupancy:
    """The steps of each thread; coalesced ones are left out, because nobody knows when exactly they ran."""

    def __init__(self, steps: Iterable[Step]) -> None:
        """Steps by start."""
        found: dict[Thread, list[Step]] = {}
        for step in steps:
            if step.count == 1:
                found.setdefault((step.task[0], step.thread), []).append(step)
        self._lines = {thread: _Line(own) for thread, own in found.items()}

    def threads(self, process: str) -> Iterator[int]:
        """The threads of a process that ran steps."""
        return (thread for of, thread in self._lines if of == process)

    def running(self, process: str, thread: int, time: int) -> Iterator[Step]:
        """The steps that ran then, innermost first."""
        line = self._lines.get((process, thread))
        if line is None:
            return
        at = bisect_right(line.starts, time) - 1
        while at >= 0 and line.reach[at] >= time:
            if line.steps[at].end >= time:
                yield line.steps[at]
            at -= 1
