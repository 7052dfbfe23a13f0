"""An exemplar of a metric leads to a span that Jaeger has."""

from __future__ import annotations

from tests.ground.jaeger import Jaeger
from tests.ground.receiver import Receiver
from tests.metrics.points import received
from tests.processes.program import run, switched_on

SOURCE = """
import asyncio, time
async def work():
    await asyncio.sleep(0.05)
    time.sleep(0.02)
async def main():
    await asyncio.gather(*[work() for _ in range(3)])
asyncio.run(main())
"""


def test_exemplars_are_found(jaeger: Jaeger) -> None:
    """Metrics go to one place and spans to another, as they do."""
    with Receiver() as receiver:
        more = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{receiver.http}/v1/metrics"}
        ended = run(SOURCE, switched_on(jaeger.http, "http", **more))
        assert (ended.code, ended.err) == (0, "")
        points = received(receiver.metrics())
    for name in ("asyncio.step.duration", "asyncio.step.ready.duration"):
        assert points[name][""].exemplars
        for exemplar in points[name][""].exemplars:
            trace = jaeger.wait_for(exemplar.trace_id.hex(), 1)
            assert exemplar.span_id.hex() in {span.span_id for span in trace if span.name == "step work"}
