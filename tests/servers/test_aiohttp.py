"""An aiohttp server: its connection and handler tasks are created under no span, and serve traces all the same."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from websockets.sync.client import connect

from tests.processes.program import assert_unique
from tests.servers.serving import Outcome, identity, serving
from tests.support import LOOPS

KEPT, SINGLE, STREAM, SOCKET, DROPPED, MANY = range(101, 107)


def of(number: int) -> str:
    """A trace's id as spans have it."""
    return f"{number:032x}"


@pytest.fixture(scope="module", params=LOOPS)
def outcome(request: pytest.FixtureRequest) -> Outcome:
    """All that the tests of this file need, from one server: they only read."""
    with serving(
        "aio", request.param, protocol="grpc", environment={"OTEL_PYTHON_AIOHTTP_SERVER_EXCLUDED_URLS": "/journal"}
    ) as served:
        url = f"127.0.0.1:{served.port}"
        with httpx.Client(base_url=f"http://{url}") as client:
            for number, path in enumerate(("/sleeps/1", "/single", "/sleeps/3")):
                assert client.get(path, headers=identity(KEPT + 1000 * number)).is_success
            assert client.get("/stream", headers=identity(STREAM)).text == "012"
            assert client.get("/sleeps/7", headers=identity(DROPPED, False)).is_success
            with connect(f"ws://{url}/echo", additional_headers=identity(SOCKET)) as socket:
                for text in ("a", "b"):
                    socket.send(text)
                    assert socket.recv(5) == text
                socket.send("end")
                assert list(socket) == []
            asyncio.run(_at_once(client.base_url))
            return served.stop(client.get("/journal").text)


async def _at_once(url: httpx.URL) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        requests = [
            client.get("/sleeps/20", headers=identity(MANY + 10_000 * number, number % 2 == 0)) for number in range(6)
        ]
        assert all(answer.is_success for answer in await asyncio.gather(*requests))


def test_the_server_ended_well(outcome: Outcome) -> None:
    assert outcome.ended is not None
    assert (outcome.ended.code, outcome.ended.told) == (0, [])
    assert_unique(outcome.spans)


def test_every_step_is_told_in_its_trace_and_in_no_other(outcome: Outcome) -> None:
    assert outcome.told() == outcome.done()
    assert len(outcome.done()) == 8


def test_steps_are_told_in_the_order_in_which_they_ran(outcome: Outcome) -> None:
    sampled = [entry for entry in outcome.journal if entry["sampled"]]
    ran = sorted((number, entry["task"]) for entry in sampled for number in entry["steps"])
    names = {entry["task"] for entry in sampled}
    told = [span.attributes["asyncio.task.name"] for span in outcome.steps()]
    assert [name for name in told if name in names] == [task for _, task in ran]
    assert [task for _, task in ran] != [entry["task"] for entry in sampled for _ in entry["steps"]]  # they interleave


def test_a_visit_stands_under_the_server_span(outcome: Outcome) -> None:
    for entry in outcome.journal:
        if entry["sampled"]:
            (server,) = [span for span in outcome.theirs if span.trace_id == entry["trace_id"]]
            (visit,) = outcome.visits(entry["trace_id"])
            assert (visit.parent_id, server.kind) == (server.span_id, "SERVER")
            assert visit.attributes["asyncio.task.step.count"] == len(entry["steps"])
            outcome.parts(entry["trace_id"])


def test_one_connection_serves_several_traces(outcome: Outcome) -> None:
    kept = [outcome.entry(f"/{name}") for name in ("sleeps/1", "single", "sleeps/3")]
    assert len({entry["more"]["client"] for entry in kept}) == 1
    assert [len(entry["steps"]) for entry in kept] == [2, 1, 4]
    creators = {outcome.visits(entry["trace_id"])[0].attributes["asyncio.task.creator.id"] for entry in kept}
    assert len(creators) == 1


def test_the_connection_itself_stays_in_a_trace_of_its_own(outcome: Outcome) -> None:
    served = {entry["trace_id"] for entry in outcome.journal}
    connections = [span for span in outcome.ours if span.name == "task RequestHandler.start"]
    assert len(connections) >= 7
    assert not served & {span.trace_id for span in connections}


def test_a_streaming_response_and_a_websocket(outcome: Outcome) -> None:
    assert len(outcome.entry("/stream")["steps"]) == 4
    assert len(outcome.entry("/echo")["steps"]) >= 5


def test_sampled_out_requests_get_no_spans(outcome: Outcome) -> None:
    dropped = {entry["trace_id"] for entry in outcome.journal if not entry["sampled"]}
    assert dropped == {of(DROPPED), *(of(MANY + 10_000 * number) for number in (1, 3, 5))}
    assert [span.name for span in outcome.spans if span.trace_id in dropped] == []
