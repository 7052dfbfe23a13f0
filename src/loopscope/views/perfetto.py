"""A Timeline as trace-event JSON, which Perfetto (ui.perfetto.dev) and chrome://tracing open.

A process each; in it a track a thread with the steps that held it, and a track a task with its life, its steps and
the time it was ready. Wakes are flows between tracks of tasks; stalls and printed lines are instants on threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from loopscope.recording.timeline import WOKEN_BY, Edge, Foreign, Step, StepKey, Task, TaskKey, Timeline

Event = dict[str, Any]

#: track numbers of tasks begin here, after those of threads
_TASKS = 1000


def trace_events(timeline: Timeline) -> dict[str, Any]:
    """The document. Its times are microseconds from the Timeline's first moment, which `otherData` has."""
    return {
        "traceEvents": list(_Tracks(timeline).events()),
        "displayTimeUnit": "ms",
        "otherData": {"start_unix_nano": str(timeline.start), "trace_ids": " ".join(timeline.trace_ids)},
    }


class _Tracks:
    """Numbers for processes and tracks, and the events on them."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._start = timeline.start
        self._pids = _pids(timeline)
        self._threads: dict[tuple[str, int], int] = {}
        for step in timeline.steps:
            self._threads.setdefault((step.task[0], step.thread), len(self._threads) + 1)
        first = max(_TASKS, len(self._threads) + 1)
        self._tasks = {key: first + at for at, key in enumerate(timeline.tasks)}

    def events(self) -> Iterator[Event]:
        """All of them."""
        yield from self._names()
        for task in self._timeline.tasks.values():
            yield self._complete(self._on(task.key), f"task {task.qualname}", task.start, task.end, _of_task(task))
        yield from self._steps_of_tasks()
        yield from self._steps_of_threads()
        for step in self._timeline.steps:
            yield from self._stalls(step)
        yield from self._printed()
        for number, span in enumerate(self._timeline.foreign):
            yield from self._foreign(number, span)
        yield from self._wakes()

    # ------------------------------------------------------------ tracks

    def _names(self) -> Iterator[Event]:
        for key, pid in self._pids.items():
            process = self._timeline.processes[key]
            yield _name("process_name", pid, 0, process.service or key)
        for (process_key, thread), tid in self._threads.items():
            tasks = self._timeline.tasks.values()
            known = (t.thread_name for t in tasks if t.key[0] == process_key and t.thread == thread and t.thread_name)
            yield _name("thread_name", self._pids[process_key], tid, next(known, f"thread {thread}"))
        for task_key, tid in self._tasks.items():
            task = self._timeline.tasks[task_key]
            yield _name("thread_name", self._pids[task_key[0]], tid, f"{task.qualname} {task.name}".strip())
            yield {**_name("thread_sort_index", self._pids[task_key[0]], tid, ""), "args": {"sort_index": tid}}

    def _on(self, task: TaskKey) -> Event:
        return {"pid": self._pids[task[0]], "tid": self._tasks[task]}

    def _thread(self, step: Step) -> Event:
        return {"pid": self._pids[step.task[0]], "tid": self._threads[step.task[0], step.thread]}

    # ------------------------------------------------------------ what happened

    def _complete(self, track: Event, name: str, start: int, end: int, args: Event) -> Event:
        return {
            "ph": "X", "name": name, "cat": "loopscope", **track, "ts": self._at(start),
            "dur": (max(end, start) - start) / 1000, "args": args,
        }  # fmt: skip

    def _at(self, time: int) -> float:
        return max(time - self._start, 0) / 1000

    def _steps_of_tasks(self) -> Iterator[Event]:
        """On a task's track a step never begins before the one before it has ended."""
        until: dict[TaskKey, int] = {}
        for step in self._timeline.steps:
            track, free = self._on(step.task), until.get(step.task, 0)
            start = max(step.start, free)
            ready = max(step.ready, free, self._timeline.tasks[step.task].start)
            if step.count == 1 and ready < start:
                yield self._complete(track, "ready", ready, start, _of_ready(step))
            yield self._complete(track, _title(step), start, step.end, _of_step(step))
            until[step.task] = max(step.end, start)

    def _steps_of_threads(self) -> Iterator[Event]:
        """On a thread's track a step is within another or after it; nobody knows when coalesced ones ran."""
        open_: dict[tuple[str, int], list[int]] = {}
        for step in self._timeline.steps:
            if step.count > 1:
                continue
            ends = open_.setdefault((step.task[0], step.thread), [])
            while ends and ends[-1] <= step.start:
                ends.pop()
            end = min([step.end, *ends[-1:]])
            ends.append(end)
            yield self._complete(self._thread(step), _title(step), step.start, end, _of_step(step))

    def _instant(self, track: Event, name: str, time: int, args: Event) -> Event:
        return {"ph": "i", "s": "t", "name": name, "cat": "loopscope", **track, "ts": self._at(time), "args": args}

    def _stalls(self, step: Step) -> Iterator[Event]:
        for stall in step.stalls:
            args = {"cause": stall.cause, "held_ms": stall.held / 1e6, "stack": stall.stack}
            yield self._instant(self._thread(step), f"stall {stall.cause}".strip(), stall.time, args)

    def _printed(self) -> Iterator[Event]:
        steps = {(step.task, step.index): step for step in self._timeline.steps}
        for line in self._timeline.printed:
            step = steps.get((line.task, line.index)) if line.task is not None else None
            if step is not None:
                yield self._instant(self._thread(step), line.text, line.time, {"stream": line.stream})

    def _foreign(self, number: int, span: Foreign) -> Iterator[Event]:
        """Spans of others may overlap steps, so they are asynchronous events: tracks of their own, by name."""
        key = span.task[0] if span.task is not None else next(iter(self._pids), None)
        if key is None:
            return
        said = {"service": span.service, "kind": span.kind, "error": span.error}
        track = {"pid": self._pids[key], "tid": self._tasks.get(span.task, 0) if span.task is not None else 0}
        shared = {"name": span.name, "cat": span.kind or "span", "id": number + 1, **track}
        yield {"ph": "b", **shared, "ts": self._at(span.start), "args": _told(said)}
        yield {"ph": "e", **shared, "ts": self._at(span.end), "args": {}}

    def _wakes(self) -> Iterator[Event]:
        steps: dict[StepKey, Step] = {(step.task, step.index): step for step in self._timeline.steps}
        wakes: Iterable[Edge] = (edge for edge in self._timeline.edges if edge.kind == WOKEN_BY)
        for number, edge in enumerate(wakes):
            earlier, later = steps[edge.earlier], steps[edge.later]
            moment = min(max(later.ready, earlier.start), earlier.end, later.start)
            shared = {"name": "wake", "cat": "wake", "id": number + 1}
            yield {"ph": "s", **shared, **self._on(earlier.task), "ts": self._at(moment)}
            yield {"ph": "f", "bp": "e", **shared, **self._on(later.task), "ts": self._at(later.start)}


