"""A Timeline as plain columns for the page: names once in a table, times as whole nanoseconds from the first moment."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from loopscope.recording.timeline import CREATED_BY, DELAYED_BY, WOKEN_BY, Step, StepKey, TaskKey, Timeline

#: a column: its values, or the one value that all of them have
Column = list[int] | int


def columns(timeline: Timeline) -> dict[str, Any]:
    """What the page reads (`assets/model.js` is the other side)."""
    return _Writer(timeline).document()


class _Writer:
    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._base = timeline.start
        self._names: dict[str, int] = {"": 0}
        self._processes = {key: number for number, key in enumerate(_process_keys(timeline))}
        self._tasks = {key: number for number, key in enumerate(timeline.tasks)}
        self._steps = sorted((step for step in timeline.steps if step.task in self._tasks), key=lambda s: s.start)
        self._threads = _threads(timeline)
        self._index = _Index(self._steps)

    def document(self) -> dict[str, Any]:
        """All of it; the names last, because everything else fills them."""
        parts = {
            "processes": self._process_rows(),
            "threads": [[self._processes[p], thread, self._name(n)] for (p, thread), (_, n) in self._threads.items()],
            "tasks": self._task_columns(),
            "steps": self._step_columns(),
            "rare": self._rare(),
            "edges": {kind: self._edges(kind) for kind in (WOKEN_BY, DELAYED_BY, CREATED_BY)},
            "foreign": self._foreign(),
            "printed": self._printed(),
            "missing": self._missing(),
            "traces": self._timeline.trace_ids,
        }
        return {"base": self._base / 1e6, "names": list(self._names), **parts}

    def _name(self, text: str) -> int:
        return self._names.setdefault(text, len(self._names))

    def _column(self, texts: Iterable[str]) -> Column:
        return _packed([self._name(text) for text in texts])

    def _process_rows(self) -> list[list[int]]:
        known = self._timeline.processes
        rows = [(key, known.get(key)) for key in self._processes]
        return [
            [self._name(p.service if p else key), p.pid if p else 0, self._name(p.host if p else "")] for key, p in rows
        ]

    def _task_columns(self) -> dict[str, Any]:
        tasks = list(self._timeline.tasks.values())
        names = ("name", "qualname", "state", "function", "place", "error", "awaiting")
        texts = {name: self._column(getattr(task, name) for task in tasks) for name in names}
        numbers = {
            "thread": [self._threads[task.key[0], task.thread][0] for task in tasks],
            "start": [task.start - self._base for task in tasks],
            "length": [max(task.end - task.start, 0) for task in tasks],
            "running": [task.running for task in tasks],
            "ready": [task.ready for task in tasks],
            "waiting": [task.waiting for task in tasks],
            "steps": [task.steps for task in tasks],
            "creator": [self._tasks.get((task.key[0], task.creator), -1) for task in tasks],
        }
        cancels = {number: task.cancel for number, task in enumerate(tasks) if task.cancel}
        spans = [[self._name(trace) for trace, _ in task.spans] for task in tasks]
        return {
            "n": len(tasks),
            **texts,
            **{name: _packed(values) for name, values in numbers.items()},
            "cancel": cancels,
            "traces": spans,
            "spans": [[span for _, span in task.spans] for task in tasks],
        }

    def _step_columns(self) -> dict[str, Any]:
        steps = self._steps
        names = ("qualname", "outcome", "awaiting", "function", "place")
        texts = {name: self._column(getattr(step, name) for step in steps) for name in names}
        wakers = {
            "wakerKind": self._column(step.waker_kind for step in steps),
            "wakerName": self._column(step.waker_name for step in steps),
            "wakerTask": self._column(step.waker_task for step in steps),
            "trace": self._column(step.trace_id for step in steps),
        }
        starts = [step.start - self._base for step in steps]
        numbers = {
            "task": [self._tasks[step.task] for step in steps],
            "index": [step.index for step in steps],
            "count": [step.count for step in steps],
            "thread": [self._threads[step.task[0], step.thread][0] for step in steps],
            # Differences, because they are short, and mostly nothing at all.
            "start": [later - earlier for earlier, later in zip([0, *starts], starts, strict=False)],
            "length": [_length(step) for step in steps],
            "lead": [_lead(step) for step in steps],
            "running": [step.running - _length(step) for step in steps],
            "ready": [step.ready_duration - _lead(step) for step in steps],
        }
        ids = "".join(step.span_id[:16].ljust(16) for step in steps)
        packed = {name: _packed(values) for name, values in numbers.items()}
        return {"n": len(steps), **texts, **wakers, **packed, "span": ids}

    def _rare(self) -> dict[str, list[list[Any]]]:
        """What few steps have, each row beginning with the step's number."""
        rows: dict[str, list[list[Any]]] = {
            name: [] for name in ("delay", "delayed", "stalls", "details", "errors", "unpolled")
        }
        for number, step in enumerate(self._steps):
            if delay := step.delay:
                texts = (delay.name, delay.task, delay.function, delay.place)
                rows["delay"].append([number, delay.duration, delay.steps, *map(self._name, texts)])
            if step.delayed_count:
                rows["delayed"].append([number, step.delayed_count, step.delayed_duration])
            for stall in step.stalls:
                texts_of_stall = (self._name(stall.cause), self._name(stall.stack))
                rows["stalls"].append([number, stall.time - self._base, stall.held, *texts_of_stall])
            if step.details:
                rows["details"].append([number, *(self._name(text) for pair in step.details.items() for text in pair)])
            if step.error:
                rows["errors"].append([number, self._name(step.error)])
            if step.unpolled:
                rows["unpolled"].append([number, step.unpolled])
        return rows

    def _edges(self, kind: str) -> list[list[int]]:
        """Earlier and later steps, by number; an edge from or to a step that is not there is left out."""
        found = [
            (self._index.find(edge.earlier), self._index.find(edge.later))
            for edge in self._timeline.edges
            if edge.kind == kind
        ]
        whole = [(earlier, later) for earlier, later in found if earlier >= 0 and later >= 0 and earlier != later]
        return [[earlier for earlier, _ in whole], [later for _, later in whole]]

    def _foreign(self) -> list[list[Any]]:
        return [
            [
                self._number(span.task), span.start - self._base, max(span.end - span.start, 0),
                *map(self._name, (span.name, span.service, span.kind, span.error, span.trace_id)), span.span_id,
            ]
            for span in sorted(self._timeline.foreign, key=lambda span: span.start)
        ]  # fmt: skip

    def _printed(self) -> list[list[int]]:
        """Time, stream, text, task, step."""
        lines = sorted(self._timeline.printed, key=lambda line: line.time)
        return [
            [
                line.time - self._base,
                self._name(line.stream),
                self._name(line.text),
                self._number(line.task),
                self._index.find((line.task, line.index)) if line.task else -1,
            ]
            for line in lines
        ]

    def _missing(self) -> list[str]:
        lost = len(self._timeline.steps) - len(self._steps)
        more = [f"{lost} steps of tasks that are not in the trace are not drawn"] if lost else []
        return [*self._timeline.missing, *more]

    def _number(self, task: TaskKey | None) -> int:
        return -1 if task is None else self._tasks.get(task, -1)


