"""The example service on uvloop with two workers, under its own load: each problem, on alone, is found and ranked.

The search that the shop's page documents finds it through Jaeger's API, and the panel that the page names has it first.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from examples.service.problems import NAMES
from tests.ground import prometheus as metrics
from tests.ground.collector import Collector
from tests.ground.jaeger import Jaeger
from tests.ground.load import load
from tests.ground.prometheus import Prometheus
from tests.ground.shop import ROOT, Shop
from tests.stack.reading import listed
from tests.stack.test_dashboards import DASHBOARDS

PAGE = (ROOT / "examples" / "service" / "README.md").read_text()
#: problem -> the search that finds it, and the dashboard and panel that have it first
SEARCHES: dict[str, str] = dict(re.findall(r"^\| `(\w+)` \| `((?:operation|tags)=.+)` \|$", PAGE, re.MULTILINE))
PANELS = {
    name: (board, panel) for name, board, panel in re.findall(r"^\| `(\w+)` .*\| (.+): \*(.+?)\*", PAGE, re.MULTILINE)
}
#: seconds until the load is whole; in which all must be well; from one problem to the next; until one must have shown
WARMING, HEALTHY, SETTLING, PATIENCE = 4, 5, 2, 30


class Case(NamedTuple):
    """What is first: the text in this label, with so many task-seconds, seconds or cases a second at least."""

    label: str
    wanted: str
    least: float


CASES = {
    "blocking_json": Case("asyncio_stall_place", "reports.py", 0.1),
    "lock_convoy": Case("asyncio_wait_place", "billing.py", 0.1),
    "pool_exhaustion": Case("asyncio_wait_place", "catalogue.py", 1),
    "task_burst": Case("asyncio_step_delayed_by_name", "burst score", 10),
    "late_timeout": Case("code_function_name", "warehouse._ask_and_tidy_up", 0.3),
    "slow_dependency": Case("code_function_name", "warehouse.ask", 0.6),
    "swallowed_cancellation": Case("code_function_name", "searches.Searches._search", 0.2),
    "gil_native": Case("asyncio_stall_cause", "gil", 0.5),
}


class Stack(NamedTuple):
    """The shop with its load, and where its traces and metrics go."""

    jaeger: Jaeger
    prometheus: Prometheus
    shop: Shop

    def shows(self, problem: str, since: float) -> bool:
        """Whether it was found and ranked first, for what there was since then."""
        case = CASES[problem]
        ranked = self._ranked(*PANELS[problem], since)
        if not ranked or case.wanted not in ranked[0][0].get(case.label, ""):
            return False
        between = {"service": "ranked", "start": f"{since * 1e6:.0f}", "end": f"{time.time() * 1e6:.0f}"}
        return ranked[0][1] >= case.least * (time.time() - since) and bool(
            listed(self.jaeger, SEARCHES[problem], **between)
        )

    def _ranked(self, board: str, title: str, since: float) -> list[tuple[dict[str, str], float]]:
        (dashboard,) = [each for each in DASHBOARDS.values() if each["title"].startswith(f"loopscope: {board}")]
        (query,) = [panel["targets"][0]["expr"] for panel in dashboard["panels"] if panel["title"] == title]
        lasted = f"{math.ceil(time.time() - since)}s"
        found = self.prometheus.query(query.replace("$__range", lasted).replace("$job", "ranked"))
        return sorted(found, key=lambda each: -each[1])


@pytest.fixture(scope="module")
def stack(jaeger: Jaeger) -> Iterator[Stack]:
    there = jaeger.grpc.removeprefix("http://")
    with Collector("forward", {"jaeger:4317": there, "tempo:4317": there}) as collector:
        try:
            prometheus = Prometheus(collector.page)
        except metrics.Unavailable as error:
            pytest.skip(str(error))
        variables = {
            "OTEL_PYTHON_LOOPSCOPE_ENABLED": "true", "OTEL_SERVICE_NAME": "ranked",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "500",
        }  # fmt: skip
        with prometheus, Shop(variables) as shop, load(shop.url):
            prometheus.wait_for("sum(asyncio_step_count_total)", 20)
            time.sleep(WARMING)
            yield Stack(jaeger, prometheus, shop)


def test_each_problem_is_documented_and_tested() -> None:
    assert list(CASES) == list(SEARCHES) == list(PANELS) == list(NAMES)


def test_nothing_shows_while_all_is_well(stack: Stack) -> None:
    since = time.time()
    time.sleep(HEALTHY)
    assert [problem for problem in CASES if stack.shows(problem, since)] == []


@pytest.mark.parametrize("problem", CASES)
def test_a_problem_is_found_and_ranked_first(stack: Stack, problem: str) -> None:
    time.sleep(SETTLING)
    since = time.time()
    with stack.shop.problem(problem):
        while not stack.shows(problem, since):
            assert time.time() < since + PATIENCE, stack._ranked(*PANELS[problem], since)
            time.sleep(0.5)