def _pids(timeline: Timeline) -> dict[str, int]:
    """Each process's own number where it is known and nobody else's."""
    made: dict[str, int] = {}
    for key, process in timeline.processes.items():
        pid = process.pid if process.pid > 0 and process.pid not in made.values() else 1
        while pid in made.values():
            pid += 1
        made[key] = pid
    return made


def _name(kind: str, pid: int, tid: int, name: str) -> Event:
    return {"ph": "M", "name": kind, "pid": pid, "tid": tid, "args": {"name": name}}


def _title(step: Step) -> str:
    return step.qualname if step.count == 1 else f"{step.qualname}, {step.count} steps"


def _told(args: Event) -> Event:
    """What there is to say."""
    return {name: value for name, value in args.items() if value not in ("", 0, None)}


def _of_task(task: Task) -> Event:
    return _told({
        "name": task.name, "state": task.state, "steps": task.steps, "running_ms": task.running / 1e6,
        "ready_ms": task.ready / 1e6, "waiting_ms": task.waiting / 1e6, "place": task.place, "error": task.error,
        "awaiting": task.awaiting, **task.cancel,
    })  # fmt: skip


def _of_step(step: Step) -> Event:
    return {"index": step.index} | _told({
        "outcome": step.outcome, "awaiting": step.awaiting, "place": step.place,
        "woken_by": " ".join(filter(None, (step.waker_kind, step.waker_name, step.waker_task))),
        "ready_ms": step.ready_duration / 1e6, "running_ms": step.running / 1e6, "error": step.error,
        "kept_waiting": step.delayed_count, "kept_waiting_ms": step.delayed_duration / 1e6,
        "trace_id": step.trace_id, "span_id": step.span_id, **step.details,
    })  # fmt: skip


def _of_ready(step: Step) -> Event:
    if step.delay is None:
        return {}
    return _told({"behind": step.delay.name, "task": step.delay.task, "ms": step.delay.duration / 1e6,
                  "function": step.delay.function, "place": step.delay.place})  # fmt: skip
