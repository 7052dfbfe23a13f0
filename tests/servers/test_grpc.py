"""A grpc.aio server: the task of a call takes steps before and after its span, and they are not the trace's."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from tests.processes.program import assert_unique
from tests.servers.serving import Outcome, Told, identity, serving
from tests.support import LOOPS

SINGLE, SLEEPS, PIECES, DROPPED, MANY = range(101, 106)


@pytest.fixture(scope="module", params=LOOPS)
def outcome(request: pytest.FixtureRequest) -> Outcome:
    """All that the tests of this file need, from one server: they only read."""
    with (
        serving("rpc", request.param, protocol="grpc") as served,
        grpc.insecure_channel(f"127.0.0.1:{served.port}") as channel,
    ):

        def call(method: str, payload: bytes, trace: int, sampled: bool = True) -> None:
            one: Any = channel.unary_unary(f"/Demo/{method}")
            at_once = one.future(payload, metadata=_metadata(trace, sampled))
            assert at_once.result(10) == b"done"

        call("single", b"", SINGLE)
        call("sleeps", b"3", SLEEPS)
        call("sleeps", b"7", DROPPED, False)
        stream: Any = channel.unary_stream("/Demo/pieces")
        assert list(stream(b"", metadata=_metadata(PIECES), timeout=10)) == [b"0", b"1", b"2"]
        method: Any = channel.unary_unary("/Demo/sleeps")
        calls = [
            method.future(b"20", metadata=_metadata(MANY + 10_000 * number, number % 2 == 0)) for number in range(6)
        ]
        assert [each.result(10) for each in calls] == [b"done"] * 6
        journal: Any = channel.unary_unary("/Demo/journal")
        return served.stop(journal(b"", timeout=10).decode())


def _metadata(trace: int, sampled: bool = True) -> Any:
    return list(identity(trace, sampled).items())


def between_looks(outcome: Outcome) -> Told:
    """What was done under the spans: from a handler's first look to its last."""
    return {
        (entry["trace_id"], entry["task"]): list(range(entry["looked"][0], entry["looked"][-1] + 1))
        for entry in outcome.journal
        if entry["sampled"]
    }


def test_the_server_ended_well(outcome: Outcome) -> None:
    assert outcome.ended is not None
    assert (outcome.ended.code, outcome.ended.told) == (0, [])
    assert_unique(outcome.spans)


def test_every_step_under_a_span_is_told_in_its_trace(outcome: Outcome) -> None:
    calls = {entry["trace_id"] for entry in outcome.journal if entry["trace_id"]}
    told = {key: indexes for key, indexes in outcome.told().items() if key[0] in calls}
    assert told == between_looks(outcome)
    assert len(told) == 6


def test_the_steps_around_it_are_told_in_the_task_s_own_trace(outcome: Outcome) -> None:
    for entry in outcome.journal:
        if entry["sampled"]:
            told = [index for key, indexes in outcome.told().items() if key[1] == entry["task"] for index in indexes]
            assert sorted(told) == list(range(len(entry["steps"])))


def test_calls_interleave(outcome: Outcome) -> None:
    at_once = outcome.entries("sleeps 20")
    assert len(at_once) == 6
    for entry in at_once:
        others = {number for other in at_once if other is not entry for number in other["steps"]}
        assert any(entry["steps"][0] < number < entry["steps"][-1] for number in others)


def test_a_visit_stands_under_the_server_span(outcome: Outcome) -> None:
    for entry in outcome.journal:
        if entry["sampled"]:
            (server,) = [span for span in outcome.theirs if span.trace_id == entry["trace_id"]]
            (visit,) = outcome.visits(entry["trace_id"])
            assert (visit.parent_id, server.kind) == (server.span_id, "SERVER")
            outcome.parts(entry["trace_id"])


def test_a_call_may_be_served_in_one_step(outcome: Outcome) -> None:
    assert len(set(outcome.entry("single")["looked"])) == 1


def test_sampled_out_calls_get_no_spans(outcome: Outcome) -> None:
    called = {entry["trace_id"]: entry["sampled"] for entry in outcome.journal if entry["trace_id"]}
    dropped = {trace for trace, sampled in called.items() if not sampled}
    assert len(dropped) == 4
    assert [span.name for span in outcome.spans if span.trace_id in dropped] == []
