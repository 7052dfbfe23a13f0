"""The example service on uvloop with two workers: each problem, on alone, is at the top of its dashboard's ranking."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from examples.service.problems import NAMES
from tests.ground import prometheus as metrics
from tests.ground.collector import Collector
from tests.ground.jaeger import Jaeger
from tests.ground.prometheus import Prometheus
from tests.ground.shop import Asked, Shop
from tests.stack.test_dashboards import TARGETS

#: seconds until what was measured is in Prometheus
SETTLING = 2.0
#: on a busy machine metrics come later, and then count for the problem that is next
TRIES = 5
DELIVERIES = [Asked("GET", "/delivery/6", after=0.01 * number) for number in range(5)]


class Case(NamedTuple):
    """What is asked, and what is first then: in which panel, under which label, with what in it, and how much at least."""

    asked: list[Asked]
    panel: str
    label: str
    wanted: str
    #: task-seconds, seconds or a number; without the problem it is a tenth of that, or nothing
    least: float


CASES = {
    "blocking_json": Case(
        [Asked("GET", "/report"), *DELIVERIES], "loop: Stalls by place", "asyncio_stall_place", "reports.py", 1
    ),
    "lock_convoy": Case(
        [Asked("POST", "/orders", {"product": 7})] * 6, "waits: Locks, ranked", "asyncio_wait_place", "billing.py", 0.3
    ),
    "pool_exhaustion": Case(
        [Asked("GET", "/products/7")] * 10,
        "waits: Queues and events, ranked", "asyncio_wait_place", "catalogue.py", 2,
    ),
    "task_burst": Case(
        [Asked("GET", "/recommendations"), *DELIVERIES],
        "culprits: Culprits, ranked", "asyncio_step_delayed_by_name", "burst score", 10,
    ),
    "late_timeout": Case(
        [Asked("GET", "/delivery/7")] * 2,
        "waits: Cancelled tasks, ranked", "code_function_name", "warehouse._ask_and_tidy_up", 0.5,
    ),
    "slow_dependency": Case(
        [Asked("GET", "/products/7")] * 2,
        "waits: Waiting functions, ranked", "code_function_name", "warehouse.ask", 0.6,
    ),
    "swallowed_cancellation": Case(
        [Asked("GET", "/search?text=product")] * 2,
        "waits: Swallowed cancellations, ranked", "code_function_name", "searches.Searches._search", 1,
    ),
    "gil_native": Case(
        [Asked("POST", "/comments", {"text": "fine"}), *DELIVERIES],
        "loop: Stalls by place", "asyncio_stall_cause", "gil", 1,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def prometheus_and_shop(jaeger: Jaeger) -> Iterator[tuple[Prometheus, Shop]]:
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
        with prometheus, Shop(variables) as shop:
            prometheus.wait_for("sum(asyncio_step_count_total)", 20)
            yield prometheus, shop


def test_there_is_a_case_for_each_problem() -> None:
    assert list(CASES) == list(NAMES)


@pytest.mark.parametrize("problem", CASES)
def test_the_problem_is_at_the_top(prometheus_and_shop: tuple[Prometheus, Shop], problem: str) -> None:
    prometheus, shop = prometheus_and_shop
    case = CASES[problem]
    (query,) = [target["expr"] for name, title, target in TARGETS if f"{name}: {title}" == case.panel]
    for _ in range(TRIES):
        began = time.monotonic()
        with shop.problem(problem):
            for _ in range(3):
                assert all(each.answer.is_success for each in shop.ask(*case.asked))
        time.sleep(SETTLING)
        lasted = f"{math.ceil(time.monotonic() - began)}s"
        found = prometheus.query(query.replace("$__range", lasted).replace("$job", "ranked"))
        ranked = sorted(found, key=lambda each: -each[1])
        if ranked and case.wanted in ranked[0][0][case.label] and ranked[0][1] >= case.least:
            return
    raise AssertionError(ranked)
