"""One chapter as lines of text: lanes of threads and tasks over a time axis, and tables below."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from loopscope.recording.timeline import Foreign, Process, Step, Task, TaskKey, Timeline
from loopscope.views.terminal import output, summary, tables, threads
from loopscope.views.terminal.folding import KINDS, fold
from loopscope.views.terminal.lanes import Axis, Lane
from loopscope.views.terminal.style import MANY, NONE, OTHERS, READY, RUNNING, WAITING, Style
from loopscope.views.terminal.text import columns, duration

#: columns of a label, at most
LABEL = 30
#: bars of others' spans
FOREIGN = 24
#: trace ids named
_NAMED = 4


def picture(timeline: Timeline, style: Style) -> Iterator[str]:
    """The lines of a chapter."""
    drawn = _Picture(timeline, style)
    yield style.head(drawn.title())
    yield from drawn.lanes()
    yield ""
    yield from summary.summaries(drawn.folded.shown, style)
    yield from output.lines(timeline, style)
    yield from summary.in_order(timeline, style)
    yield from tables.notable(timeline, style)


class _Picture:
    def __init__(self, timeline: Timeline, style: Style) -> None:
        self._timeline = timeline
        self._style = style
        self.folded = fold(timeline)
        self._steps: dict[TaskKey, list[Step]] = {}
        for step in timeline.steps:
            self._steps.setdefault(step.task, []).append(step)
        self._others: dict[TaskKey | None, list[Foreign]] = {}
        for span in self._bars():
            self._others.setdefault(span.task if span.task in self.folded.letters else None, []).append(span)
        #: where tasks of several processes are drawn, each says whose it is
        self._several = len({key[0] for key in timeline.tasks}) > 1
        self._threads = threads.threads(timeline)
        self._label = self._room()
        self._axis = Axis(timeline.start, timeline.end, max(style.columns - self._label - 3, 8))

    def title(self) -> str:
        """Which traces, and how long they took."""
        ids, took = self._timeline.trace_ids, duration(self._timeline.end - self._timeline.start)
        if len(ids) == 1:
            return f"trace {self._style.fit(ids[0], self._style.columns - len(took) - 8)}  {took}"
        more = ", ..." if len(ids) > _NAMED else ""
        return self._style.fit(f"{len(ids)} traces  {took}  {', '.join(ids[:_NAMED])}{more}")

    def lanes(self) -> Iterator[str]:
        """The lanes."""
        yield self._line("", self._ticks())
        for (process, thread), steps in self._threads.items():
            marks, held = threads.marks(steps, self._axis, self.folded.letters)
            share = 100 * held / max(self._timeline.end - self._timeline.start, 1)
            yield self._line(self._thread(process, thread), self._style.mark(marks))
            if self._style.columns >= 60:
                yield self._line("", f"held {share:.3g} % of the time")
        if self._timeline.printed:
            yield self._line("output", output.marks(self._timeline.printed, self._axis))
        for task in self.folded.shown:
            yield self._line(self._task(task), self._cells([task]))
            yield from self._foreign(self._others.get(task.key, ()))
        yield from self._folded()
        yield from self._foreign(self._others.get(None, ()))
        hidden = len(self._timeline.foreign) - sum(map(len, self._others.values()))
        if hidden > 0:
            yield f"  ... and {hidden} more spans of others"

    def _folded(self) -> Iterator[str]:
        kinds = list(self.folded.folded.items())
        for qualname, tasks in kinds[:KINDS]:
            yield self._line(f"  {len(tasks)} x {qualname}", self._cells(tasks))
        rest = kinds[KINDS:]
        if rest:
            count = sum(len(tasks) for _, tasks in rest)
            yield f"  ... and {count} more tasks of {len(rest)} other kinds"

    def _foreign(self, spans: Iterable[Foreign]) -> Iterator[str]:
        for span in spans:
            cells = [NONE] * self._axis.columns
            for column, _ in self._axis.parts(span.start, span.end):
                cells[column] = OTHERS
            kind = "" if span.kind in ("internal", "unspecified", "") else f" {span.kind}"
            yield self._line(f"    {span.name}{kind}", self._style.cells("".join(cells)))

    def _bars(self) -> list[Foreign]:
        """The longest of others' spans, by start."""
        spans = self._timeline.foreign
        if len(spans) > FOREIGN:
            longest = sorted(spans, key=lambda span: span.start - span.end)[:FOREIGN]
            return sorted(longest, key=lambda span: span.start)
        return spans

    def _cells(self, tasks: Iterable[Task]) -> str:
        lane = Lane(self._axis)
        for task in tasks:
            lane.task(task)
            for step in self._steps.get(task.key, ()):
                lane.step(step)
        return self._style.cells(lane.marks())

    # ------------------------------------------------------------ labels

    def _room(self) -> int:
        labels = [self._task(task) for task in self.folded.shown]
        labels += [f"  {len(tasks)} x {qualname}" for qualname, tasks in list(self.folded.folded.items())[:KINDS]]
        labels += [self._thread(*thread) for thread in self._threads]
        labels += [f"    {span.name} {span.kind}" for spans in self._others.values() for span in spans]
        longest = max((columns(self._style.fit(label, LABEL)) for label in labels), default=0)
        return min(longest, max(self._style.columns // 3, 10))

    def _line(self, label: str, cells: str) -> str:
        return f"  {self._style.pad(label, self._label)} {cells}".rstrip()

    def _task(self, task: Task) -> str:
        """Its letter, qualname and name; where there is little room the qualname is cut first."""
        end = f" {task.name}" + (f" {_of(self._timeline.processes[task.key[0]])}" if self._several else "")
        room = min(max(self._style.columns // 3, 10), LABEL)
        kept = room - 2 - columns(self._style.fit(end, room))
        return f"{self.folded.letters[task.key]} {self._style.fit(task.qualname, max(kept, 4))}{end}"

    def _thread(self, process: str, thread: int) -> str:
        names = {task.thread_name for task in self._timeline.tasks.values()
                 if task.key[0] == process and task.thread == thread and task.thread_name}  # fmt: skip
        said = min(names, default="") or f"thread {thread}"
        return f"{said} {_of(self._timeline.processes[process])}" if self._several else said

    def _ticks(self) -> str:
        """When the columns are, as often as there is room."""
        axis, line = self._axis, "0"
        step = _round((axis.end - axis.start) * 10 // axis.columns)
        for time in range(step, axis.end - axis.start, step):
            column, said = axis.at(axis.start + time), duration(time).replace(".0 ", " ")
            if len(line) < column and column + len(said) <= axis.columns:
                line = line.ljust(column) + said
        return line


def _round(least: int) -> int:
    """1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power >= least:
                return factor * power
        power *= 10


def _of(process: Process) -> str:
    """A process in a word."""
    return f"{process.service}[{process.pid}]" if process.pid else process.service


def legend(timeline: Timeline, style: Style) -> Iterator[str]:
    """What the marks mean."""
    said = [
        "a, b, c hold the thread",
        f"{RUNNING} running",
        f"{READY} ready, waits for the thread",
        f"{WAITING} waiting",
    ]
    if any(step.count > 1 for step in timeline.steps):
        said.append(f"{MANY} many short steps")
    if timeline.foreign:
        said.append(f"{OTHERS} spans of others")
    line = ""
    for part in said:
        longer = f"{line}  {part}" if line else part
        if columns(longer) > style.columns:
            yield style.mark(line)
            longer = part
        line = longer
    yield style.mark(line)
