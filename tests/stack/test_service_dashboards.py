"""The example service on uvloop with two workers: each problem, on alone, is at the top of its dashboard's ranking.

A burst is second to the step that begins it, which keeps all those new tasks waiting, and a lock or queue may be second
to what uvicorn's own tasks idle on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest

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

#: problem -> what is asked, the panel, its label, and what its first value must contain
CASES = {
    "blocking_json": ([Asked("GET", "/report"), *DELIVERIES], "loop: Stalls by place", "asyncio_stall_place", "reports.py"),
    "task_burst": (
        [Asked("GET", "/recommendations"), *DELIVERIES],
        "culprits: Culprits, ranked",
        "asyncio_step_delayed_by_name",
        "score",
    ),
    "lock_convoy": ([Asked("POST", "/orders", {"product": 7})] * 6, "waits: Waits, ranked", "asyncio_wait_place", "billing.py"),
    "pool_exhaustion": ([Asked("GET", "/products/7")] * 10, "waits: Waits, ranked", "asyncio_wait_place", "catalogue.py"),
    "gil_native": (
        [Asked("POST", "/comments", {"text": "fine"}), *DELIVERIES],
        "loop: Stalls by place",
        "asyncio_stall_cause",
        "gil",
    ),
}  # fmt: skip

SECOND = {"task_burst", "pool_exhaustion"}


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


@pytest.mark.parametrize("problem", CASES)
def test_the_problem_is_at_the_top(prometheus_and_shop: tuple[Prometheus, Shop], problem: str) -> None:
    prometheus, shop = prometheus_and_shop
    asked, panel, label, wanted = CASES[problem]
    (query,) = [target["expr"] for name, title, target in TARGETS if f"{name}: {title}" == panel]
    for _ in range(TRIES):
        began = time.monotonic()
        with shop.problem(problem):
            for _ in range(3):
                assert all(each.answer.is_success for each in shop.ask(*asked))
        time.sleep(SETTLING)
        lasted = f"{math.ceil(time.monotonic() - began)}s"
        found = prometheus.query(query.replace("$__range", lasted).replace("$job", "ranked"))
        ranked = sorted(found, key=lambda each: -each[1])
        top = ranked[: 2 if problem in SECOND else 1]
        if any(wanted in labels[label] for labels, _ in top):
            return
    raise AssertionError(ranked)