class _Index:
    """Finds the number of a step, or of the coalesced ones that it is among."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._exact: dict[StepKey, int] = {}
        self._bursts: dict[TaskKey, list[tuple[int, int]]] = {}
        for number, step in enumerate(steps):
            self._exact.setdefault((step.task, step.index), number)
            if step.count > 1:
                self._bursts.setdefault(step.task, []).append((step.index, number))
        for bursts in self._bursts.values():
            bursts.sort()

    def find(self, key: StepKey) -> int:
        """Its number, -1 if it is not there."""
        found = self._exact.get(key)
        if found is not None:
            return found
        task, index = key
        bursts = self._bursts.get(task, [])
        at = bisect_right(bursts, (index, len(self._steps))) - 1
        if at < 0:
            return -1
        first, number = bursts[at]
        return number if index < first + self._steps[number].count else -1


def _packed(values: list[int]) -> Column:
    return values[0] if values and values.count(values[0]) == len(values) else values


def _length(step: Step) -> int:
    return max(step.end - step.start, 0)


def _lead(step: Step) -> int:
    """Nanoseconds from the moment it could run to its start."""
    return max(step.start - step.ready, 0) if step.ready else 0


def _process_keys(timeline: Timeline) -> list[str]:
    return list(dict.fromkeys([*timeline.processes, *(process for process, _ in timeline.tasks)]))


def _threads(timeline: Timeline) -> dict[tuple[str, int], tuple[int, str]]:
    """Number and name of each thread, by process and id."""
    names: dict[tuple[str, int], str] = {}
    for task in timeline.tasks.values():
        key = (task.key[0], task.thread)
        names[key] = names.get(key) or task.thread_name
    for step in timeline.steps:
        if step.task in timeline.tasks:
            names.setdefault((step.task[0], step.thread), "")
    return {key: (number, name) for number, (key, name) in enumerate(names.items())}
