"""A uniform sample of each second's steps: the SDK's histograms cost too much for every one of them."""

from __future__ import annotations

import random
from collections.abc import Iterator

from loopscope.model import Step

#: steps of an interval that are kept at most, and how long it is (nanoseconds)
LIMIT = 100
INTERVAL = 1_000_000_000
#: a notable step is held back so long for its span to be exported
HOLD = 5_000_000_000


class Measured:
    """A step in the sample. Durations are nanoseconds."""

    __slots__ = ("exemplar", "step")

    def __init__(self, step: Step) -> None:
        self.step = step
        #: (trace id, span id) of its span, once that was exported
        self.exemplar: tuple[int, int] | None = None

    @property
    def duration(self) -> int:
        """How long it ran."""
        return self.step.end - self.step.start

    @property
    def ready(self) -> int:
        """How long it was ready before."""
        return self.step.start - self.step.ready


class Sample:
    """Reservoir sampling: of n steps of an interval each is kept with the same chance, LIMIT / n.

    Only slow, delayed and stalled steps may be exemplars. Such a one is held back until `exported` tells where its
    span is; after HOLD it goes without.
    """

    def __init__(self, slow: int, limit: int = LIMIT, seed: int | None = None) -> None:
        self._slow = slow
        self._limit = limit
        self._random = random.Random(seed).random
        self._kept: list[Measured] = []
        self._seen = 0
        self._since: int | None = None
        self._held: list[tuple[int, Measured]] = []
        #: by the id of the step, which they keep alive
        self._awaited: dict[int, Measured] = {}

    def add(self, step: Step) -> None:
        """A step."""
        self._seen += 1
        if len(self._kept) < self._limit:
            measured = Measured(step)
            self._kept.append(measured)
        else:
            place = int(self._random() * self._seen)
            if place >= self._limit:
                return
            del self._awaited[id(self._kept[place].step)]
            measured = self._kept[place] = Measured(step)
        self._awaited[id(step)] = measured

    def exported(self, step: Step, trace_id: int, span_id: int) -> None:
        """The step has a span, and it goes out. Of several the first is taken."""
        measured = self._awaited.get(id(step))
        if measured is not None and measured.exemplar is None:
            measured.exemplar = trace_id, span_id

    def take(self, now: int, all: bool = False) -> Iterator[Measured]:
        """What is to be recorded now. `all`: the present interval ends, and nothing is held back any longer."""
        if self._since is None:
            self._since = now
        if all or now - self._since >= INTERVAL:
            kept, self._kept = self._kept, []
            self._since, self._seen = now, 0
            self._held += [(now, measured) for measured in kept]
        held, self._held = self._held, []
        for since, measured in held:
            step = measured.step
            if not step.exceptional(self._slow):
                measured.exemplar = None
            elif measured.exemplar is None and now - since < HOLD and not all:
                self._held.append((since, measured))
                continue
            del self._awaited[id(step)]
            yield measured
