"""Whose provider is used: the application's once there is one, else loopscope's own; the global one is never set."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ground.receiver import ReceivedSpan, Receiver
from tests.processes.program import CALM, Program, clean, run, to

OURS = ["step main", "step main", "task main"]

ABSENT = """
import asyncio

async def main():
    await asyncio.sleep(0.01)

asyncio.run(main())
import opentelemetry.trace
assert opentelemetry.trace._TRACER_PROVIDER is None
"""

#: a tracer taken early, a provider set while the loop runs, and a span before it and after it
LATE = """
import asyncio
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

tracer = trace.get_tracer("app")

async def handle(name):
    with tracer.start_as_current_span(name):
        await asyncio.sleep(0.01)

async def main():
    await asyncio.create_task(handle("early"))
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(ENDPOINT)))
    trace.set_tracer_provider(provider)
    await asyncio.create_task(handle("late"))

asyncio.run(main())
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A backend."""
    with Receiver() as listening:
        yield listening


def ours(spans: list[ReceivedSpan]) -> list[ReceivedSpan]:
    """Loopscope's spans, by start."""
    return sorted((span for span in spans if span.scope_name == "loopscope"), key=lambda span: (span.start, -span.end))


@pytest.mark.parametrize("more", [{}, {"OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider"}], ids=str)
def test_no_provider(receiver: Receiver, more: dict[str, str]) -> None:
    """Resource and sampler come from the variables; even reading the global provider would set it."""
    ended = run(ABSENT, to(receiver, OTEL_SERVICE_NAME="shop", OTEL_RESOURCE_ATTRIBUTES="team=a") | more)
    assert (ended.code, ended.err) == (0, "")
    spans = ours(receiver.spans())
    assert sorted(span.name for span in spans) == OURS
    assert {(span.resource["service.name"], span.resource["team"]) for span in spans} == {("shop", "a")}


def test_no_provider_and_a_sampler_in_the_environment(receiver: Receiver) -> None:
    ended = run(ABSENT, to(receiver, OTEL_TRACES_SAMPLER="always_off"))
    assert (ended.code, ended.err) == (0, "")
    assert receiver.spans() == []


def test_a_provider_set_while_the_loop_runs(receiver: Receiver) -> None:
    """A span opened before it was none. What is told goes out with its resource, the steps before it too."""
    source = LATE.replace("ENDPOINT", json.dumps(f"{receiver.http}/v1/traces"))
    ended = run(source, {**clean(), **CALM, "OTEL_PYTHON_LOOPSCOPE_ENABLED": "true"})
    assert (ended.code, ended.err) == (0, "")
    (late,) = [span for span in receiver.spans() if span.scope_name == "app"]
    spans = ours(receiver.spans())
    main, early, handled = [span for span in spans if span.name.startswith("task ")]
    assert (main.parent_id, early.parent_id, handled.parent_id) == ("", main.span_id, late.span_id)
    assert [span.name for span in spans if span.trace_id == main.trace_id].count("step handle") == 2
    assert handled.trace_id == late.trace_id
    assert {span.resource["service.name"] for span in spans} == {"shop"}


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({}, OURS),
        ({"OTEL_PYTHON_LOOPSCOPE_ENABLED": "true"}, OURS),
        ({"OTEL_PYTHON_LOOPSCOPE_ENABLED": "false"}, []),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "loopscope"}, []),
    ],
    ids=str,
)
def test_opentelemetry_instrument(
    receiver: Receiver, tmp_path: Path, variables: dict[str, str], names: list[str]
) -> None:
    environment = to(receiver)
    del environment["OTEL_PYTHON_LOOPSCOPE_ENABLED"]
    program = tmp_path / "app.py"
    program.write_text("import asyncio\nasync def main():\n    await asyncio.sleep(0.01)\nasyncio.run(main())\n")
    ended = Program(
        "from opentelemetry.instrumentation.auto_instrumentation import run; run()",
        {**environment, **variables},
        arguments=[sys.executable, str(program)],
    ).end()
    assert (ended.code, ended.told) == (0, []), ended.err
    assert sorted(span.name for span in ours(receiver.spans())) == names
