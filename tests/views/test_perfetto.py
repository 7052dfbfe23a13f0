"""Trace-event JSON: tracks for threads and tasks, steps that nest, flows for wakes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from loopscope.recording.assembly import assemble
from loopscope.recording.spans import Spans
from loopscope.recording.timeline import Timeline
from loopscope.views.perfetto import trace_events
from tests.views.made import span, step, task
from tests.views.seed import seed
from tests.views.test_terminal import HOSTILE, busy, hostile


def events(timeline: Timeline, phase: str) -> list[dict[str, Any]]:
    """The events of a kind, as a reader of the file gets them."""
    document = json.loads(json.dumps(trace_events(timeline)))
    return [event for event in document["traceEvents"] if event["ph"] == phase]


def test_seed() -> None:
    timeline = assemble(Spans(seed()))
    names = {event["tid"]: event["args"]["name"] for event in events(timeline, "M") if event["name"] == "thread_name"}
    assert list(names.values()) == ["MainThread", "main Task-1", "model_gen Task-2", "model_gen Task-3"]
    assert [event["args"]["name"] for event in events(timeline, "M") if event["name"] == "process_name"] == ["shop"]
    told = [(names[event["tid"]], event["name"], event["ts"], event["dur"]) for event in events(timeline, "X")]
    assert told[:3] == [
        ("main Task-1", "task main", 0, 8_070_000),
        ("model_gen Task-2", "task model_gen", 12_000, 8_048_000),
        ("model_gen Task-3", "task model_gen", 14_000, 4_046_000),
    ]
    assert [name for track, name, *_ in told if track == "MainThread"] == [
        "main", "model_gen", "model_gen", "model_gen", "model_gen", "model_gen", "main", "model_gen", "main",
    ]  # fmt: skip
    assert ("model_gen Task-3", "ready", 15_000, 15_000) in told
    starts, finishes = events(timeline, "s"), events(timeline, "f")
    assert [(names[s["tid"]], s["ts"], names[f["tid"]], f["ts"]) for s, f in zip(starts, finishes, strict=True)] == [
        ("main Task-1", 15_000, "model_gen Task-2", 20_000),
        ("main Task-1", 15_000, "model_gen Task-3", 30_000),
        ("model_gen Task-3", 4_055_000, "main Task-1", 4_060_000),
        ("model_gen Task-2", 8_055_000, "main Task-1", 8_060_000),
    ]
    assert [s["id"] for s in starts] == [f["id"] for f in finishes] == [1, 2, 3, 4]
    assert [event["name"] for event in events(timeline, "i")][:3] == ["main1", "create task1", "create task2"]
    first = next(event for event in events(timeline, "X") if event["name"] == "main")
    assert first["args"]["index"] == 0 and first["args"]["place"] == "/demo/seed.py:12"


def test_busy() -> None:
    timeline = busy()
    assert [event["name"] for event in events(timeline, "i")] == ["stall python", "slow!"]
    assert [(event["name"], event["cat"]) for event in events(timeline, "b")] == [
        ("GET /report", "server"), ("resize", "executor"),
    ]  # fmt: skip
    assert len(events(timeline, "b")) == len(events(timeline, "e"))
    many = [event for event in events(timeline, "X") if event["name"] == "poll, 900 steps"]
    assert len(many) == 1 and many[0]["tid"] >= 1000
    (behind,) = {event["args"]["behind"] for event in events(timeline, "X") if event["name"] == "ready"}
    assert behind == "parse_report"


def test_processes_have_different_numbers() -> None:
    resources = [{"service.name": name, "process.pid": pid} for name, pid in (("a", 7), ("b", 7), ("c", 0))]
    timeline = assemble(
        Spans([task(1, "main", 0, 5, 0, id=f"{at:016x}", resource=r) for at, r in enumerate(resources, 1)])
    )
    assert {event["pid"] for event in events(timeline, "X")} == {7, 1, 2}
    assert {event["args"]["name"] for event in events(timeline, "M") if event["name"] == "process_name"} == set("abc")


def check_nesting(timeline: Timeline) -> None:
    """On each track an event is within another or after it: Perfetto draws nothing else right."""
    tracks: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for event in events(timeline, "X"):
        start, length = round(event["ts"] * 1000), round(event["dur"] * 1000)
        assert start >= 0 and length >= 0
        tracks.setdefault((event["pid"], event["tid"]), []).append((start, -(start + length)))
    for track in tracks.values():
        open_: list[int] = []
        for start, end in sorted(track):
            while open_ and open_[-1] <= start:
                open_.pop()
            assert not open_ or -end <= open_[-1]
            open_.append(-end)


moments = st.integers(0, 50)


@given(st.lists(st.tuples(st.integers(1, 3), moments, moments, moments, st.integers(1, 2)), max_size=12))
def test_events_nest(steps: list[tuple[int, int, int, int, int]]) -> None:
    """Whatever overlaps: clocks that run backwards, threads that are mixed up."""
    spans = [task(number, "main", 0, 20, 0) for number in (1, 2, 3)]
    for index, (number, start, length, ready, thread) in enumerate(steps):
        spans.append(step(number, "main", index, start, start + length - 3, ready, said={"thread.id": thread}))
    check_nesting(assemble(Spans(spans)))


def test_hostile_names_are_text() -> None:
    for name in HOSTILE.values():
        text = json.dumps(trace_events(hostile(name)))
        assert text.isascii() and json.loads(text)["traceEvents"]


def test_nothing() -> None:
    assert trace_events(Timeline())["traceEvents"] == []
    assert trace_events(assemble(Spans([span("x", 0, 1, scope="o")])))["traceEvents"]
