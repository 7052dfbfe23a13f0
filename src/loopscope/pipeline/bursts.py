"""Steps that do little else than create tasks: the making of a burst is a part of it. Pure."""

from __future__ import annotations

from loopscope.model import Place, Step, TaskLife
from loopscope.pipeline.recent import Recent

#: it is about so many tasks at least: a step that makes fewer is to blame by its own name
_FEWEST = 256
#: where a step takes longer than this for each task that it creates, it does something else too (nanoseconds)
_EACH = 200_000
#: likewise where this part of it comes before the first task, or after the last. Between two it may be longer: a burst
#: has the garbage collector come, and what was recorded of it wants the GIL
_PART = 2
#: creating tasks that are remembered
_MAKERS = 1024


class _Making:
    """The tasks that one step created."""

    __slots__ = ("count", "first", "last", "place", "step")

    def __init__(self, life: TaskLife) -> None:
        self.step = life.creator_step
        self.count = 0
        #: when the first and the last were created
        self.first = self.last = life.born
        #: the last one's
        self.place = life.place


class Bursts:
    """Knows which steps make bursts. A task's birth is told before the step that creates it."""

    def __init__(self) -> None:
        #: by the creating task
        self._making: Recent[int, _Making] = Recent(_MAKERS)

    def born(self, life: TaskLife) -> None:
        """A task was created."""
        if not life.creator:
            return
        making = self._making.get(life.creator)
        if making is None or making.step != life.creator_step:
            making = _Making(life)
            self._making.put(life.creator, making)
        making.last = life.born
        making.count += 1
        making.place = life.place

    def made_by(self, life: TaskLife, step: Step) -> Place | None:
        """The task function of the burst that this step made, None where it made none."""
        making = self._making.get(life.id)
        if making is None or making.step != step.index or making.count < _FEWEST:
            return None
        length = step.end - step.start
        aside = max(making.first - step.start, step.end - making.last)
        return making.place if length <= making.count * _EACH and aside * _PART <= length else None
