"""The drawing that the project began from, as spans: SPEC's program with its own seconds, and steps of 10 ms."""

from __future__ import annotations

from typing import Any

from loopscope import conventions as c
from loopscope.recording.spans import Event, Span
from tests.views.made import at, link, step, task

#: (task, step, ready, start, what it prints, what it then awaits in which line; woken by whom)
STEPS: list[tuple[int, int, float, float, list[str], str, int, tuple[str, int, int]]] = [
    (1, 0, 0, 10, ["main1", "create task1", "create task2"], "task model_gen", 12, ("start", 0, 0)),
    (2, 0, 15, 20, ["enter task1"], "asyncio.sleep", 5, ("start", 1, 0)),
    (3, 0, 15, 30, ["enter task2"], "asyncio.sleep", 5, ("start", 1, 0)),
    (3, 1, 2040, 2040, ["continue task2"], "asyncio.sleep", 6, ("timer", 0, 0)),
    (2, 1, 4030, 4040, ["continue task1"], "asyncio.sleep", 6, ("timer", 0, 0)),
    (3, 2, 4050, 4050, ["finish task2"], "", 0, ("timer", 0, 0)),
    (1, 1, 4055, 4060, ["hello"], "task model_gen", 13, ("task", 3, 2)),
    (2, 2, 8050, 8050, ["finish task1"], "", 0, ("timer", 0, 0)),
    (1, 2, 8055, 8060, ["all done task1 done task2 done"], "", 0, ("task", 2, 2)),
]
NAMES = {1: "main", 2: "model_gen", 3: "model_gen"}
LENGTH = 10


def seed() -> list[Span]:
    """The trace of one `asyncio.run`."""
    spans = [
        task(1, "main", 0, 8070, 3, running=30, ready=20),
        task(2, "model_gen", 12, 8060, 3, running=30, ready=18, parent=f"{1:016x}", said={c.TASK_CREATOR_ID: 1}),
        task(3, "model_gen", 14, 4060, 3, running=30, ready=15, parent=f"{1:016x}", said={c.TASK_CREATOR_ID: 1}),
    ]
    for id, index, ready, start, prints, awaits, line, (kind, waker, waker_step) in STEPS:
        said: dict[str, Any] = {
            c.STEP_WAKER_KIND: kind, c.STEP_OUTCOME: "suspended" if awaits else "returned",
            c.STEP_AWAITING: awaits or None, c.CODE_FILE: "/demo/seed.py" if awaits else None,
            c.CODE_LINE: line or None,
        }  # fmt: skip
        links = []
        if waker:
            said |= {c.STEP_WAKER_NAME: NAMES[waker], c.STEP_WAKER_TASK: f"Task-{waker}"}
            links.append(link(c.WOKEN_BY, waker, waker_step))
        events = [
            Event(c.PRINTED, at(start + 1 + number), {c.PRINTED_STREAM: "stdout", c.PRINTED_TEXT: text})
            for number, text in enumerate(prints)
        ]
        spans.append(
            step(id, NAMES[id], index, start, start + LENGTH, start - ready, said=said, links=links, events=events)
        )
    return spans
