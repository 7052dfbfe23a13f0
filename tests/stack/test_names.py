"""The names in every TraceQL query are names that loopscope writes: a parser takes any."""

from __future__ import annotations

import re

import pytest

from loopscope import conventions
from tests.stack.test_dashboards import TRACEQL
from tests.stack.test_queries import QUERIES

WRITTEN = {value for name, value in vars(conventions).items() if name.isupper() and isinstance(value, str)}
OTHERS = {"service.name"}
ALL = TRACEQL + [query for queries in QUERIES.values() for query in queries["traceql"]]


@pytest.mark.parametrize("query", ALL)
def test_names_are_written(query: str) -> None:
    names = re.findall(r"\b(?:span|event|resource|link)\.([a-z_.]+)", query)
    assert set(names) <= WRITTEN | OTHERS
    for kind in re.findall(r'\bname (?:=~|=) "(\w+ )', query):
        assert kind in WRITTEN
