"""What is said of a task and of a step: attributes, in the words of `conventions`."""

from __future__ import annotations

import dis
from types import CodeType
from typing import Any

from loopscope import conventions as c
from loopscope.model import CANCEL, CANCELLED, Delay, Harm, Place, Step, TaskLife, Wait
from loopscope.pipeline.spans.span import Attributes, Said

SECOND = 1e9
_LINES_LIMIT = 8192
#: by the code's id, with the code to keep it alive
_lines: dict[tuple[int, int], tuple[CodeType, int]] = {}
_KINDS_LIMIT = 1024
#: what is said of steps that woke, ended and suspended alike, of tasks of one function, and of those on one thread
_kinds: dict[Any, Said] = {}

#: what the task is to a step that it woke, by what the step waited for
FREED_BY = {"asyncio.Lock.acquire": c.WAIT_HOLDER, "asyncio.gather": c.WAIT_LAST, "asyncio.wait": c.WAIT_LAST}


def line_of(place: Place, lasti: int) -> int:
    """The line of an instruction, the function's first where it is unknown."""
    code = place.code
    if code is None or lasti < 0:
        return place.line
    key = (id(code), lasti)
    known = _lines.get(key)
    if known is None:
        line = place.line
        for start, number in dis.findlinestarts(code):
            if start > lasti:
                break
            line = number or line
        if len(_lines) >= _LINES_LIMIT:
            _lines.clear()
        known = _lines[key] = code, line
    return known[1]


def place_attributes(place: Place, line: int) -> Attributes:
    """`code.*` of a place, at a line."""
    attributes: Attributes = [(c.CODE_FUNCTION, place.function)]
    if place.file:
        attributes.append((c.CODE_FILE, place.file))
        attributes.append((c.CODE_LINE, line))
    return attributes


def task_kind(life: TaskLife) -> tuple[Said, ...]:
    """What is said of tasks of the same function, and of those on the same thread."""
    place, where = life.place, life.where
    kind = _kinds.get(place) or _share(place, place_attributes(place, place.line))
    if where is None:
        return (kind,)
    there = _kinds.get(where)
    if there is None:
        there = _share(
            where, [(c.LOOP_ID, where.loop), (c.THREAD_ID, where.thread), (c.THREAD_NAME, where.thread_name)]
        )
    return kind, there


def task_attributes(life: TaskLife) -> Attributes:
    """What is said of a task alone on each of its spans, but for what changes."""
    attributes: Attributes = [(c.TASK_ID, life.id), (c.TASK_NAME, life.name)]
    if life.late:
        attributes.append((c.TASK_LATE, True))
    if life.missing:
        attributes.append((c.TASK_STEP_MISSING, life.missing))
    return attributes


def awaited_name(awaited: str | Place | Wait | None) -> str | None:
    """What is awaited as it is told, None for nothing."""
    if isinstance(awaited, Wait):
        awaited = awaited.name
    return awaited.public if isinstance(awaited, Place) else awaited


def freed_by(step: Step, waker: TaskLife) -> Attributes:
    """What it means that this task's step woke this one: it held the lock, or finished last."""
    name = awaited_name(step.waited)
    key = FREED_BY.get(name) if name is not None else None
    if key is None or not waker.name or step.waker_kind == CANCEL:
        return []
    return [] if key == c.WAIT_HOLDER and _never_held(step, waker) else [(key, waker.name)]


def _never_held(step: Step, waker: TaskLife) -> bool:
    """Whether the lock was not got, or not from this waker: who is cancelled as it gets one passes it on."""
    ended = waker.state == CANCELLED and step.waker_step == waker.steps - 1
    return step.outcome == CANCELLED or (ended and awaited_name(waker.awaiting) == awaited_name(step.waited))


def step_attributes(step: Step) -> Attributes:
    """What is said of a step alone; its waker's name is the caller's to add."""
    attributes: Attributes = [(c.STEP_INDEX, step.index), (c.STEP_READY, (step.start - step.ready) / SECOND)]
    if isinstance(step.awaiting, Wait):
        attributes += step.awaiting.details
    if step.unpolled is not None:
        attributes.append((c.STEP_UNPOLLED, step.unpolled / SECOND))
        if step.unpolled_guessed:
            attributes.append((c.STEP_UNPOLLED_ESTIMATED, True))
    return attributes


def step_kind(step: Step) -> Said:
    """What is said of a step, and of those that woke, ended and suspended like it."""
    awaiting = step.awaiting
    if isinstance(awaiting, Wait):
        awaiting = awaiting.name
    key = step.outcome, step.waker_kind, awaiting, step.point, step.lasti, step.error
    said = _kinds.get(key)
    if said is not None:
        return said
    attributes: Attributes = [(c.STEP_OUTCOME, step.outcome), (c.STEP_WAKER_KIND, step.waker_kind)]
    awaiting = awaited_name(step.awaiting)
    if awaiting is not None:
        attributes.append((c.STEP_AWAITING, awaiting))
    if step.point is not None:
        attributes += place_attributes(step.point, line_of(step.point, step.lasti))
    if step.error is not None:
        attributes.append((c.ERROR_TYPE, step.error))
    return _share(key, attributes)


def _share(key: Any, attributes: Attributes) -> Said:
    if len(_kinds) >= _KINDS_LIMIT:
        _kinds.clear()
    said = _kinds[key] = Said(attributes)
    return said


def delay_attributes(delay: Delay) -> Attributes:
    """What is said of who delayed a step."""
    attributes: Attributes = [(c.DELAYED_BY_NAME, delay.name), (c.DELAYED_BY_DURATION, delay.duration / SECOND)]
    if delay.task is not None:
        attributes.append((c.DELAYED_BY_TASK, delay.task))
    if delay.steps > 1:
        attributes.append((c.DELAYED_BY_COUNT, delay.steps))
    if delay.function:
        attributes.append((c.DELAYED_BY_FUNCTION, delay.function))
    if delay.place:
        attributes.append((c.DELAYED_BY_PLACE, delay.place))
    return attributes


def harm_attributes(harm: Harm) -> Attributes:
    """How many tasks a step kept waiting, and for how many task-seconds."""
    return [(c.DELAYED_COUNT, harm.count), (c.DELAYED_DURATION, harm.duration / SECOND)]
