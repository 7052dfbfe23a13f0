"""The seam between sources and views: one Timeline, which sources fill and views draw. Times are Unix nanoseconds.

Sources (a trace file, Jaeger, Tempo) know nothing of drawing; views know nothing of spans.
"""

from __future__ import annotations

from dataclasses import dataclass, field

#: a task: (key of its process, its id there)
TaskKey = tuple[str, int]
#: a step: its task and its index
StepKey = tuple[TaskKey, int]

#: kinds of edges
WOKEN_BY, DELAYED_BY, CREATED_BY = "woken_by", "delayed_by", "created_by"


@dataclass(frozen=True, slots=True)
class Process:
    """A process that sent spans."""

    key: str
    service: str
    pid: int
    host: str = ""


@dataclass(frozen=True, slots=True)
class Delay:
    """What kept a ready task from running: the step, burst or callback that held the thread longest meanwhile."""

    name: str
    duration: int
    task: str = ""
    #: steps of a burst, 1 for one step or callback
    steps: int = 1
    function: str = ""
    #: file:line
    place: str = ""


@dataclass(frozen=True, slots=True)
class Stall:
    """A look that the watchdog took while a step held the thread."""

    time: int
    cause: str
    #: nanoseconds that it had lasted
    held: int
    stack: str


@dataclass(slots=True)
class Step:
    """One step, or `count` coalesced ones. `ready` is since when it could run; `running` and `waited` are sums."""

    task: TaskKey
    index: int
    count: int
    qualname: str
    thread: int
    loop: int
    ready: int
    start: int
    end: int
    #: nanoseconds: end - start, or the sum over coalesced steps
    running: int
    #: nanoseconds ready but not running, likewise
    ready_duration: int
    outcome: str
    awaiting: str = ""
    function: str = ""
    #: file:line of its await point
    place: str = ""
    waker_kind: str = ""
    waker_name: str = ""
    waker_task: str = ""
    error: str = ""
    unpolled: int = 0
    delay: Delay | None = None
    #: how many tasks it kept waiting, and for how long together (nanoseconds)
    delayed_count: int = 0
    delayed_duration: int = 0
    stalls: list[Stall] = field(default_factory=list)
    #: attributes of asyncio.wait.*, as texts
    details: dict[str, str] = field(default_factory=dict)
    trace_id: str = ""
    span_id: str = ""


@dataclass(slots=True)
class Task:
    """One task, over all its spans: visits, segments. Durations are nanoseconds."""

    key: TaskKey
    name: str
    qualname: str
    start: int
    end: int
    state: str
    running: int
    ready: int
    waiting: int
    #: how many steps it took, also those that have no span
    steps: int
    thread: int = 0
    thread_name: str = ""
    loop: int = 0
    function: str = ""
    place: str = ""
    creator: int = 0
    error: str = ""
    awaiting: str = ""
    cancel: dict[str, str] = field(default_factory=dict)
    #: (trace id, span id) of its spans
    spans: list[tuple[str, str]] = field(default_factory=list)
    #: (start, end) of each of them: between two nothing is known of it
    visits: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Foreign:
    """Somebody else's span (an HTTP server's, a database client's), or an executor's run."""

    name: str
    start: int
    end: int
    #: the task that it ran in, as far as that is known
    task: TaskKey | None
    service: str
    kind: str
    error: str
    trace_id: str
    span_id: str
    parent_id: str
    #: the thread of an executor's run, and for how long it was queued there
    thread: int = 0
    thread_name: str = ""
    queued: int = 0


@dataclass(frozen=True, slots=True)
class Edge:
    """One step caused something in another: `later` was woken or delayed by `earlier`."""

    kind: str
    earlier: StepKey
    later: StepKey


@dataclass(frozen=True, slots=True)
class Printed:
    """A line that a step printed."""

    time: int
    #: stdout or stderr
    stream: str
    text: str
    task: TaskKey | None
    index: int


@dataclass(slots=True)
class Timeline:
    """What one or several traces hold."""

    processes: dict[str, Process] = field(default_factory=dict)
    #: by key, in order of their start
    tasks: dict[TaskKey, Task] = field(default_factory=dict)
    #: by start
    steps: list[Step] = field(default_factory=list)
    foreign: list[Foreign] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    printed: list[Printed] = field(default_factory=list)
    trace_ids: list[str] = field(default_factory=list)
    #: what is missing, in sentences: lines that could not be read, spans that were dropped or cut
    missing: list[str] = field(default_factory=list)

    @property
    def start(self) -> int:
        """The earliest moment, 0 where there is none."""
        return min([t.start for t in self.tasks.values()] + [f.start for f in self.foreign], default=0)

    @property
    def end(self) -> int:
        """The latest moment."""
        return max([t.end for t in self.tasks.values()] + [f.end for f in self.foreign], default=0)
