"""The names in every TraceQL query, and in links of Jaeger's page, are names that loopscope writes, on the right spans.

A parser takes any. So does Tempo, which answers with nothing, or with a group `nil`. What it wants was found with the
real one, 3.0.0.
"""

from __future__ import annotations

import json
import re

import pytest

from loopscope import conventions
from tests.ground.configured import DEPLOY
from tests.ground.spans import Attributes
from tests.stack.conftest import Stack
from tests.stack.test_dashboards import TRACEQL
from tests.stack.test_queries import QUERIES, lock

WRITTEN = {value for name, value in vars(conventions).items() if name.isupper() and isinstance(value, str)}
OTHERS = {"service.name"}
ALL = TRACEQL + [query for queries in QUERIES.values() for query in queries["traceql"]]
#: what a query asks of a span: name, comparison, value
CONDITION = re.compile(r'(?:(?<![:.\w])|span\.)(name|asyncio[\w.]+) (=~|!=|=|>) ("[^"]*"|[\d.]+\b(?!ms)|\w+)')


@pytest.mark.parametrize("query", ALL)
def test_names_are_written(query: str) -> None:
    names = re.findall(r"\b(?:span|event|resource|link)\.([a-z_.]+)", query)
    assert set(names) <= WRITTEN | OTHERS
    for kind in re.findall(r'\bname (?:=~|=) "(\w+ )', query):
        assert kind in WRITTEN


@pytest.fixture(scope="module")
def seen(stack: Stack) -> list[Attributes]:
    """Of each of the shop's spans its name, its attributes and those of its events."""
    ids = {id for name in ("parse_report", "request") for id in stack.jaeger.search("shop", f"step {name}")}
    spans = [span for id in ids for span in stack.jaeger.trace(id)]
    return [
        {key: value for event in span.events for key, value in event.attributes.items()}
        | {**span.attributes, "name": span.name}
        for span in spans
    ]


@pytest.mark.parametrize("query", ALL)
def test_numbers_are_of_their_kind(seen: list[Attributes], query: str) -> None:
    """By a whole number Tempo finds no double, nor the other way round; of doubles it makes no quantiles."""
    for name, _, value in CONDITION.findall(query):
        if value[0].isdigit():
            assert ("." in value) == _is_double(seen, name), name
    for name in re.findall(r"quantile_over_time\(span\.([\w.]+)", query):
        assert not _is_double(seen, name), name


def test_the_page_links_each_span_of_a_task_to_the_others(seen: list[Attributes]) -> None:
    (link,) = json.loads((DEPLOY / "jaeger-ui.json").read_text())["linkPatterns"]
    assert link["url"] == f"/trace/#{{trace.traceID}}?uiFind=%22{link['key']}%3D#{{{link['key']}}}%22"
    of_tasks = [span for span in seen if str(span["name"]).startswith(("task ", "step "))]
    assert of_tasks and all(link["key"] in span for span in of_tasks)


@pytest.mark.parametrize("query", ALL)
def test_what_is_found_has_what_is_asked_of_it(seen: list[Attributes], query: str) -> None:
    """All of it what it is grouped by, and some of it what is selected."""
    (*_, last) = re.findall(r"\{(.*?)\}", query.replace("PLACE", lock()))
    found = [span for span in seen if all(_holds(span.get(name), *rest) for name, *rest in CONDITION.findall(last))]
    assert found or "step.missing" in query
    for name in _named(query, " by "):
        assert all(name in span for span in found), name
    for name in _named(query, "select"):
        assert not found or any(name in span for span in found), name


def _is_double(seen: list[Attributes], name: str) -> bool:
    return any(isinstance(span.get(name), float) for span in seen)


def _holds(value: object, comparison: str, wanted: str) -> bool:
    match comparison:
        case "=~":
            return re.fullmatch(wanted.strip('"'), str(value)) is not None
        case "=":
            return str(value).lower() == wanted.strip('"').lower()
        case "!=":
            return value is not None
        case _:
            return isinstance(value, (int, float)) and value > float(wanted)


def _named(query: str, word: str) -> list[str]:
    return [
        re.sub(r"^ *(span\.|event\.)?", "", name)
        for names in re.findall(rf"{word}\((.*?)\)", query)
        for name in names.split(",")
    ]
