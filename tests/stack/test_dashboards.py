"""The dashboards: sound files, whose every query parses, and which the real Prometheus answers with something."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import combinations
from typing import Any

import pytest

from tests.ground import traceql
from tests.ground.configured import DEPLOY
from tests.stack.conftest import SECONDS, Stack

pytestmark = pytest.mark.alone

FILES = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
DASHBOARDS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in FILES}
TARGETS = [
    (name, panel["title"], target)
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    for target in panel.get("targets", [])
]
PROMQL = [pytest.param(t["expr"], id=f"{name}: {title} {t['refId']}") for name, title, t in TARGETS if "expr" in t]
TRACEQL = [target["query"] for _, _, target in TARGETS if "query" in target]
#: what Grafana puts in place of its variables, for the time in which the shops ran
VARIABLES = {"$__rate_interval": f"{SECONDS}s", "$__range": "10m", "$job": ".*"}


def filled_in(query: str) -> str:
    """The query as Grafana sends it."""
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    assert "$" not in query
    return query


def test_there_are_four() -> None:
    assert list(DASHBOARDS) == ["culprits", "loop", "loopscope", "waits"]
    assert max(Counter(dashboard["uid"] for dashboard in DASHBOARDS.values()).values()) == 1


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=list(DASHBOARDS))
def test_sound(dashboard: dict[str, Any]) -> None:
    """Ids are unique, panels do not overlap, sources are provisioned ones, each target has one query."""
    assert dashboard["schemaVersion"] >= 39 and dashboard["title"]
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        for at in (panel["gridPos"] for panel in panels)
    ]
    assert not any(one & other for one, other in combinations(cells, 2))
    assert all(x < 24 for place in cells for x, _ in place)
    for panel in panels:
        if panel["type"] == "text":
            assert "loopscope view TRACE_ID" in panel["options"]["content"]
            continue
        assert panel["datasource"] in ({"type": "prometheus", "uid": "prometheus"}, {"type": "tempo", "uid": "tempo"})
        key = {"prometheus": "expr", "tempo": "query"}[panel["datasource"]["type"]]
        assert panel["targets"] and all(target[key] for target in panel["targets"])
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@pytest.mark.parametrize("query", PROMQL)
def test_every_panel_shows_something(stack: Stack, query: str) -> None:
    """At the best moment of the last minute: a gauge is gone with its process."""
    asked = filled_in(query)
    found = stack.prometheus.query(asked if "$__range" in query else f"max_over_time(({asked})[1m:1s])")
    assert found and all(labels for labels, _ in found)
    assert any(value == value for _, value in found), "nothing but NaN"


def test_the_culprit_is_ranked_first(stack: Stack) -> None:
    (query,) = [t["expr"] for name, title, t in TARGETS if (name, title) == ("culprits", "Culprits, ranked")]
    ranked = stack.prometheus.query(filled_in(query).replace('job=~".*"', 'job="shop"'))
    assert ranked[0][0]["asyncio_step_delayed_by_name"] == "parse_report"


def test_stalls_are_ranked_by_place(stack: Stack) -> None:
    (query,) = [t["expr"] for name, title, t in TARGETS if (name, title) == ("loop", "Stalls by place")]
    ranked = stack.prometheus.query(filled_in(query).replace('job=~".*"', 'job="shop"'))
    place, stalls = ranked[0]
    assert re.search(r"planted\.py:\d+$", place["asyncio_stall_place"]) and stalls > 5


def test_exemplars_lead_to_traces(stack: Stack) -> None:
    """The label that the data source turns into a link is there, and the trace is."""
    for _, title, target in TARGETS:
        if not target.get("exemplar"):
            continue
        found = stack.prometheus.exemplars(filled_in(target["expr"]))
        assert found, title
        assert any(stack.jaeger.trace(labels["trace_id"]) for labels in found)


def test_traceql_parses() -> None:
    try:
        assert traceql.wrong(TRACEQL) == []
    except traceql.Unavailable as error:
        pytest.skip(str(error))
    assert traceql.wrong(["{ span.asyncio.step.index > 1 | rate()"]), "the parser takes anything"
