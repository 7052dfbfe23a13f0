"""FastAPI under uvicorn: each request's trace holds exactly the steps that were done for it."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from websockets.sync.client import connect

from tests.processes.program import assert_unique
from tests.servers.serving import Outcome, identity, serving
from tests.support import LOOPS

KEPT, SINGLE, SPANS, BACKGROUND, WORKER, EARLY, LATE, STREAM, SOCKET, DROPPED, MANY = range(101, 112)


def of(number: int) -> str:
    """A trace's id as spans have it."""
    return f"{number:032x}"


@pytest.fixture(scope="module", params=LOOPS)
def outcome(request: pytest.FixtureRequest) -> Outcome:
    """All that the tests of this file need, from one server: they only read."""
    with serving("web", request.param) as served, httpx.Client(base_url=f"http://127.0.0.1:{served.port}") as client:

        def get(path: str, trace: int, sampled: bool = True) -> None:
            assert client.get(path, headers=identity(trace, sampled)).is_success

        get("/worker", WORKER)
        since = time.monotonic()
        get("/job", EARLY)
        for count in (1, 3, 2):
            get(f"/sleeps/{count}", KEPT + 1000 * count)
        get("/single", SINGLE)
        get("/spans", SPANS)
        get("/background", BACKGROUND)
        get("/stream", STREAM)
        get("/sleeps/7", DROPPED, sampled=False)
        with connect(f"ws://127.0.0.1:{served.port}/echo", additional_headers=identity(SOCKET)) as socket:
            for text in ("a", "b"):
                socket.send(text)
                assert socket.recv(5) == text
            socket.send("end")
            assert list(socket) == []
        asyncio.run(_at_once(client.base_url))
        time.sleep(max(since + 5.2 - time.monotonic(), 0))
        get("/job", LATE)
        return served.stop(client.get("/journal").text)


async def _at_once(url: httpx.URL) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        requests = [
            client.get("/sleeps/20", headers=identity(MANY + 10_000 * number, number % 2 == 0)) for number in range(6)
        ]
        assert all(answer.is_success for answer in await asyncio.gather(*requests))


def test_the_server_ended_well(outcome: Outcome) -> None:
    assert outcome.ended is not None
    assert outcome.ended.told == []
    assert_unique(outcome.spans)


def test_every_step_is_told_in_its_trace_and_in_no_other(outcome: Outcome) -> None:
    done, told = outcome.done(), outcome.told()
    worker = outcome.entry("worker")
    stale = [key for key in told if key[1] == worker["task"] and key[0] != of(WORKER)]
    told[of(WORKER), worker["task"]] += [index for key in stale for index in told.pop(key)]
    assert told == done
    assert len(done) == 17


def test_steps_are_told_in_the_order_in_which_they_ran(outcome: Outcome) -> None:
    sampled = [entry for entry in outcome.journal if entry["sampled"]]
    ran = sorted((number, entry["task"]) for entry in sampled for number in entry["steps"])
    names = {entry["task"] for entry in sampled}
    told = [span.attributes["asyncio.task.name"] for span in outcome.steps()]
    assert [name for name in told if name in names] == [task for _, task in ran]


def test_requests_interleave_on_one_loop(outcome: Outcome) -> None:
    """The test of order above says something: no request of the six ran in one go."""
    at_once = outcome.entries("/sleeps/20")
    assert len(at_once) == 6
    for entry in at_once:
        others = {number for other in at_once if other is not entry for number in other["steps"]}
        assert any(entry["steps"][0] < number < entry["steps"][-1] for number in others)


def test_a_visit_stands_under_the_server_span(outcome: Outcome) -> None:
    for entry in outcome.journal:
        if entry["sampled"]:
            visits = [
                v for v in outcome.visits(entry["trace_id"]) if v.attributes["asyncio.task.name"] == entry["task"]
            ]
            (server,) = [s for s in outcome.theirs if s.trace_id == entry["trace_id"] and s.kind == "SERVER"]
            assert [visit.parent_id for visit in visits] == [server.span_id], entry["label"]
            assert visits[0].attributes["asyncio.task.step.count"] == len(
                [key for key in outcome.steps() if key.parent_id == visits[0].span_id]
            )
            outcome.parts(entry["trace_id"])


def test_connections_are_kept_alive(outcome: Outcome) -> None:
    kept = [outcome.entry(f"/sleeps/{count}") for count in (1, 3, 2)]
    assert len({entry["more"]["client"] for entry in kept}) == 1
    assert [len(entry["steps"]) for entry in kept] == [2, 4, 3]
    assert [entry["trace_id"] for entry in kept] == [of(KEPT + 1000 * count) for count in (1, 3, 2)]
    names = [[visit.name for visit in outcome.visits(entry["trace_id"])] for entry in kept]
    assert names == [["task RequestResponseCycle.run_asgi"]] * 3


