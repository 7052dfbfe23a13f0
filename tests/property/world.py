"""A simulated loop: random tasks, spans and rounds of the background thread, as records and pulses tell them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from loopscope.model import CANCELLED, RAISED, RETURNED, SUSPENDED, YIELD, YIELDED, Record
from tests.records import MS, SECOND, Cold, Identity, Pulse, birth, gone, span_end, span_start, step


@dataclass
class Sim:
    """A task of the world."""

    id: int
    current: Identity | None
    pulse: Pulse = field(default_factory=Pulse)
    index: int = 0
    ready: int = 0
    yielded: bool = False
    #: local spans that it opened, and what was current before each
    opened: list[tuple[Identity, Identity | None]] = field(default_factory=list)


class World:
    """Steps, one thread, and a cold side that looks at it now and then."""

    def __init__(self, seed: int, cold: Cold, unsampled: bool = False, long: bool = True) -> None:
        self.random = Random(seed)
        self.cold = cold
        self.unsampled = unsampled
        #: whether minutes may pass
        self.long = long
        self.now = SECOND
        self.queue: deque[Record] = deque()
        self.tasks: list[Sim] = []
        self.waiting: list[Sim] = []
        self.ready: list[Sim] = []
        self.open: list[Identity] = []
        #: (task, index) -> (start, end) of recorded steps
        self.recorded: dict[tuple[int, int], tuple[int, int]] = {}
        self.application: dict[int, set[int]] = {}
        self.hidden: set[int] = set()
        self.ended: set[int] = set()
        self._ids = 0

    def run(self, turns: int) -> World:
        """Let it live, then end it."""
        for _ in range(turns):
            self.turn()
        self.drain()
        self.cold.finish(self.now)
        return self

    def turn(self) -> None:
        """One thing happens."""
        pick = self.random.random()
        if self.ready and pick < 0.6:
            self.step(self.ready.pop(0))
        elif pick < 0.75 and self.waiting:
            self.wake(self.waiting.pop(self.random.randrange(len(self.waiting))))
        elif pick < 0.8 and self.room():
            self.ready.append(self.create(0, None))
        elif pick < 0.83 and self.waiting:
            sim = self.waiting.pop(self.random.randrange(len(self.waiting)))
            self.put(gone(sim.id, self.now, sim.pulse.muted))
            self.ended.add(sim.id)
        elif pick < 0.9:
            self.round()
        elif self.long and pick < 0.93:
            self.now += self.random.choice((1, 6, 31, 61, 130)) * SECOND
        else:
            self.pass_time()

    # ------------------------------------------------------------ the loop

    def room(self) -> bool:
        return len(self.tasks) - len(self.ended) < 12

    def pass_time(self) -> None:
        self.now += self.random.choice((0, 1, 1_000, MS // 2, 3 * MS, 300 * MS))

    def put(self, record: Record) -> None:
        self.queue.append(record)

    def create(self, creator: int, span: Identity | None, creator_step: int = 0) -> Sim:
        self._ids += 1
        sim = Sim(self._ids, span, ready=self.now)
        sim.pulse.ready = self.now
        self.tasks.append(sim)
        self.put(birth(sim.id, self.now, f"work{sim.id % 3}", creator, creator_step, span, sim.pulse))
        return sim

    def wake(self, sim: Sim) -> None:
        sim.ready = sim.pulse.ready = self.now
        self.ready.append(sim)

    def step(self, sim: Sim, depth: int = 0) -> None:
        """Run a task up to its next suspension."""
        pulse, start, before = sim.pulse, self.now, sim.current
        muted = pulse.muted
        pulse.ready, pulse.started = 0, start
        activated: list[Identity] = []
        for _ in range(self.random.choice((0, 0, 1, 1, 2, 4))):
            self.pass_time()
            self.act(sim, activated, depth)
        self.pass_time()
        outcome = self.random.choice((SUSPENDED, SUSPENDED, SUSPENDED, YIELDED, YIELDED, RETURNED, RAISED, CANCELLED))
        state = outcome if outcome not in (SUSPENDED, YIELDED) else None
        pulse.started = 0
        if not muted:
            self.recorded[sim.id, sim.index] = start, self.now
            self.put(
                step(
                    sim.id,
                    sim.index,
                    0 if sim.yielded else sim.ready,
                    start,
                    self.now,
                    state,
                    outcome,
                    before,
                    activated,
                    sim.current,
                    kind=YIELD if sim.yielded else "task",
                    error="ValueError" if state == RAISED else None,
                )  # fmt: skip
            )
        elif state:
            self.put(gone(sim.id, self.now, True))
        sim.index += 1
        pulse.index += 1
        sim.yielded = outcome == YIELDED
        if state:
            self.ended.add(sim.id)
        elif sim.yielded:
            self.wake(sim)
        else:
            self.waiting.append(sim)

    def act(self, sim: Sim, activated: list[Identity], depth: int) -> None:
        """Something that a step does."""
        pick = self.random.random()
        if pick < 0.25 and self.room():
            child = self.create(sim.id, sim.current, sim.index)
            if self.random.random() < 0.4 and depth < 4:
                self.step(child, depth + 1)
            else:
                self.ready.append(child)
        elif pick < 0.45:
            self.start_span(sim, activated)
        elif pick < 0.65 and sim.opened:
            identity, sim.current = sim.opened.pop()
            if identity.trace_flags:
                self.put(span_end(identity.trace_id, self.now))
            self.open.remove(identity)
        elif pick < 0.75:
            self._ids += 1
            trace = self._ids if self.random.random() < 0.5 or sim.current is None else sim.current.trace_id
            sim.current = self.identity(trace, remote=True)
            activated.append(sim.current)
        elif pick < 0.85 and self.open:
            sim.current = self.random.choice(self.open)
            activated.append(sim.current)
        elif pick < 0.9:
            sim.current = None

    def start_span(self, sim: Sim, activated: list[Identity]) -> None:
        parent = sim.current
        self._ids += 1
        identity = self.identity(parent.trace_id if parent is not None else self._ids)
        if identity.trace_flags:
            self.put(span_start(identity.trace_id, self.now))
        self.open.append(identity)
        sim.opened.append((identity, parent))
        sim.current = identity
        activated.append(identity)

    def identity(self, trace: int, remote: bool = False) -> Identity:
        if trace not in self.application:
            self.application[trace] = set()
            if self.unsampled and self.random.random() < 0.5:
                self.hidden.add(trace)
        self._ids += 1
        self.application[trace].add(self._ids)
        return Identity(trace, self._ids, remote, 0 if trace in self.hidden else 1)

    # ------------------------------------------------------------ the background thread

    def drain(self) -> None:
        while self.queue:
            self.cold.feed(self.queue.popleft())

    def round(self) -> None:
        """A round; sometimes the loop goes on between the records and what time brings."""
        now = self.now
        self.drain()
        late = self.random.random() < 0.5
        while late and self.random.random() < 0.7:
            if self.ready:
                self.step(self.ready.pop(0))
            self.pass_time()
        if self.random.random() < 0.6:
            self.cold.sweep(now)
        else:
            self.cold.tick(now)
