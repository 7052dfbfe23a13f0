"""Metrics through the SDK, on both loops: what a scenario implies, with spans and without."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import opentelemetry.metrics
import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from loopscope import LoopscopeInstrumentor, runtime
from loopscope.pipeline.metrics import instruments
from tests.metrics.points import Points, read
from tests.support import LOOPS

NAMES = {each.name for each in instruments.OBSERVED} | {name for name, _ in instruments.HISTOGRAMS}
#: those with nothing to show in the scenario: no mishap, stall, cancellation, contention, loss
QUIET = {
    "asyncio.task.mishaps", "asyncio.task.cancellations", "asyncio.task.cancel.latency",
    "asyncio.task.cancel.swallowed", "asyncio.eventloop.stalls", "asyncio.wait.count", "asyncio.wait.time",
    "loopscope.span.dropped", "loopscope.detail.changes",
}  # fmt: skip


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def provider(reader: InMemoryMetricReader) -> Iterator[MeterProvider]:
    provider = MeterProvider([reader], shutdown_on_exit=False)
    yield provider
    provider.shutdown()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def on(provider: MeterProvider, spans: InMemorySpanExporter) -> Iterator[Callable[..., None]]:
    """Switches loopscope on with that provider and exporter, and off in the end."""

    def switch(**options: Any) -> None:
        LoopscopeInstrumentor().instrument(**{"meter_provider": provider, "span_exporter": spans} | options)

    yield switch
    LoopscopeInstrumentor().uninstrument()


async def work(failing: bool = False) -> None:
    await asyncio.sleep(0.1)
    time.sleep(0.03)
    if failing:
        raise ValueError


async def main(then: Callable[[], Any] = lambda: None) -> Any:
    """Five tasks sleep together and hold the loop for 30 ms one after another; one fails. `then` runs in a thread."""
    await asyncio.gather(*[work(failing=n == 0) for n in range(5)], return_exceptions=True)
    return await asyncio.to_thread(lambda: (runtime.flush(), then())[1])


def check(points: Points) -> None:
    """While `main` may still be in its last step but one: 5 tasks of 2 steps each, and its first."""
    assert set(points) == NAMES - QUIET
    assert points["asyncio.task.exits"] == {"returned": 4, "raised": 1, "cancelled": 0, "destroyed": 0}
    assert points["asyncio.step.count"][""] >= 11
    assert 0.45 < points["asyncio.task.waiting.time"][f"asyncio.sleep,{__name__}.work"] < 5
    times = points["asyncio.step.time"]
    assert 0.15 <= times["running"] < 0.5
    assert times["ready"] >= 0.03 * (1 + 2 + 3 + 4)
    loops = {key.removeprefix("True,"): value for key, value in points["asyncio.eventloop.time"].items()}
    assert set(loops) == {"active", "idle"}
    assert loops["active"] >= 0.15 and loops["idle"] >= 0.08
    used = points["asyncio.eventloop.utilization"][""]
    assert abs(used - loops["active"] / (loops["active"] + loops["idle"])) < 0.01
    assert 0.5 < points["asyncio.eventloop.coverage"][""] <= 1.0
    p50, p90, p99, longest = (points[f"asyncio.eventloop.delay.{q}"][""] for q in ("p50", "p90", "p99", "max"))
    assert p50 <= 0.03 and 0.08 <= p90 <= p99 <= longest
    assert 0.118 <= longest < 0.4  # a loop's own clock has milliseconds
    for name in ("asyncio.step.duration", "asyncio.step.ready.duration"):
        point = points[name][""]
        assert point.count >= 11
        assert tuple(point.explicit_bounds) == instruments.BOUNDS
    assert points["asyncio.step.duration"][""].max >= 0.03
    assert abs(points["asyncio.step.duration"][""].sum - times["running"]) < 0.03, (
        "of few steps the sample has all, but for those that end meanwhile"
    )


@pytest.mark.parametrize("detail", ["steps", "none"])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_scenario(
    on: Callable[..., None], reader: InMemoryMetricReader, spans: InMemorySpanExporter, loop: str, detail: str
) -> None:
    on(detail=detail)
    points = LOOPS[loop](main(lambda: read(reader)))
    check(points)
    assert points["asyncio.task.count"][""] >= 1
    assert points["loopscope.record.dropped"][""] == 0
    runtime.flush()
    assert read(reader)["asyncio.task.count"][""] == 0
    assert bool(spans.get_finished_spans()) is (detail != "none")
    shares = runtime.statistics()["coverage"]
    assert len(shares) == 1 and 0.5 < next(iter(shares.values())) <= 1.0


def test_off_they_are_mute_and_on_again_counters_go_on(
    on: Callable[..., None], reader: InMemoryMetricReader, provider: MeterProvider
) -> None:
    """The SDK takes no instrument off, makes none twice, and makes differences of what it read before and now."""
    on()
    check(first := asyncio.run(main(lambda: read(reader))))
    LoopscopeInstrumentor().uninstrument()
    assert set(read(reader)) <= {"asyncio.step.duration", "asyncio.step.ready.duration"}, "the SDK's own sums"
    on(span_exporter=InMemorySpanExporter())
    second = asyncio.run(main(lambda: read(reader)))
    exits = second["asyncio.task.exits"]
    assert exits["raised"] == 2 and 9 <= exits["returned"] <= 11  # of the first time, `main` and the runner's own too
    assert 22 <= second["asyncio.step.count"][""] <= 2 * first["asyncio.step.count"][""] + 8
    assert second["asyncio.task.count"] == first["asyncio.task.count"]


def test_metrics_false(on: Callable[..., None], reader: InMemoryMetricReader) -> None:
    on(metrics=False)
    asyncio.run(main())
    runtime.flush()
    assert read(reader) == {}


def test_a_provider_that_comes_later(
    on: Callable[..., None], reader: InMemoryMetricReader, provider: MeterProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found within about a second; what the sums counted before is there."""
    on(meter_provider=None)

    async def later() -> Points:
        await main()
        monkeypatch.setattr(opentelemetry.metrics._internal, "_METER_PROVIDER", provider)
        deadline = time.monotonic() + 10
        while not (points := read(reader)) and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        return points

    points = asyncio.run(later())
    assert points["asyncio.task.exits"]["raised"] == 1


