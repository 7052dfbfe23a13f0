"""Each recipe of deploy/collector, run as it stands by a real Collector over what real programs send."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from tests.ground import prometheus as metrics
from tests.ground.collector import RECIPES, Collector
from tests.ground.jaeger import Unavailable
from tests.ground.prometheus import Prometheus
from tests.ground.receiver import ReceivedSpan, Receiver
from tests.processes.program import CALM, run, switched_on

HASTY = {"decision_wait: 10s": "decision_wait: 2s"}
REQUESTS, EVERY = 400, 20
#: requests one after another, each a trace, each so-many-th of which does `slow`; it prints the ids of these
SOURCE = f"""
import asyncio, time
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=200))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("app")
async def request(number):
    with tracer.start_as_current_span("request") as span:
        await asyncio.sleep(0)
        if number % {EVERY} == 0:
            SLOW
            print(format(span.get_span_context().trace_id, "032x"))
        await asyncio.sleep(0)
async def main():
    for number in range({REQUESTS}):
        await asyncio.create_task(request(number))
asyncio.run(main())
provider.shutdown()
"""
STALLING = SOURCE.replace("SLOW", "time.sleep(0.05)")
#: a task whose first step is delayed, and whose third and last one fails, all short
VICTIM = """
async def victim():
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    raise ValueError
"""
DELAYING = VICTIM + SOURCE.replace(
    "SLOW", "task = asyncio.create_task(victim()); time.sleep(0.05); await asyncio.wait([task]); task.exception()"
)
#: nobody calls it a stall, but a task is ready meanwhile
HOLDING = SOURCE.replace("SLOW", "task = asyncio.create_task(asyncio.sleep(0)); time.sleep(0.05); await task")
WAITING = SOURCE.replace("SLOW", "await asyncio.sleep(0.15)")

Traces = dict[str, list[ReceivedSpan]]


@contextmanager
def recipe(name: str) -> Iterator[tuple[Collector, Receiver]]:
    """The recipe between a program and a receiver in the place of all that it sends to."""
    with Receiver() as receiver:
        there = f"127.0.0.1:{receiver.grpc_port}"
        text = (RECIPES / f"{name}.yaml").read_text()
        hosts = {host: there for host in ("jaeger:4317", "tempo:4317") if host in text}
        hasty = {old: new for old, new in HASTY.items() if old in text}
        try:
            collector = Collector(name, hosts | hasty)
        except Unavailable as error:
            pytest.skip(str(error))
        with collector:
            yield collector, receiver


def sent(collector: Collector, source: str, settings: Mapping[str, str] = CALM) -> set[str]:
    """The ids of the slow requests, once the program has sent all."""
    ended = run(source, switched_on(collector.http, **settings))
    assert ended.code == 0, ended.err
    slow = set(ended.out.split())
    assert len(slow) == REQUESTS / EVERY
    return slow


def by_trace(spans: list[ReceivedSpan]) -> Traces:
    """Spans by their trace."""
    found: Traces = defaultdict(list)
    for span in spans:
        found[span.trace_id].append(span)
    return found


def settled(receiver: Receiver, least: int) -> Traces:
    """What came, once nothing has come for two seconds after at least so many spans."""
    before = -1
    receiver.wait(least, 20)
    while len(spans := receiver.spans()) > before:
        before = len(spans)
        with pytest.raises(TimeoutError):
            receiver.wait(lambda _: False, 2)
    return by_trace(spans)


def noteworthy(trace: list[ReceivedSpan]) -> bool:
    """Whether the recipe promises to keep it."""
    return any(
        span.attributes.get("asyncio.step.delayed_by.duration", 0) > 0.01
        or span.attributes.get("asyncio.step.delayed.duration", 0) > 0.01
        or any(event.name == "asyncio.stall" for event in span.events)
        for span in trace
    )


@pytest.mark.parametrize(
    ("source", "settings"),
    [(STALLING, {"OTEL_PYTHON_LOOPSCOPE_STALL_THRESHOLD": "0.02"}), (HOLDING, CALM)],
    ids=["stalled", "delayed"],
)
def test_tail_sampling_keeps_what_matters_and_a_share_of_the_rest(source: str, settings: Mapping[str, str]) -> None:
    with recipe("tail-sampling") as (collector, receiver):
        slow = sent(collector, source, settings)
        kept = settled(receiver, 1)
    assert slow <= set(kept)
    told = {id for id, trace in kept.items() if noteworthy(trace)}
    assert slow <= told
    others, share = REQUESTS - len(told), len(set(kept) - told)
    # a tenth, give or take four standard deviations
    assert others * 0.1 - 4 * (others * 0.09) ** 0.5 <= share <= others * 0.1 + 4 * (others * 0.09) ** 0.5


def test_fast_traces_lose_their_steps_and_nothing_else() -> None:
    with recipe("drop-fast-steps") as (collector, receiver):
        slow = sent(collector, WAITING)
        traces = {
            id: trace for id, trace in settled(receiver, REQUESTS).items() if any(s.name == "request" for s in trace)
        }
    assert len(traces) == REQUESTS
    for id, trace in traces.items():
        names = Counter(span.name for span in trace)
        assert names["request"] == 1 and names["task request"] == 1
        lasts = max(span.end for span in trace) - min(span.start for span in trace)
        assert (names["step request"] > 0) == (lasts >= 100_000_000), (id in slow, lasts, names)
    assert all(Counter(span.name for span in traces[id])["step request"] == 4 for id in slow)


def test_short_steps_are_dropped() -> None:
    """Of the victim's three the quiet one in the middle goes, of each quick request's all."""
    with recipe("drop-short-steps") as (collector, receiver):
        slow = sent(collector, DELAYING)
        traces = settled(receiver, REQUESTS * 2)
    for id, trace in traces.items():
        steps = [span for span in trace if span.name.startswith("step ")]
        assert all(
            step.end - step.start >= 1_000_000
            or {"asyncio.step.delayed_by.name", "asyncio.step.delayed.count", "error.type"} & set(step.attributes)
            for step in steps
        )
        if id in slow:
            kept = {step.attributes["asyncio.step.index"] for step in steps if step.name == "step victim"}
            assert {0, 2} <= kept and any(step.name == "step request" for step in steps)
    steps = [span for trace in traces.values() for span in trace if span.name == "step request"]
    assert REQUESTS / EVERY <= len(steps) < REQUESTS
    tasks = [span for trace in traces.values() for span in trace if span.name == "task request"]
    assert len(tasks) == REQUESTS and all(span.attributes["asyncio.task.step.count"] >= 3 for span in tasks)


def test_spans_are_counted() -> None:
    with recipe("span-metrics") as (collector, receiver):
        try:
            prometheus = Prometheus(collector.page)
        except metrics.Unavailable as error:
            pytest.skip(str(error))
        with prometheus:
            sent(collector, STALLING)
            there = len([span for span in receiver.wait(REQUESTS * 5) if span.name == "step request"])
            prometheus.wait_for("sum(steps_calls_total{span_name='step request'})", 20)
            prometheus.wait_for(f"sum(steps_calls_total{{span_name='step request'}}) >= {there}", 20)
            assert not prometheus.query("steps_calls_total{span_name=~'task.*|request'}")
            slow = prometheus.value(
                "sum(steps_duration_seconds_count{span_name='step request'})"
                " - sum(steps_duration_seconds_bucket{span_name='step request', le='0.025'})"
            )
            assert slow is not None and slow >= REQUESTS / EVERY
            assert prometheus.exemplars("steps_duration_seconds_bucket")


def test_forwarding_sends_to_both() -> None:
    """Each span comes twice, for both destinations are one receiver; metrics are tested with the dashboards."""
    with recipe("forward") as (collector, receiver):
        sent(collector, WAITING)
        spans = receiver.wait(lambda so_far: sum(span.name == "request" for span in so_far) >= 2 * REQUESTS, 20)
    assert set(Counter(span.span_id for span in spans if span.name == "request").values()) == {2}


def test_every_recipe_has_its_test() -> None:
    tested = {"forward", "tail-sampling", "drop-fast-steps", "drop-short-steps", "span-metrics"}
    assert {path.stem for path in RECIPES.glob("*.yaml")} == tested
