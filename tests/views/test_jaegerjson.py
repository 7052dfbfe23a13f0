"""Jaeger's JSON: what is written is what Jaeger's page opens, and it goes round without loss."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from loopscope import conventions as c
from loopscope.recording import documents, jaegerjson
from loopscope.recording.assembly import assemble
from loopscope.recording.spans import KINDS, STATUSES, Event, Link, Span, Spans
from tests.views.made import EPOCH, TRACE, at, span
from tests.views.seed import seed


def test_written() -> None:
    one = span(
        "GET /", 1.0005, 2.5, {"a": 1, "b": 1.5, "c": True, "d": "x"}, id="1" * 16, parent="2" * 16, kind="SERVER",
        status="ERROR", message="broken", scope="asgi", links=[Link("cd" * 16, "3" * 16, {c.LINK: "woken_by"})],
        events=[Event("stall", at(2), {"depth": 2})],
    )  # fmt: skip
    assert jaegerjson.write([one]) == {
        "data": [
            {
                "traceID": TRACE,
                "spans": [
                    {
                        "traceID": TRACE,
                        "spanID": "1" * 16,
                        "operationName": "GET /",
                        "references": [
                            {"refType": "CHILD_OF", "traceID": TRACE, "spanID": "2" * 16},
                            {"refType": "FOLLOWS_FROM", "traceID": "cd" * 16, "spanID": "3" * 16,
                             "attributes": {"asyncio.link": "woken_by"}},
                        ],
                        "startTime": EPOCH // 1000 + 1000,
                        "duration": 1499,
                        "startTimeUnixNano": str(EPOCH + 1_000_500),
                        "endTimeUnixNano": str(EPOCH + 2_500_000),
                        "tags": [
                            {"key": "a", "type": "int64", "value": 1},
                            {"key": "b", "type": "float64", "value": 1.5},
                            {"key": "c", "type": "bool", "value": True},
                            {"key": "d", "type": "string", "value": "x"},
                            {"key": "span.kind", "type": "string", "value": "server"},
                            {"key": "otel.scope.name", "type": "string", "value": "asgi"},
                            {"key": "otel.scope.version", "type": "string", "value": "1"},
                            {"key": "otel.status_code", "type": "string", "value": "ERROR"},
                            {"key": "error", "type": "bool", "value": True},
                            {"key": "otel.status_description", "type": "string", "value": "broken"},
                        ],
                        "logs": [
                            {
                                "timestamp": EPOCH // 1000 + 2000,
                                "timeUnixNano": str(EPOCH + 2_000_000),
                                "fields": [
                                    {"key": "event", "type": "string", "value": "stall"},
                                    {"key": "depth", "type": "int64", "value": 2},
                                ],
                            }
                        ],
                        "processID": "p1",
                        "warnings": None,
                    }
                ],
                "processes": {
                    "p1": {
                        "serviceName": "shop",
                        "tags": [
                            {"key": "process.pid", "type": "int64", "value": 7},
                            {"key": "host.name", "type": "string", "value": "here"},
                        ],
                    }
                },
            }
        ]
    }  # fmt: skip


names = st.text(st.characters(codec="utf-8"), max_size=12)
values = st.booleans() | st.integers(-(1 << 63) + 1, (1 << 63) - 1) | st.floats(allow_nan=False) | names
said = st.dictionaries(names.map("x.".__add__), values, max_size=4)
traces = st.sampled_from([TRACE, "cd" * 16])
ids = st.integers(1, (1 << 64) - 1).map("{:016x}".format)
moments = st.integers(1, 1 << 62)
resources = st.dictionaries(names.map("x.".__add__), values, max_size=2).map({"service.name": "shop"}.__ror__)
spans = st.builds(
    Span, traces, ids, ids | st.just(""), names, st.sampled_from(KINDS), moments, moments, said,
    st.lists(st.builds(Link, traces, ids, said), max_size=3).map(tuple),
    st.lists(st.builds(Event, names, moments, said), max_size=3).map(tuple),
    st.sampled_from(STATUSES), names, names, names, resources,
)  # fmt: skip


@given(st.lists(spans, max_size=5))
def test_any_span_goes_round(written: list[Span]) -> None:
    text = json.dumps(jaegerjson.write(written))
    again = documents.read(json.loads(text)).spans
    assert sorted(again, key=repr) == sorted(written, key=repr)


def test_the_timeline_goes_round() -> None:
    again = documents.read(json.loads(json.dumps(jaegerjson.write(seed()))))
    assert assemble(again) == assemble(Spans(seed()))


def test_a_second_parent_is_a_link() -> None:
    """As older instrumentations write joins."""
    document = jaegerjson.write([span("x", 0, 1, id="1" * 16, parent="2" * 16)])
    more = [{"refType": "CHILD_OF", "traceID": TRACE, "spanID": "3" * 16}]
    more.append({"refType": "CHILD_OF", "traceID": "cd" * 16, "spanID": "4" * 16})
    document["data"][0]["spans"][0]["references"] += more
    (read,) = documents.read(document).spans
    assert read.parent_id == "2" * 16
    assert [(link.trace_id, link.span_id) for link in read.links] == [(TRACE, "3" * 16), ("cd" * 16, "4" * 16)]
    del document["data"][0]["spans"][0]["references"][:2]  # a parent in another trace is none here
    (read,) = documents.read(document).spans
    assert (read.parent_id, len(read.links)) == ("", 1)


def test_one_process_for_each_resource() -> None:
    other = span("x", 0, 1, resource={"service.name": "billing"})
    (trace,) = jaegerjson.write([*seed(), other])["data"]
    assert [process["serviceName"] for process in trace["processes"].values()] == ["shop", "billing"]
    assert {one["processID"] for one in trace["spans"]} == {"p1", "p2"}
