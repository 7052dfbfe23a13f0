"""Random records of a few loops' tasks, most of them of ordinary steps: every way in which one may be so, or just not."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from loopscope.model import (
    APPLICATION,
    BIRTH,
    CALLBACK,
    CANCEL,
    CANCELLED,
    HANDOFF,
    IO,
    LIBRARY,
    RAISED,
    RETURNED,
    START,
    STEP,
    SUSPENDED,
    TASK,
    THREAD,
    TIMER,
    YIELD,
    YIELDED,
    CancelRequest,
    Handoff,
    Place,
    Record,
    Wait,
)
from tests.records import (
    MS,
    SECOND,
    Identity,
    Pulse,
    birth,
    collection,
    gone,
    look,
    polled,
    printed,
    span_end,
    span_start,
    where,
)

PLACES = [
    Place(None, "app", f"work{number}", origin, public)
    for number, (origin, public) in enumerate([(APPLICATION, "app.work"), (LIBRARY, "lib.work"), (APPLICATION, "")])
]
LOCK = Wait("asyncio.Lock.acquire", (("asyncio.wait.place", "app.py:1"), ("asyncio.wait.waiters", 2)))
AWAITED: list[Any] = [
    "asyncio.sleep", "asyncio.gather", "asyncio.wait", "future", *PLACES, LOCK, Wait(PLACES[0], ()), "\ud800",
]  # fmt: skip
WHERES = [where(1), where(2)]


class Task:
    """A living task."""

    def __init__(self, id: int, thread: int, trace: Identity | None) -> None:
        self.id, self.thread, self.span = id, thread, trace
        self.pulse = Pulse()
        self.index = 0
        self.name = f"Task-{id}"


class Stream:
    """Draw from it. `strange`: the share of what is not ordinary."""

    def __init__(self, seed: int, strange: float, loops: bool) -> None:
        self._random = Random(seed)
        self._strange = strange
        #: whether the first loop shows its looks at the selector
        self._shows = loops
        self.now = SECOND
        self._tasks: list[Task] = []
        self._ids = 0
        self._traces: list[Identity] = []

    def draw(self, count: int) -> Iterator[Record]:
        """So many things happen."""
        for _ in range(count):
            if self._random.random() < self._strange or len(self._tasks) < 3:
                yield from self._happens()
            elif self._random.random() < 0.1:
                yield from self._brief()
            else:
                yield self._step(self._random.choice(self._tasks))

    def _happens(self) -> Iterator[Record]:
        pick, task = self._random.random(), self._random.choice(self._tasks) if self._tasks else None
        if pick < 0.3 or task is None:
            if len(self._tasks) < 12:
                yield from self._create()
        elif pick < 0.6:
            yield self._step(task, strange=True)
        elif pick < 0.65:
            self._tasks.remove(task)
            yield gone(task.id, self.now, task.pulse.muted)
        elif pick < 0.7:
            yield polled((self.now, self.now + 1000), task.thread)
        elif pick < 0.75:
            yield printed(task.id, task.index, self.now, "line")
        elif pick < 0.8:
            yield look(task.id, task.index, self.now, self.now + MS, thread=task.thread)
        elif pick < 0.83:
            yield collection(self.now, self.now + MS)
        elif pick < 0.86 and self._traces:
            trace = self._random.choice(self._traces)
            yield self._random.choice((span_start, span_end))(trace.trace_id, self.now)
        elif pick < 0.89:
            yield (HANDOFF, Handoff(task.id, task.index, "f", self.now, self.now, self.now + 5, 9, "pool", None))
        else:
            self.now += self._random.choice((MS, SECOND, 7 * SECOND, 61 * SECOND))

    def _create(self) -> Iterator[Record]:
        self._ids += 1
        span = None
        if self._random.random() < 0.4:
            span = self._identity()
            yield span_start(span.trace_id, self.now)
        creator = self._random.choice(self._tasks) if self._tasks and self._random.random() < 0.5 else None
        by = (0, 0) if creator is None else (creator.id, creator.index)
        task = Task(self._ids, self._random.choice((1, 2)), span)
        self._tasks.append(task)
        made = list(birth(task.id, self.now, "work", *by, span, task.pulse))
        made[5] = self._random.choice(PLACES)
        yield tuple(made)
        yield self._step(task, START)

    def _brief(self) -> Iterator[Record]:
        """A task that takes a few plain steps, one after the other, some of them late, and ends."""
        self._ids += 1
        task, place = Task(self._ids, self._random.choice((1, 2)), None), self._random.choice(PLACES)
        yield (BIRTH, task.id, self.now, task.pulse, task.name, place, 0, 0, None, False)
        last = self._random.randrange(4)
        for index in range(last + 1):
            self.now += self._random.choice((0, 0, 0, 2 * MS))
            yield self._step(task, "" if index else START, RETURNED if index == last else None)

    def _identity(self) -> Identity:
        self._ids += 1
        state = self._random.choice((None, (), ("a=b",)))
        self._traces.append(
            Identity(
                1 << 100 | self._ids, self._ids, self._random.random() < 0.2, int(self._random.random() < 0.8), state
            )
        )
        return self._traces[-1]

    def _step(self, task: Task, kind: str = "", ending: str | None = None, strange: bool = False) -> Record:
        chance = self._random
        ready = self.now - chance.choice((0, 0, 0, 300_000, 3 * MS))
        self.now += chance.choice((0, 0, 200, 40_000)) if not strange else chance.choice((0, 2 * MS, 300 * MS))
        start = self.now
        self.now += chance.choice((0, 300, 5_000, 90_000)) if not strange else chance.choice((10, 2 * MS, 200 * MS))
        end = self.now
        self.now += chance.choice((0, 100, 30_000, MS // 2))
        kind = kind or chance.choice((TASK, TASK, TIMER, IO, THREAD, CALLBACK, YIELD))
        other = chance.choice(self._tasks)
        waker, waker_step, name = (
            (other.id, other.index - chance.choice((0, 1, 1, 1)), None) if kind in (TASK, IO) else (0, 0, None)
        )
        if kind == IO and chance.random() < 0.7:
            waker, waker_step = 0, chance.choice((-1, 0, 500, 10_000, 10 * MS))
        if kind == CALLBACK:
            name = chance.choice((None, "callback"))
        outcome = ending or chance.choice((SUSPENDED, SUSPENDED, YIELDED))
        activated, after, state, error, index = None, task.span, ending, None, task.index
        if strange:
            pick = chance.random()
            if pick < 0.2:
                activated = [self._identity()]
                after = chance.choice((activated[0], task.span, None))
            elif pick < 0.3:
                after = chance.choice((None, *self._traces))
            elif pick < 0.45:
                state = outcome = chance.choice((RETURNED, RAISED, CANCELLED))
                error = "ValueError" if state == RAISED else None
                self._tasks.remove(task)
            elif pick < 0.55:
                kind, name = CANCEL, CancelRequest("canceller", None, 0, None)
            elif pick < 0.65:
                index += chance.choice((-1, 1, 2))
            elif pick < 0.7:
                error = "KeyError"
            elif pick < 0.8:
                start -= MS
            elif pick < 0.85:
                task.name = f"renamed {index}"
        span, task.span, task.index = task.span, after, max(task.index, index) + 1
        task.pulse.index = task.index
        looks: tuple[int, ...] | None = None
        if self._shows and task.thread == 1:
            looks = chance.choice(
                ((), (), (start - 50, start - 20), (start - 9_000, start - 8_000, start - 100, start + 5))
            )
        record = (
            STEP, task.id, index, WHERES[task.thread - 1],
            (0 if kind in (START, YIELD) else ready, kind, waker, waker_step, name), start, end, outcome,
            chance.choice(AWAITED) if outcome == SUSPENDED else None,
            chance.choice((None, *PLACES)), chance.choice((-1, 4)), span, activated, after, task.name, state, error, looks,
        )  # fmt: skip
        return record
