"""The example service in its real processes: right answers, each planted problem found in Jaeger, load without failures."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from websockets.sync.client import connect

from examples.service.problems import NAMES
from tests.ground.jaeger import Jaeger
from tests.ground.load import load
from tests.ground.shop import Asked, Shop
from tests.ground.spans import Span
from tests.stack.reading import SETTLING, environment, pool_waits, spans_of

Evidence = Callable[[list[Span]], Sequence[object]]


@pytest.fixture(scope="module")
def shop(jaeger: Jaeger) -> Iterator[Shop]:
    with Shop(environment("shop", jaeger)) as shop:
        yield shop


def _bystanders(count: int) -> list[Asked]:
    """Requests that are slow for no reason of their own. The first have a connection made, for those after them."""
    return [Asked("GET", "/delivery/6", after=0.01 * number) for number in range(count)]


def _of(spans: list[Span], kind: str) -> list[Span]:
    return [span for span in spans if span.name.startswith(kind)]


def _stalls(spans: list[Span], function: str) -> list[str]:
    """The causes of the stalls whose stack has the function."""
    events = [event.attributes for span in spans for event in span.events if event.name == "asyncio.stall"]
    return [event["asyncio.stall.cause"] for event in events if function in event.get("code.stacktrace", "")]


def _blocking_json(spans: list[Span]) -> list[object]:
    """A step stalls in write_report, and a step of another request was ready meanwhile: there it stands who did that."""
    if not _stalls(spans, "write_report"):
        return []
    places = [span.attributes.get("asyncio.step.delayed_by.place", "") for span in spans]
    return [place for place in places if "reports.py" in place]


def _lock_convoy(spans: list[Span]) -> list[object]:
    waits = [s.attributes for s in spans if s.attributes.get("asyncio.step.awaiting") == "asyncio.Lock.acquire"]
    long = [a for a in waits if a["asyncio.wait.waiters"] > 2 and "billing.py" in a["asyncio.wait.place"]]
    holders = [s for s in spans if "asyncio.wait.lock.holder" in s.attributes]
    return [*long] if holders else []


def _pool_exhaustion(spans: list[Span]) -> list[object]:
    """Waits for a connection, each as long as another request asks the warehouse."""
    return [wait for wait in pool_waits(spans) if wait > 0.25]


def _task_burst(spans: list[Span]) -> list[object]:
    """Many short steps of one function: no step of them is slow, together they are the culprit."""
    return [
        span.attributes
        for span in spans
        if span.attributes.get("asyncio.step.delayed_by.name") == "burst score"
        and span.attributes.get("asyncio.step.delayed_by.count", 1) > 100
    ]


def _late_timeout(spans: list[Span]) -> list[object]:
    """Cancelled by the timeout, and half a second later not yet ended."""
    tasks = [span.attributes for span in _of(spans, "task ")]
    return [a for a in tasks if 0.45 < a.get("asyncio.task.cancel.latency", 0) < 0.9]


def _slow_dependency(spans: list[Span]) -> list[object]:
    """Nearly all of the request's time is waiting in `ask`, under a client span: the loop was not it."""
    (server,) = [span for span in spans if span.name == "GET /products/{number}"]
    calls = [s for s in spans if s.kind == "CLIENT" and s.end - s.start > 0.29e9 and s.parent_id == server.span_id]
    visits = [s.attributes for s in _of(spans, "task ") if s.parent_id == server.span_id or s.end > server.end]
    return [a for a in visits if calls and a["asyncio.task.waiting.duration"] > 0.29]


def _swallowed_cancellation(spans: list[Span]) -> list[object]:
    tasks = [s.attributes for s in _of(spans, "task Searches._search")]
    return [a for a in tasks if a.get("asyncio.task.cancel.swallowed")]


def _gil_native(spans: list[Span]) -> list[object]:
    """The work is on a thread of the pool, and yet the loop stood still: within a step, or between two."""
    pool = [s for s in spans if s.name == "executor ends_clean"]
    causes = [e.attributes.get("asyncio.stall.cause") for s in spans for e in s.events]
    told = [s.attributes for s in spans if s.attributes.get("asyncio.step.delayed_by.name") == "callback"]
    between = [a for a in told if a["asyncio.step.delayed_by.duration"] > 0.1]
    return [s for s in pool if ("gil" in causes or between) and s.attributes["asyncio.executor.running.duration"] > 0.1]