def test_nothing_is_registered_where_there_is_no_provider(on: Callable[..., None]) -> None:
    """Nor on one that does nothing; and none is set."""
    before = opentelemetry.metrics._internal._METER_PROVIDER
    for given in (None, NoOpMeterProvider()):
        on(meter_provider=given, span_exporter=InMemorySpanExporter())
        asyncio.run(main())
        runtime.flush()
        current = runtime.current()
        assert current is not None and current.metrics.sums.sample is None
        assert all(board.source is None for _, board in instruments._boards.values())
        assert given is None or all(leads() is not given for leads, _ in instruments._boards.values())
        LoopscopeInstrumentor().uninstrument()
    assert opentelemetry.metrics._internal._METER_PROVIDER is before


def test_none_and_nobody_to_tell(on: Callable[..., None]) -> None:
    """No spans are wanted, and no metrics: it stays off."""
    on(detail="none", metrics=False)
    assert runtime.current() is None


def test_a_callback_that_fails_shows_nothing(
    on: Callable[..., None], reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the others go on."""
    on()
    asyncio.run(main())
    runtime.flush()
    current = runtime.current()
    assert current is not None

    def fail() -> Any:
        raise RuntimeError

    monkeypatch.setattr(current.metrics, "stalls", fail)
    monkeypatch.setattr(current.metrics, "statistics", fail)
    points = read(reader)
    assert points["asyncio.step.count"][""] > 0
    assert not any(name.startswith("loopscope.") for name in points)


def test_stalls_by_place_and_cause(on: Callable[..., None], reader: InMemoryMetricReader) -> None:
    """Of whoever counts them."""
    on()
    asyncio.run(main())
    current = runtime.current()
    assert current is not None
    current.metrics.stalls = lambda: {("app.py:7", "python"): 3}
    runtime.flush()
    assert read(reader)["asyncio.eventloop.stalls"] == {"app.py:7,python": 3}


@pytest.mark.parametrize("kind", ["a dataclass", "with slots"])
def test_a_provider_that_stands_for_another(on: Callable[..., None], kind: str, provider: MeterProvider) -> None:
    """As logfire's: it is compared by its values, and so has no hash; or nothing refers to it weakly."""

    @dataclasses.dataclass
    class Proxy:
        provider: MeterProvider

        def get_meter(self, *args: Any, **options: Any) -> Any:
            return self.provider.get_meter(*args, **options)

    class Slotted:
        __slots__ = ("get_meter",)

        def __init__(self, provider: MeterProvider) -> None:
            self.get_meter = provider.get_meter

    proxy = (Proxy if kind == "a dataclass" else Slotted)(provider)
    other = (Proxy if kind == "a dataclass" else Slotted)(provider)
    assert instruments.board(proxy) is instruments.board(proxy) is not instruments.board(other)
    on(meter_provider=proxy)
    asyncio.run(main())
    active = runtime.current()
    assert active is not None and active.metrics.built


def test_a_provider_that_cannot_be_used(
    on: Callable[..., None], spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """Is told once, and the spans go out."""

    class Broken:
        def get_meter(self, *args: Any, **options: Any) -> Any:
            raise RuntimeError("broken")

    on(meter_provider=Broken())
    asyncio.run(main())
    runtime.flush()
    runtime.flush()
    assert sum("meter provider" in record.getMessage() for record in caplog.records) == 1
    assert spans.get_finished_spans()


@pytest.mark.parametrize("loop", LOOPS)
def test_exemplars_point_to_exported_spans(
    on: Callable[..., None], reader: InMemoryMetricReader, spans: InMemorySpanExporter, loop: str
) -> None:
    """Slow and delayed steps only."""
    on()
    points = LOOPS[loop](main(lambda: read(reader)))
    exported = {(s.context.trace_id, s.context.span_id): s for s in spans.get_finished_spans() if s.context}
    exemplars = points["asyncio.step.duration"][""].exemplars
    assert exemplars
    for exemplar in exemplars:
        span = exported[exemplar.trace_id, exemplar.span_id]
        assert span.name.startswith("step ")
        took = (span.end_time or 0) - (span.start_time or 0)
        assert took == round(exemplar.value * 1e9)
        assert took >= 10_000_000 or "asyncio.step.delayed_by.name" in (span.attributes or {})


def test_no_exemplar_without_an_exported_span(
    on: Callable[..., None], reader: InMemoryMetricReader, spans: InMemorySpanExporter
) -> None:
    """Not even the span that is current where somebody flushes."""
    from opentelemetry.sdk.trace import TracerProvider

    on(detail="tasks")
    asyncio.run(main())
    with TracerProvider(shutdown_on_exit=False).get_tracer("app").start_as_current_span("request"):
        runtime.flush()
    point = read(reader)["asyncio.step.duration"][""]
    assert point.count >= 11 and list(point.exemplars) == []
