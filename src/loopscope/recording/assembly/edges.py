"""Which step caused what in which other: from links, and from names where a backend dropped the links."""

from __future__ import annotations

from collections.abc import Iterator

from loopscope import conventions as c
from loopscope.recording.assembly.kinds import Sorted
from loopscope.recording.assembly.occupancy import Occupancy
from loopscope.recording.assembly.steps import Steps
from loopscope.recording.assembly.tasks import Tasks
from loopscope.recording.spans import Span, text
from loopscope.recording.timeline import CREATED_BY, DELAYED_BY, WOKEN_BY, Edge, Step, Task, Timeline

_KINDS = {c.WOKEN_BY: WOKEN_BY, c.DELAYED_BY: DELAYED_BY}


def edges(spans: Sorted, tasks: Tasks, steps: Steps, timeline: Timeline, occupancy: Occupancy) -> list[Edge]:
    """All edges, each once, in the order of the steps that they lead to."""
    finder = _Finder(timeline, occupancy)
    found: dict[Edge, None] = {}
    for span in spans.steps:
        later = steps.by_place[span.trace_id, span.span_id]
        for kind, earlier in _linked(span, later, steps, timeline):
            _add(found, kind, earlier, later)
    have = {(edge.kind, edge.later) for edge in found}
    for later in timeline.steps:
        key = later.task, later.index
        if (WOKEN_BY, key) not in have and later.waker_task:
            _add(found, WOKEN_BY, finder.ran(later.task[0], later.waker_task, later.ready), later)
        if later.index == 0 and later.count == 1:
            _add(found, CREATED_BY, finder.creator(timeline.tasks[later.task]), later)
    order = {(step.task, step.index): at for at, step in enumerate(timeline.steps)}
    return sorted(found, key=lambda edge: (order[edge.later], edge.kind, order[edge.earlier]))


def _add(found: dict[Edge, None], kind: str, earlier: Step | None, later: Step) -> None:
    if earlier is not None and earlier is not later:
        found[Edge(kind, (earlier.task, earlier.index), (later.task, later.index))] = None


def _linked(span: Span, later: Step, steps: Steps, timeline: Timeline) -> Iterator[tuple[str, Step]]:
    for link in span.links:
        earlier = steps.by_place.get((link.trace_id, link.span_id))
        if earlier is None:
            continue
        if c.LINK in link.attributes:
            kind = _KINDS.get(text(link.attributes, c.LINK))
            if kind is not None:
                yield kind, earlier
        else:
            for kind in _guessed(timeline.tasks[earlier.task].name, earlier, later):
                yield kind, earlier


def _guessed(name: str, earlier: Step, later: Step) -> Iterator[str]:
    """What a link without attributes can mean: Jaeger's own API does not give them."""
    if later.waker_task == name and earlier.start <= later.ready:
        yield WOKEN_BY
    if later.delay is not None and later.delay.task == name and earlier.end > later.ready:
        yield DELAYED_BY


class _Finder:
    """Finds steps by the name of their task and a moment."""

    def __init__(self, timeline: Timeline, occupancy: Occupancy) -> None:
        self._timeline = timeline
        self._occupancy = occupancy

    def ran(self, process: str, name: str, time: int) -> Step | None:
        """The only step of a task of that name that ran then."""
        found = [step for step in self._running(process, time) if self._timeline.tasks[step.task].name == name]
        return found[0] if len(found) == 1 else None

    def creator(self, task: Task) -> Step | None:
        """The step that created a task."""
        key = task.key[0], task.creator
        if key not in self._timeline.tasks:
            return None
        return next((step for step in self._running(key[0], task.start) if step.task == key), None)

    def _running(self, process: str, time: int) -> Iterator[Step]:
        for thread in self._occupancy.threads(process):
            yield from self._occupancy.running(process, thread, time)