CASES: dict[str, tuple[list[Asked], Evidence]] = {
    "blocking_json": ([Asked("GET", "/report"), *_bystanders(5)], _blocking_json),
    "lock_convoy": ([Asked("POST", "/orders", {"product": 7})] * 6, _lock_convoy),
    "pool_exhaustion": ([Asked("GET", "/products/7")] * 10, _pool_exhaustion),
    "task_burst": ([Asked("GET", "/recommendations"), *_bystanders(5)], _task_burst),
    "late_timeout": ([*_bystanders(1), Asked("GET", "/delivery/7", after=0.5)], _late_timeout),
    "slow_dependency": ([Asked("GET", "/products/7")], _slow_dependency),
    "swallowed_cancellation": ([Asked("GET", "/search?text=product")], _swallowed_cancellation),
    "gil_native": ([Asked("POST", "/comments", {"text": "fine"}), *_bystanders(8)], _gil_native),
}


@pytest.fixture(scope="module")
def healthy(shop: Shop, jaeger: Jaeger) -> dict[str, list[Span]]:
    """The spans of all those requests while every problem is off."""
    answers = {name: shop.ask(*asked) for name, (asked, _) in CASES.items()}
    time.sleep(SETTLING)
    return {name: spans_of(jaeger, answered) for name, answered in answers.items()}


def test_there_is_a_case_for_each_problem() -> None:
    assert list(CASES) == list(NAMES)


@pytest.mark.parametrize("name", CASES)
def test_a_problem_is_found_and_only_while_it_is_on(
    name: str, shop: Shop, jaeger: Jaeger, healthy: dict[str, list[Span]]
) -> None:
    asked, evidence = CASES[name]
    assert not evidence(healthy[name])
    found: Sequence[object] = ()
    for _ in range(3):  # on a busy machine a bystander may come too late to be one
        with shop.problem(name):
            answered = shop.ask(*asked)
        assert all(each.answer.is_success for each in answered)
        time.sleep(SETTLING)
        if found := evidence(spans_of(jaeger, answered)):
            break
    assert found


def test_a_switch_reaches_every_worker(shop: Shop) -> None:
    with shop.problem("slow_dependency"):
        answers = [shop.ask(Asked("GET", "/problems"))[0].answer.json() for _ in range(6)]
    assert answers == [{name: name == "slow_dependency" for name in NAMES}] * 6
    assert shop.ask(Asked("PUT", "/problems/slow_disk", {"on": True}))[0].answer.status_code == 404


def test_the_load_has_no_failures(shop: Shop) -> None:
    with load(shop.url) as figures:
        time.sleep(8)
    assert sum(each["num_failures"] for each in figures) == 0
    assert sum(each["num_requests"] for each in figures) > 50
    assert len(figures) >= 6


def test_the_answers_are_the_same_without_loopscope(shop: Shop) -> None:
    asked = [
        Asked("GET", "/products"),
        Asked("GET", "/products/7"),
        Asked("GET", "/products/700"),
        Asked("GET", "/delivery/7"),
        Asked("GET", "/search?text=product 1"),
        Asked("GET", "/recommendations"),
        Asked("GET", "/report"),
        Asked("POST", "/comments", {"text": "unclean "}),
        Asked("POST", "/orders", {"product": "none"}),
    ]
    answers = [(a.answer.status_code, a.answer.text) for a in shop.ask(*asked)]
    with Shop({"OTEL_PYTHON_LOOPSCOPE_ENABLED": "false", "OTEL_SDK_DISABLED": "true"}, workers=1) as bare:
        assert answers == [(a.answer.status_code, a.answer.text) for a in bare.ask(*asked)]
        assert _ticker(shop) == _ticker(bare)
        code, printed = bare.stop()
    assert "Traceback" not in printed
    assert [status for status, _ in answers] == [200, 200, 404, 200, 200, 200, 200, 201, 422]
    assert code == -signal.SIGTERM  # a single worker is uvicorn itself, which passes the signal on


def _ticker(shop: Shop) -> list[str]:
    with connect(shop.url.replace("http", "ws", 1) + "/ticker") as socket:
        return [str(line) for line in socket]


def test_it_ends_well_and_loses_nothing(shop: Shop) -> None:
    """The last test: it ends the shop."""
    code, printed = shop.stop()
    assert code == 0
    assert "Traceback" not in printed
    assert "loopscope lost" not in printed
    assert "do not reach" not in printed
