"""Steps that do little else than create tasks: the making of a burst is a part of it. Pure."""

from __future__ import annotations

from loopscope.model import Place, Step, TaskLife
from loopscope.pipeline.recent import Recent

#: a burst has at least so many tasks
_FEWEST = 4
#: tasks that are created further apart are not created for the sake of a burst: something else is done between
#: (nanoseconds)
_APART = 200_000
#: a step that creates tasks for this part of its time does little else
_PART = 2
#: creating tasks that are remembered
_MAKERS = 1024


class _Making:
    """The tasks that one step created."""

    __slots__ = ("count", "last", "place", "spent", "step")

    def __init__(self, step: int, last: int) -> None:
        self.step = step
        self.count = 0
        #: when the last was created, and the time from one to the next, added up
        self.last = last
        self.spent = 0
        #: the last one's
        self.place: Place | None = None


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
            making = _Making(life.creator_step, life.born)
            self._making.put(life.creator, making)
        pause = life.born - making.last
        if pause < _APART:
            making.spent += pause
        making.last = life.born
        making.count += 1
        making.place = life.place

    def made_by(self, life: TaskLife, step: Step) -> Place | None:
        """The task function of the burst that this step made, None where it made none."""
        making = self._making.get(life.id)
        if making is None or making.step != step.index or making.count < _FEWEST:
            return None
        return making.place if making.spent * _PART > step.end - step.start else None
