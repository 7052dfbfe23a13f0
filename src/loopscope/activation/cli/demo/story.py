"""What a picture shows, in a few sentences; every number is read from the Timeline."""

from __future__ import annotations

from collections.abc import Iterator

from loopscope.recording.timeline import Step, Task, Timeline
from loopscope.views.terminal.tables import seen_at
from loopscope.views.terminal.text import duration, place


def of_seed(timeline: Timeline) -> Iterator[str]:
    """Who ran, and that nearly all the time was spent waiting."""
    first = next(iter(timeline.tasks.values()))
    family = [task for task in timeline.tasks.values() if task.start <= first.end]
    steps = sum(task.steps for task in family)
    running = sum(task.running for task in family)
    yield (
        f"Each run is a trace of its own. In the first, {len(family)} tasks took {steps} steps, one at a time: "
        f"in {duration(first.end - first.start)} they held the thread for {duration(running)} together. "
        "For the rest all of them waited."
    )
    last = _last_step(timeline, first)
    if last is not None and last.waker_task:
        yield (
            f"`{first.qualname}` ended last: its step {last.index} was woken by the end of {last.waker_task} "
            f"(`{last.waker_name}`), and had been ready for {duration(last.ready_duration)} when it ran."
        )


def _last_step(timeline: Timeline, task: Task) -> Step | None:
    return max((step for step in timeline.steps if step.task == task.key), key=lambda step: step.index, default=None)


def of_service(timeline: Timeline) -> Iterator[str]:
    """Who held whom up, and how one sees it."""
    culprit = max(timeline.steps, key=lambda step: step.delayed_duration, default=None)
    if culprit is None or not culprit.delayed_count:
        yield "This time nobody held anybody up."
        return
    task = timeline.tasks[culprit.task]
    yield (
        f"`{culprit.qualname}` did it: its step {culprit.index} held the thread for {duration(culprit.running)} "
        f"without suspending, {_where(culprit, task)}. Meanwhile {culprit.delayed_count} tasks were "
        f"ready and could not run; together they lost {duration(culprit.delayed_duration)}."
    )
    victim = max((step for step in timeline.steps if step.delay), key=lambda step: step.ready_duration, default=None)
    if victim is not None and victim.delay is not None:
        late = timeline.tasks[victim.task]
        yield (
            f"The most delayed was {late.name} (`{late.qualname}`): of the {duration(late.end - late.start)} that it "
            f"lived it ran for {duration(late.running)} and waited for {duration(late.waiting)}, but was ready for "
            f"{duration(late.ready)}, behind `{victim.delay.name}` of {victim.delay.task or 'no task'}."
        )


def _where(step: Step, task: Task) -> str:
    """Where it was seen at work, else where it suspended after it."""
    for stall in step.stalls:
        return f"seen at {place(seen_at(stall, task.place))} after {duration(stall.held)}"
    return f"until {place(step.place or task.place)}"
