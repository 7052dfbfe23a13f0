"""Metrics over OTLP, in processes of their own: by the variables alone, by the application's provider, over a fork."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ground.pythons import pythons
from tests.ground.receiver import Protocol, Receiver
from tests.metrics.points import Points, received
from tests.processes.program import CALM, PROTOCOLS, Ended, python, run, to

WORK = """
import asyncio, os, sys, time
async def work():
    await asyncio.sleep(0.05)
    time.sleep(0.02)
async def main():
    await asyncio.gather(*[work() for _ in range(3)])
"""
ASKED = {"OTEL_METRICS_EXPORTER": "otlp", **CALM}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def well(ended: Ended) -> Ended:
    assert (ended.code, ended.err) == (0, "")
    return ended


def check(points: Points) -> None:
    """What `main` did."""
    assert points["asyncio.task.count"][""] == 0
    assert points["asyncio.task.exits"]["returned"] >= 4
    assert points["asyncio.step.count"][""] >= 8
    assert 0.06 <= points["asyncio.step.time"]["running"] < 0.5
    assert points["asyncio.step.duration"][""].count >= 8


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_as_the_variables_ask(receiver: Receiver, protocol: Protocol) -> None:
    """A short program's metrics come once, at its end, with the resource of its spans."""
    well(run(WORK + "asyncio.run(main())", to(receiver, protocol, OTEL_SERVICE_NAME="mine", **ASKED)))
    (metrics,) = receiver.metrics()
    check(received([metrics]))
    assert ("service.name", "mine") in [(a.key, a.value.string_value) for a in metrics.resource.attributes]
    assert receiver.spans()


def test_without_spans(receiver: Receiver) -> None:
    for variables in ({"OTEL_PYTHON_LOOPSCOPE_DETAIL": "none"}, {"OTEL_TRACES_EXPORTER": "none"}):
        receiver.clear()
        well(run(WORK + "asyncio.run(main())", to(receiver, **variables, **ASKED)))
        check(received(receiver.metrics()))
        assert receiver.spans() == []


def test_while_it_runs(receiver: Receiver) -> None:
    """Every OTEL_METRIC_EXPORT_INTERVAL milliseconds, from the thread that is there anyway."""
    source = """
        import asyncio, threading
        async def main():
            for _ in range(35):
                await asyncio.sleep(0.1)
            print(sorted(thread.name for thread in threading.enumerate()))
        asyncio.run(main())
    """
    ended = well(run(source, to(receiver, OTEL_METRIC_EXPORT_INTERVAL="1000", **ASKED)))
    assert ended.out == "['MainThread', 'loopscope', 'loopscope-watchdog']\n"
    counts = [received([metrics])["asyncio.step.count"][""] for metrics in receiver.metrics()]
    assert len(counts) >= 3
    assert counts == sorted(counts) and counts[0] < counts[-1]


def test_not_where_nobody_asks(receiver: Receiver) -> None:
    """Nothing comes, and nothing of the SDK's metrics is imported."""
    source = WORK + "asyncio.run(main())\nprint('opentelemetry.sdk.metrics' in sys.modules)"
    for variables in ({}, {"OTEL_METRICS_EXPORTER": "none"}, {**ASKED, "OTEL_PYTHON_LOOPSCOPE_METRICS": "false"}):
        assert well(run(source, to(receiver, **variables))).out == "False\n"
    assert receiver.metrics() == []


def test_an_exporter_that_is_none(receiver: Receiver) -> None:
    """Told once; the spans come."""
    for name in ("nonsense", "prometheus"):
        ended = run(WORK + "asyncio.run(main())", to(receiver, OTEL_METRICS_EXPORTER=name))
        (line,) = ended.told
        assert line.startswith(f"loopscope cannot use the metrics exporter {name!r}: ")
        assert receiver.spans()


def test_nobody_answers(receiver: Receiver) -> None:
    """Told once, and the process ends in time."""
    ended = run(
        WORK + "asyncio.run(main())",
        to(receiver, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT="http://127.0.0.1:9/v1/metrics", OTEL_EXPORTER_OTLP_TIMEOUT="1", **ASKED),
        timeout=10,
    )  # fmt: skip
    assert ended.code == 0
    (line,) = ended.told
    assert line.startswith("loopscope's metrics do not reach otlp: ")
    assert receiver.spans()


IN_CODE = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
def provide():
    metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
"""


@pytest.mark.parametrize("late", [False, True])
def test_the_applications_provider_collects_at_its_end(receiver: Receiver, late: bool) -> None:
    """Its exit hook comes before or after ours; of the two providers that might be, the application's is used."""
    order = "provide(); asyncio.run(main())" if not late else "asyncio.run(late())"
    source = (
        f"{IN_CODE}{WORK}\nasync def late():\n    provide()\n    await main()\n    await asyncio.sleep(1.5)\n{order}"
    )
    well(run(source, to(receiver, **ASKED)))
    (metrics,) = receiver.metrics()
    points = received([metrics])
    assert points["asyncio.step.count"][""] >= 8
    assert points["asyncio.task.exits"]["returned"] >= 3


def test_a_forked_child_counts_for_itself(receiver: Receiver) -> None:
    """Parent: 4 tasks before the fork. Child: 2 tasks."""
    source = f"""{WORK}
async def two():
    await asyncio.gather(work())
asyncio.run(main())
from loopscope import runtime
runtime.flush()
pid = os.fork()
if pid == 0:
    asyncio.run(two())
    runtime.stop()
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
"""
    well(run(source, to(receiver, **ASKED)))
    seen = sorted((received([metrics]) for metrics in receiver.metrics()), key=lambda p: p["asyncio.step.count"][""])
    assert len(seen) == 3
    child, *parent = seen
    assert 2 <= child["asyncio.task.exits"]["returned"] <= 2 + 2, "its own tasks, and the runner's two"
    assert all(points["asyncio.task.exits"]["returned"] >= 4 for points in parent)
    assert 4 <= child["asyncio.step.duration"][""].count < 8


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_fork_warns_no_more(receiver: Receiver, protocol: Protocol) -> None:
    """3.12 warns of every thread that lives at a fork: gRPC's are gone by then, and the metrics go on."""
    if "3.12" not in pythons():
        pytest.skip("no Python 3.12 here")
    source = f"""{WORK}
from loopscope import runtime
for _ in range(5):
    asyncio.run(main())
    runtime.flush()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
"""
    alone = {**ASKED, "OTEL_PYTHON_LOOPSCOPE_DETAIL": "none"}  # else the spans' connection is waited for
    well(run(source, to(receiver, protocol, **alone), python=python("3.12"), flags=("-W", "always")))
    counts = [received([metrics])["asyncio.step.count"][""] for metrics in receiver.metrics()]
    assert len(counts) == 6 and counts == sorted(counts)


def test_exemplars(receiver: Receiver) -> None:
    """Each points to a step span that came."""
    well(run(f"{WORK}\nasyncio.run(main())\n", to(receiver, **ASKED)))
    point = received(receiver.metrics())["asyncio.step.duration"][""]
    spans = {(span.trace_id, span.span_id): span for span in receiver.spans()}
    assert point.exemplars
    for exemplar in point.exemplars:
        span = spans[exemplar.trace_id.hex(), exemplar.span_id.hex()]
        assert span.name.startswith("step ")
        assert span.end - span.start == round(exemplar.as_double * 1e9)