def test_a_request_in_one_step(outcome: Outcome) -> None:
    (visit,) = outcome.visits(of(SINGLE))
    assert visit.attributes["asyncio.task.state"] == "returned"
    (step,) = [span for span in outcome.steps() if span.trace_id == of(SINGLE)]
    assert (step.parent_id, step.attributes["asyncio.step.outcome"]) == (visit.span_id, "returned")


def test_spans_opened_by_the_handler_do_not_move_its_visit(outcome: Outcome) -> None:
    assert [visit.name for visit in outcome.visits(of(SPANS))] == ["task RequestResponseCycle.run_asgi"]


def test_a_background_task_outlives_its_request(outcome: Outcome) -> None:
    request, background = outcome.visits(of(BACKGROUND))
    assert (request.name, background.name) == ("task RequestResponseCycle.run_asgi", "task driven")
    assert background.attributes["asyncio.task.state"] == "returned"
    assert background.attributes["asyncio.task.step.count"] == 5
    (server,) = [s for s in outcome.theirs if s.trace_id == of(BACKGROUND) and s.kind == "SERVER"]
    assert background.end > max(request.end, server.end) + 50_000_000
    assert background.attributes["asyncio.task.creator.id"] == request.attributes["asyncio.task.id"]


def test_a_worker_goes_to_its_own_trace_once_its_birth_is_long_ago(outcome: Outcome) -> None:
    worker = outcome.entry("worker")
    told = {trace: indexes for (trace, task), indexes in outcome.told().items() if task == worker["task"]}
    assert len(worker["steps"]) == 5
    assert told.pop(of(WORKER)) == [0, 1, 2]
    ((own, indexes),) = told.items()
    assert indexes == [3, 4]
    (visit,) = outcome.visits(own)
    assert visit.parent_id == ""
    assert [(link.trace_id, link.attributes["asyncio.link"]) for link in visit.links] == [(of(WORKER), "created_by")]
    assert visit.links[0].span_id == worker["span_id"]
    assert visit.attributes["asyncio.task.state"] == "waiting"
    (born,) = [v for v in outcome.visits(of(WORKER)) if v.attributes["asyncio.task.name"] == worker["task"]]
    assert born.attributes["asyncio.task.state"] == "waiting"
    assert (born.attributes["asyncio.task.step.count"], visit.attributes["asyncio.task.step.count"]) == (3, 2)


def test_who_gave_a_worker_its_job_is_linked_across_traces(outcome: Outcome) -> None:
    worker = outcome.entry("worker")["task"]
    waking = [
        (link.trace_id, step.attributes["asyncio.step.waker.name"])
        for step in outcome.steps()
        for link in step.links
        if step.attributes["asyncio.task.name"] == worker and link.attributes["asyncio.link"] == "woken_by"
    ]
    assert waking == [(of(trace), "RequestResponseCycle.run_asgi") for trace in (WORKER, EARLY, LATE)]


def test_a_streaming_response(outcome: Outcome) -> None:
    pieces = outcome.entry("pieces")
    assert len(pieces["steps"]) == 4
    assert pieces["task"] != outcome.entry("/stream")["task"]
    assert len(outcome.visits(of(STREAM))) == 2


def test_a_websocket(outcome: Outcome) -> None:
    (visit,) = outcome.visits(of(SOCKET))
    assert visit.attributes["asyncio.task.state"] == "returned"
    assert len(outcome.entry("/echo")["steps"]) >= 5


def test_sampled_out_requests_get_no_spans(outcome: Outcome) -> None:
    dropped = {entry["trace_id"] for entry in outcome.journal if not entry["sampled"]}
    assert dropped == {of(DROPPED), *(of(MANY + 10_000 * number) for number in (1, 3, 5))}
    assert [span.name for span in outcome.spans if span.trace_id in dropped] == []
    tasks = {entry["task"] for entry in outcome.journal if not entry["sampled"]}
    assert [span.name for span in outcome.ours if span.attributes["asyncio.task.name"] in tasks] == []


def test_the_application_sees_the_current_spans_that_it_would_see_without_loopscope(outcome: Outcome) -> None:
    paths = ["/single", "/sleeps/3", "/spans", "/background", "/stream"]
    with (
        serving("web", "asyncio", environment={"OTEL_PYTHON_LOOPSCOPE_ENABLED": "false"}) as served,
        httpx.Client(base_url=f"http://127.0.0.1:{served.port}") as client,
    ):
        for number, path in enumerate(paths, 1):
            assert client.get(path, headers=identity(number)).is_success
        without = served.stop(client.get("/journal").text)
    assert without.ours == []
    for label in [*paths, "afterwards", "pieces"]:
        assert outcome.entry(label)["seen"] == without.entry(label)["seen"], label
    assert without.entry("/spans")["seen"] == ["GET /spans", "outer", "outer", "inner", "GET /spans"]
