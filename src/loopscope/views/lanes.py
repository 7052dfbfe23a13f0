"""A plain picture of a Timeline in text: a lane a task, a lane for who holds the thread, and the steps in order."""

from __future__ import annotations

import os
from collections.abc import Iterator

from loopscope.recording.timeline import StepBar, TaskLane, Timeline, TraceTimeline

#: lanes and steps drawn of one trace; the rest is counted
LANES, STEPS = 40, 60
#: traces drawn of one recording
TRACES = 12

_RUNNING, _READY, _WAITING, _NONE = "█", "▒", "·", " "
_PLAIN = str.maketrans({_RUNNING: "#", _READY: "=", _WAITING: "."})


def draw(timeline: Timeline, width: int = 100, plain: bool = False) -> str:
    """The picture, at most `width` columns wide; `plain` keeps to ASCII."""
    lines = []
    for trace in timeline.traces[:TRACES]:
        lines += [*_trace(trace, max(width, 60)), ""]
    hidden = len(timeline.traces) - TRACES
    if hidden > 0:
        lines.append(f"... and {hidden} more traces")
    if not timeline.traces:
        lines.append("Nothing was recorded: no task took a step.")
    else:
        lines.append(f"{_RUNNING} running  {_READY} ready, waits for the thread  {_WAITING} waiting")
    if timeline.unreadable:
        lines.append(f"{timeline.unreadable} lines could not be read")
    text = "\n".join(lines) + "\n"
    return text.translate(_PLAIN) if plain else text


def milliseconds(nanoseconds: int) -> str:
    """A duration for people."""
    value = nanoseconds / 1e6
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms" if value >= 1 else f"{value:.2f} ms"


def _trace(trace: TraceTimeline, width: int) -> Iterator[str]:
    lanes = trace.lanes
    shown = lanes if len(lanes) <= LANES else sorted(lanes, key=lambda lane: -(lane.running + lane.ready))[:LANES]
    shown = sorted(shown, key=lambda lane: lane.start)
    yield f"trace {trace.trace_id}  {milliseconds(trace.end - trace.start)}"
    labels = [_cut(f"{lane.qualname} {lane.name}", 28) for lane in shown]
    margin = max([len(label) for label in labels] + [len("thread")]) + 2
    columns = max(width - margin - 2, 20)
    yield f"  {'thread':<{margin - 2}}{_thread(trace, columns)}"
    for label, lane in zip(labels, shown, strict=True):
        yield f"  {label:<{margin - 2}}{_lane(lane, trace, columns)}"
    if len(lanes) > len(shown):
        yield f"  ... and {len(lanes) - len(shown)} more tasks, that ran less"
    yield ""
    for lane in shown:
        yield f"  {_cut(lane.qualname, 28)} {lane.name}: {_summary(lane)}"
    steps = sorted(((bar.start, bar, lane) for lane in shown for bar in lane.steps), key=lambda item: item[0])
    yield ""
    yield "  " + _row("at", "ready", "ran", "step", "woken by", "then")
    for _, bar, lane in steps[:STEPS]:
        yield _cut("  " + _step(bar, lane, trace), width)
    if len(steps) > STEPS:
        yield f"  ... and {len(steps) - STEPS} more steps"


def _summary(lane: TaskLane) -> str:
    error = f" {lane.error}" if lane.error else ""
    return (
        f"{lane.state}{error} after {milliseconds(lane.end - lane.start)}, {lane.count} steps: running "
        f"{milliseconds(lane.running)}, ready {milliseconds(lane.ready)}, waiting {milliseconds(lane.waiting)}"
    )


def _step(bar: StepBar, lane: TaskLane, trace: TraceTimeline) -> str:
    what = f"{bar.name} {bar.index}" if bar.count == 1 else f"{bar.name}, {bar.count} steps"
    then = f"{bar.outcome} {bar.awaiting}".strip()
    place = f"  {os.path.basename(bar.place)}" if bar.place else ""
    return _row(
        milliseconds(bar.start - trace.start), milliseconds(bar.ready), milliseconds(bar.end - bar.start),
        f"{lane.name} {what}", bar.waker, then + place,
    )  # fmt: skip


def _row(at: str, ready: str, ran: str, what: str, waker: str, then: str) -> str:
    return f"{at:>8} {ready:>8} {ran:>8}  {_cut(what, 24):<24} {_cut(waker, 18):<18} {then}"


def _lane(lane: TaskLane, trace: TraceTimeline, columns: int) -> str:
    cells = [_NONE] * columns
    _fill(cells, trace, lane.start, lane.end, _WAITING)
    for bar in lane.steps:
        if bar.count == 1:
            _fill(cells, trace, bar.start - bar.ready, bar.start, _READY)
    for bar in lane.steps:
        _fill(cells, trace, bar.start, bar.end, _RUNNING)
    return "".join(cells)


def _thread(trace: TraceTimeline, columns: int) -> str:
    cells = [_NONE] * columns
    for lane in trace.lanes:
        for bar in lane.steps:
            _fill(cells, trace, bar.start, bar.end, _RUNNING)
    return "".join(cells)


def _fill(cells: list[str], trace: TraceTimeline, start: int, end: int, mark: str) -> None:
    span = max(trace.end - trace.start, 1)
    first = (start - trace.start) * len(cells) // span
    last = (end - trace.start) * len(cells) // span
    for column in range(max(first, 0), min(last + 1, len(cells))):
        cells[column] = mark


def _cut(text: str, width: int) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= width else text[: width - 1] + "…"
