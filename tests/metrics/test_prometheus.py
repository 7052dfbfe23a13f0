"""A real Prometheus scrapes the stock exporter: one query a metric, answering what the scenario implies.

The exporter writes no exemplars; those are tested through the SDK and over OTLP.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY, start_http_server

from loopscope import LoopscopeInstrumentor, runtime
from loopscope.pipeline.metrics.instruments import HISTOGRAMS, OBSERVED
from tests.ground.ports import free_ports
from tests.ground.prometheus import Prometheus, Unavailable
from tests.metrics.test_instruments import work
from tests.support import LOOPS

HELD = "asyncio_step_awaiting='asyncio.Lock.acquire',asyncio_wait_place='app.py:7'"
CULPRIT = "asyncio_step_delayed_by_name='parse'"

#: query -> least and most that it may answer, while one task waits after five have ended
ANSWERS: dict[str, tuple[float, float]] = {
    "asyncio_task_count": (2, 2),
    "asyncio_task_exits_total{asyncio_task_state='returned'}": (4, 4),
    "asyncio_task_exits_total{asyncio_task_state='raised'}": (1, 1),
    "asyncio_task_exits_total{asyncio_task_state='cancelled'}": (1, 1),
    "asyncio_task_exits_total{asyncio_task_state='destroyed'}": (0, 0),
    "asyncio_task_mishaps_total{asyncio_task_mishap='never_awaited'}": (1, 1),
    "asyncio_task_cancellations_total": (1, 1),
    "asyncio_task_cancel_latency_seconds_total{code_function_name='asyncio.tasks.sleep'}": (0, 0.5),
    "asyncio_task_cancel_swallowed_total{code_function_name='app.stubborn'}": (1, 1),
    "asyncio_task_waiting_time_seconds_total{code_function_name='tests.metrics.test_instruments.work'}": (0.45, 5),
    # seven tasks and the main one
    "asyncio_step_count_total": (5 * 2 + 2 + 1 + 2, 40),
    "asyncio_step_time_seconds_total{asyncio_step_state='running'}": (0.15, 0.5),
    "asyncio_step_time_seconds_total{asyncio_step_state='ready'}": (0.3, 2),
    f"asyncio_step_delayed_count_total{{{CULPRIT}}}": (1, 1),
    f"asyncio_step_delayed_time_seconds_total{{{CULPRIT}}}": (0.25, 0.25),
    f"asyncio_wait_count_total{{{HELD}}}": (1, 1),
    f"asyncio_wait_time_seconds_total{{{HELD}}}": (0.5, 0.5),
    "asyncio_eventloop_time_seconds_total{asyncio_eventloop_state='active'}": (0.15, 1),
    "asyncio_eventloop_time_seconds_total{asyncio_eventloop_state='idle'}": (0.08, 60),
    "asyncio_eventloop_utilization": (0, 1),
    "asyncio_eventloop_coverage": (0.5, 1),
    "max_over_time(asyncio_eventloop_delay_p50_seconds[1m])": (0, 0.05),
    "max_over_time(asyncio_eventloop_delay_p90_seconds[1m])": (0.05, 0.5),
    "max_over_time(asyncio_eventloop_delay_p99_seconds[1m])": (0.05, 0.5),
    "max_over_time(asyncio_eventloop_delay_max_seconds[1m])": (0.05, 0.5),
    "asyncio_eventloop_stalls_total{asyncio_stall_place='app.py:9',asyncio_stall_cause='python'}": (2, 2),
    "loopscope_record_dropped_total": (0, 0),
    "loopscope_span_exported_total": (5 * 2 + 5, 60),
    "loopscope_span_coalesced_total": (0, 0),
    "loopscope_span_dropped_total{loopscope_cause='budget'}": (3, 3),
    "loopscope_buffer_usage": (0, 0.1),
    "loopscope_detail_level": (0, 0),
    "loopscope_detail_changes_total{loopscope_detail_level='1',loopscope_cause='rate'}": (1, 1),
    "asyncio_step_duration_seconds_count": (13, 40),
    "asyncio_step_duration_seconds_bucket{le='0.025'}": (2, 40),
    "asyncio_step_ready_duration_seconds_count": (13, 40),
    "histogram_quantile(0.99, asyncio_step_ready_duration_seconds_bucket)": (0.05, 0.5),
}


@pytest.fixture
def scraped() -> Iterator[MeterProvider]:
    """A provider with the stock reader, whose page is at `.address`."""
    reader = PrometheusMetricReader()
    (port,) = free_ports(1)
    server, thread = start_http_server(port, "127.0.0.1")
    provider: Any = MeterProvider([reader], shutdown_on_exit=False)
    provider.address = f"127.0.0.1:{port}"
    yield provider
    provider.shutdown()
    server.shutdown()
    server.server_close()
    thread.join()
    assert reader._collector not in REGISTRY._collector_to_names


def notes_of_others() -> None:
    """What other parts of the pipeline count, put in by hand."""
    current = runtime.current()
    assert current is not None
    current.metrics.stalls = lambda: {("app.py:9", "python"): 2}
    current.pipeline.lost["budget"] = 3
    current.pipeline.budget.changes["rate"] = {1: 1}
    sums = current.metrics.sums
    sums.mishap(0, 0, "never_awaited")
    sums.delayed.add("parse", 250_000_000)
    sums.waits.add(("asyncio.Lock.acquire", "app.py:7"), 500_000_000)
    sums.swallowed.add("app.stubborn")


@pytest.mark.parametrize("loop", LOOPS)
def test_a_query_per_metric(scraped: Any, loop: str) -> None:
    try:
        prometheus = Prometheus(scraped.address)
    except Unavailable as error:
        pytest.skip(str(error))
    over = threading.Event()

    async def main() -> None:
        waiting = asyncio.create_task(asyncio.sleep(60))
        doomed = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0)
        doomed.cancel()
        await asyncio.gather(*[work(failing=n == 0) for n in range(5)], doomed, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(None, over.wait)
        waiting.cancel()

    LoopscopeInstrumentor().instrument(meter_provider=scraped, span_exporter=InMemorySpanExporter())
    thread = threading.Thread(target=lambda: LOOPS[loop](main()))
    try:
        with prometheus:
            thread.start()
            notes_of_others()
            prometheus.wait_for("asyncio_step_duration_seconds_count > 12", 20)
            prometheus.wait_for("asyncio_task_exits_total{asyncio_task_state='raised'} > 0")
            prometheus.wait_for("loopscope_span_exported_total > 14")
            time.sleep(2)  # the gauges' next interval, in which nothing happens
            wrong = {}
            for query, (least, most) in ANSWERS.items():
                value = prometheus.value(query)
                if value is None or not least <= value <= most:
                    wrong[query] = value
            assert wrong == {}
            asked = {query.replace("_", ".") for query in ANSWERS}
            unasked = [n for n in (*(o.name for o in OBSERVED), *(h[0] for h in HISTOGRAMS))
                       if not any(n.replace("_", ".") in query for query in asked)]  # fmt: skip
            assert unasked == []
            estimated = prometheus.query(
                "asyncio_eventloop_time_seconds_total{asyncio_eventloop_time_estimated='True'}"
            )
            assert len(estimated) in (0, 2)
    finally:
        over.set()
        thread.join()
        LoopscopeInstrumentor().uninstrument()
