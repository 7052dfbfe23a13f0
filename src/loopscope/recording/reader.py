"""Reads a trace file (OTLP JSON lines) into a Timeline. A line cut short, as in a file being written, is skipped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from loopscope import conventions as c
from loopscope.recording.timeline import Attributes, StepBar, TaskLane, Timeline, TraceTimeline


def read(path: str) -> Timeline:
    """The Timeline of a trace file. Raises OSError where it cannot be read."""
    timeline = Timeline([])
    spans: dict[str, list[dict[str, Any]]] = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.strip():
                continue
            try:
                for span in _spans(json.loads(line)):
                    spans.setdefault(span["traceId"], []).append(span)
            except (ValueError, KeyError, TypeError, AttributeError):
                timeline.unreadable += 1
    timeline.traces = [_trace(trace_id, found) for trace_id, found in spans.items()]
    timeline.traces = sorted((trace for trace in timeline.traces if trace.lanes), key=lambda trace: trace.start)
    return timeline


def _spans(message: Any) -> Iterator[dict[str, Any]]:
    for resource in message["resourceSpans"]:
        for scope in resource.get("scopeSpans", ()):
            yield from scope.get("spans", ())


def _attributes(span: dict[str, Any]) -> Attributes:
    made: Attributes = {}
    for pair in span.get("attributes", ()):
        for kind, value in pair["value"].items():
            made[pair["key"]] = int(value) if kind == "intValue" else value
    return made


def _trace(trace_id: str, spans: Iterable[dict[str, Any]]) -> TraceTimeline:
    lanes: dict[int, TaskLane] = {}
    owner: dict[str, int] = {}
    steps = []
    for span in spans:
        attributes = _attributes(span)
        if span["name"].startswith(c.TASK_SPAN):
            owner[span["spanId"]] = attributes[c.TASK_ID]
            _task(lanes, span, attributes)
        elif span["name"].startswith((c.STEP_SPAN, c.STEPS_SPAN)):
            steps.append((span, attributes))
    for span, attributes in steps:
        lane = lanes.get(owner.get(span.get("parentSpanId", ""), 0))
        if lane is not None:
            lane.steps.append(_step(span, attributes))
    ordered = sorted(lanes.values(), key=lambda lane: lane.start)
    for lane in ordered:
        lane.steps.sort(key=lambda bar: bar.start)
    start = min((lane.start for lane in ordered), default=0)
    return TraceTimeline(trace_id, start, max((lane.end for lane in ordered), default=0), ordered)


def _nanoseconds(attributes: Attributes, key: str) -> int:
    return int(attributes.get(key, 0) * 1e9 + 0.5)


def _task(lanes: dict[int, TaskLane], span: dict[str, Any], attributes: Attributes) -> None:
    start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    sums = [_nanoseconds(attributes, key) for key in (c.TASK_RUNNING, c.TASK_READY, c.TASK_WAITING)]
    state = attributes.get(c.TASK_STATE, "")
    lane = lanes.get(attributes[c.TASK_ID])
    if lane is None:
        lane = lanes[attributes[c.TASK_ID]] = TaskLane(
            attributes[c.TASK_ID], attributes.get(c.TASK_NAME, ""), span["name"][len(c.TASK_SPAN) :], start, end,
            state, 0, 0, 0, attributes.get(c.THREAD_NAME, ""),
        )  # fmt: skip
    if end >= lane.end:
        lane.end, lane.state, lane.error = end, state, attributes.get(c.ERROR_TYPE, "")
    lane.start = min(lane.start, start)
    lane.running += sums[0]
    lane.ready += sums[1]
    lane.waiting += sums[2]
    lane.count += attributes.get(c.TASK_STEP_COUNT, 0)


def _step(span: dict[str, Any], attributes: Attributes) -> StepBar:
    waker = attributes.get(c.STEP_WAKER_KIND, "")
    name = attributes.get(c.STEP_WAKER_NAME)
    line = attributes.get(c.CODE_LINE)
    return StepBar(
        name=span["name"].split(" ", 1)[1],
        index=attributes.get(c.STEP_INDEX, 0),
        count=attributes.get(c.STEP_COUNT, 1),
        start=int(span["startTimeUnixNano"]),
        end=int(span["endTimeUnixNano"]),
        ready=_nanoseconds(attributes, c.STEP_READY),
        outcome=attributes.get(c.STEP_OUTCOME, "coalesced"),
        awaiting=attributes.get(c.STEP_AWAITING, ""),
        waker=f"{waker} {name}" if name else waker,
        place=f"{attributes.get(c.CODE_FILE, '')}:{line}" if line is not None else "",
        thread=attributes.get(c.THREAD_ID, 0),
    )
