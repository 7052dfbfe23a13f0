"""deploy/queries.md: each Jaeger query finds the planted problem in the real Jaeger, each TraceQL query parses."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ground import traceql
from tests.ground.configured import DEPLOY
from tests.ground.jaeger import Jaeger
from tests.stack import planted
from tests.stack.conftest import Stack
from tests.stack.reading import listed

TEXT = (DEPLOY / "queries.md").read_text()
#: question -> its queries, by language
QUERIES: dict[str, dict[str, list[str]]] = {
    section.partition("\n")[0]: {
        language: re.findall(rf"```{language}\n(.+?)\n```", section, re.DOTALL) for language in ("jaeger", "traceql")
    }
    for section in TEXT.split("\n## ")[1:]
}
Span = dict[str, Any]
Tags = dict[str, Any]


def lock() -> str:
    """Where the shop makes its lock."""
    source = Path(planted.__file__)
    (number,) = [n for n, line in enumerate(source.read_text().splitlines(), 1) if "asyncio.Lock()" in line]
    return f"{source}:{number}"


#: question -> what one span of each trace that is found must be: by its name, its seconds, its tags
PLANTED: dict[str, Callable[[str, float, Tags], bool]] = {
    "Which step blocked the loop?": lambda name, seconds, tags: (
        name == "step parse_report" and tags["asyncio.stall.cause"] == "python" and "code.stacktrace" in tags
    ),
    "How often does this coroutine hold the thread for long?": lambda name, seconds, tags: (
        name == "step parse_report" and seconds >= 0.05
    ),
    "Who was delayed by this coroutine?": lambda name, seconds, tags: (
        name != "step parse_report" and tags["asyncio.step.delayed_by.name"] == "parse_report"
    ),
    "Which requests were slow only because of the loop?": lambda name, seconds, tags: (
        name == "step request" and tags["asyncio.step.delayed_by.name"] == "parse_report"
    ),
    "Which tasks wait for this lock?": lambda name, seconds, tags: (
        name == "step customer" and tags["asyncio.wait.place"] == lock()
    ),
    "Is a thread pool too small?": lambda name, seconds, tags: (
        name == "executor sleep" and tags["asyncio.executor.queue.duration"] > 0.005
    ),
    "Which cancellations were swallowed?": lambda name, seconds, tags: (
        name == "task stubborn" and tags["asyncio.task.cancel.requested_by"] == "problems"
    ),
    "What did this task do?": lambda name, seconds, tags: name == "task parse_report",
}


def found(jaeger: Jaeger, query: str, service: str = "shop") -> list[list[Span]]:
    """The spans of the traces that the page would list, for a service in the shop's place."""
    search = query.removeprefix("/search?").replace("PLACE", lock())
    assert search.startswith("service=shop")
    return listed(jaeger, search, service=service)


def is_so(span: Span, wanted: Callable[[str, float, Tags], bool]) -> bool:
    """Whether it is true of a span, whose events' tags count as its own; what it lacks makes it false."""
    tags = {tag["key"]: tag["value"] for log in span["logs"] for tag in log["fields"]}
    tags |= {tag["key"]: tag["value"] for tag in span["tags"]}
    try:
        return wanted(span["operationName"], span["duration"] / 1e6, tags)
    except KeyError:
        return False


def test_each_jaeger_query_is_tested() -> None:
    assert {question for question, queries in QUERIES.items() if queries["jaeger"]} == set(PLANTED)


@pytest.mark.parametrize("question", PLANTED)
def test_jaeger_finds_what_was_planted(stack: Stack, question: str) -> None:
    (query,) = QUERIES[question]["jaeger"]
    deadline = time.monotonic() + 5
    while not (traces := found(stack.jaeger, query)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert traces
    assert all(any(is_so(span, PLANTED[question]) for span in trace) for trace in traces)


@pytest.mark.parametrize("question", PLANTED)
def test_jaeger_finds_nothing_where_all_is_well(stack: Stack, question: str) -> None:
    (query,) = QUERIES[question]["jaeger"]
    assert found(stack.jaeger, "/search?service=shop", "healthy"), "the healthy shop was not seen"
    assert not found(stack.jaeger, query, "healthy")


def test_each_question_has_traceql_that_parses() -> None:
    queries = {question: queries["traceql"] for question, queries in QUERIES.items() if "trace" not in question}
    assert all(queries.values()), queries
    try:
        assert traceql.wrong([query for each in queries.values() for query in each]) == []
    except traceql.Unavailable as error:
        pytest.skip(str(error))
