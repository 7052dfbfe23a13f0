"""Errors of loopscope's own, thrown in at every stage: the host's result is unchanged, one log line, and counted."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from loopscope import LoopscopeInstrumentor, runtime
from loopscope.model import clock
from tests.support import LOOPS

SPANS = 5 + 2 + 2 + 2 + 4 + 1  # steps of host, add, fail and wait; tasks; an executor's


class Fault(Exception):
    """Thrown in."""


def broken(*args: Any, **options: Any) -> Any:
    """Stands in for a function of loopscope's."""
    raise Fault("thrown in")


class Broken(SpanExporter, Sampler, IdGenerator):
    """An exporter, a sampler and an id generator none of which works."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return broken()  # type: ignore[no-any-return]

    def shutdown(self) -> None:
        broken()

    def should_sample(self, *args: Any, **options: Any) -> SamplingResult:
        return broken()  # type: ignore[no-any-return]

    def get_description(self) -> str:
        return "broken"

    def generate_span_id(self) -> int:
        return broken()  # type: ignore[no-any-return]

    def generate_trace_id(self) -> int:
        return broken()  # type: ignore[no-any-return]


async def host() -> list[Any]:
    """Some of everything: results, an exception, a cancellation, a timer, a callback, a thread."""

    async def add(a: int, b: int) -> int:
        await asyncio.sleep(0.001)
        return a + b

    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("the host's own")

    async def wait() -> str:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            return "cancelled"
        return "slept"

    task = asyncio.create_task(wait(), name="named")
    results: list[Any] = await asyncio.gather(add(1, 2), fail(), return_exceptions=True)
    task.cancel()
    results += [await task, task.get_name(), await asyncio.to_thread(lambda: 7)]
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, 8)
    return [*map(repr, results), await future]


RESULT = ["3", 'KeyError("the host\'s own")', "'cancelled'", "'named'", "7", 8]


@pytest.fixture(autouse=True)
def quiet_exits() -> Iterator[None]:
    """Nothing that a fault left behind may fail later, unseen: an unraisable exception fails the test."""
    seen: list[Any] = []
    before, sys.unraisablehook = sys.unraisablehook, seen.append
    yield
    sys.unraisablehook = before
    assert seen == []


def run(loop: str, caplog: pytest.LogCaptureFixture, **options: Any) -> tuple[dict[str, Any], list[str]]:
    """Run the host with loopscope on: the statistics at its end, and the log lines, of ours and of asyncio's."""
    caplog.set_level(logging.WARNING)
    LoopscopeInstrumentor().instrument(**options)
    try:
        assert LOOPS[loop](host()) == RESULT
        runtime.flush()
        statistics = runtime.statistics()
    finally:
        LoopscopeInstrumentor().uninstrument()
    return statistics, [record.getMessage() for record in caplog.records]


STOPPED = "loopscope stopped recording after an error of its own; the application goes on"

CAPTURE = [
    "loopscope.capture.core.Core.yields",
    "loopscope.capture.core.Core.wakes",
    "loopscope.capture.wakers.woken",
    "loopscope.capture.births.adopt",
    "loopscope.capture.births._conceive",
    "loopscope.capture.core.Core.stepped",
    "loopscope.capture.core.Core._ending",
    "loopscope.capture.core.Core.look",
    "loopscope.capture.core.Core.runs",
    "loopscope.capture.core.point",
    "loopscope.capture.coroutines.identify",
    "loopscope.capture.buffer.Buffer.put_vital",
    "loopscope.pipeline.spans.application.Application.describe",
    "loopscope.capture.awaits.function_name",
    "loopscope.capture.core.see",
]
PIPELINE = [
    "loopscope.pipeline.assembler.Assembler.feed",
    "loopscope.pipeline.assembler.Assembler._step",
    "loopscope.pipeline.spans.tracer.Tracer.stepped",
    "loopscope.pipeline.spans.tracer.Tracer.ended",
    "loopscope.pipeline.spans.describe.step_attributes",
    "loopscope.pipeline.culprits.Culprits.stepped",
    "loopscope.pipeline.stalls.Stalls.tick",
    "loopscope.pipeline.metrics.sums.Sums.stepped",
    "loopscope.pipeline.spans.handoffs.Handoffs.handed",
    "loopscope.pipeline.spans.steps.StepSpans.release",
    "loopscope.pipeline.pipeline.Pipeline.round",
    "loopscope.pipeline.export.outbox.Outbox.put",
    "loopscope.runtime.composition.choose",
]

#: what the native core does for itself
PYTHON = {"loopscope.capture.wakers.woken"}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("place", [*CAPTURE, *PIPELINE])
def test_fault_of_our_own(
    place: str, loop: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Loopscope switches itself off and says so once, with the traceback."""
    monkeypatch.setattr(place, broken)
    core = "python" if place in PYTHON else "auto"
    statistics, log = run(loop, caplog, span_exporter=InMemorySpanExporter(), core=core)
    assert log == [STOPPED]
    [record] = caplog.records
    assert record.name == "loopscope" and record.exc_info is not None and record.exc_info[0] is Fault
    assert (statistics["recording"], statistics["errors"] >= 1) == (False, True)


#: where the hooks read the clock: each reading makes a number, for which there may be no memory
CLOCKS = ["capture.core", "capture.polls", "capture.gate", "capture.handoffs", "capture.births", "capture.printed"]


@pytest.mark.parametrize("core", ["auto", "python"])
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("which", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("module", CLOCKS)
def test_no_memory_for_a_reading_of_the_clock(
    module: str, which: int, loop: str, core: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The host's callbacks are called, its functions run, its threads live on: as with any error of our own."""
    read, calls = clock, []

    def reading() -> int:
        calls.append(1)
        if len(calls) == which:
            raise MemoryError
        return read()

    monkeypatch.setattr(f"loopscope.{module}.clock", reading, raising=False)
    statistics, log = run(loop, caplog, span_exporter=InMemorySpanExporter(), core=core)
    assert log == ([STOPPED] if statistics["errors"] else []) and statistics["recording"] is (log == [])


def odd_spans() -> dict[str, Any]:
    """Spans that are none of the SDK's."""

    class Odd(NonRecordingSpan):
        def __init__(self, said: Any) -> None:
            self._said = said

        def get_span_context(self) -> Any:
            return self._said() if isinstance(self._said, type) else self._said

        def is_recording(self) -> bool:
            raise Fault

    return {
        "a mock": mock.Mock(),
        "a mock of a span": mock.Mock(spec=SdkSpan, get_span_context=lambda: mock.Mock(spec=SpanContext)),
        "none": Odd(None),
        "a tuple": Odd((1, 2, False)),
        "raises": Odd(Fault),
        "a text for a number": Odd(SpanContext(1, 2, False, "01")),  # type: ignore[arg-type]
        "which cannot say whether it records": Odd(SpanContext(1, 2, False, TraceFlags(1))),
    }


@pytest.mark.parametrize("core", ["auto", "python"])
@pytest.mark.parametrize("kind", odd_spans())
def test_spans_of_an_odd_kind(kind: str, core: str, caplog: pytest.LogCaptureFixture) -> None:
    """A test's double, or another tracer's: the step works for no trace, and the recording goes on."""
    exporter = InMemorySpanExporter()

    async def main() -> None:
        with trace.use_span(odd_spans()[kind], record_exception=False, set_status_on_exception=False):
            await asyncio.sleep(0)
        await asyncio.sleep(0)

    LoopscopeInstrumentor().instrument(span_exporter=exporter, core=core)
    try:
        asyncio.run(main())
        runtime.flush()
        assert (runtime.statistics()["errors"], caplog.messages) == (0, [])
    finally:
        LoopscopeInstrumentor().uninstrument()
    assert {"step " + main.__qualname__} <= {span.name for span in exporter.get_finished_spans()}


@pytest.mark.parametrize("loop", LOOPS)
def test_fault_in_mid_life(loop: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The tenth step fails: what was recorded before it still arrives. The native core calls the method for few."""
    from loopscope.capture.core import Core

    stepped, calls = Core.stepped, []

    def tenth(self: Core, *args: Any) -> None:
        calls.append(1)
        if len(calls) == 10:
            broken()
        stepped(self, *args)

    monkeypatch.setattr(Core, "stepped", tenth)
    exporter = InMemorySpanExporter()
    statistics, log = run(loop, caplog, span_exporter=exporter, core="python")
    assert (log, statistics["recording"], statistics["errors"]) == ([STOPPED], False, 1)
    assert len(calls) == 10
    assert len([span for span in exporter.get_finished_spans() if span.name.startswith("step ")]) == 9


@pytest.mark.parametrize("loop", LOOPS)
def test_exporter_that_raises(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    statistics, log = run(loop, caplog, span_exporter=Broken())
    assert log == [
        "loopscope's spans do not reach Broken: Fault: thrown in",
        f"loopscope lost {SPANS} spans (export_failed)",
    ]
    assert statistics["recording"] and statistics["spans.dropped"] == {"export_failed": SPANS}
    assert (statistics["spans.exported"], statistics["errors"]) == (0, 0)


@pytest.mark.parametrize("loop", LOOPS)
def test_span_that_cannot_be_encoded(
    loop: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("loopscope.pipeline.export.targets.readable", broken)
    statistics, log = run(loop, caplog, span_exporter=InMemorySpanExporter())
    assert log == [
        "loopscope's spans do not reach InMemorySpanExporter: a span could not be encoded",
        f"loopscope lost {SPANS} spans (not_encodable)",
    ]
    assert statistics["recording"] and statistics["spans.dropped"] == {"not_encodable": SPANS}


def test_sampler_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """It is asked for each root, and samples none."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=Broken())
    statistics, log = run("asyncio", caplog, span_exporter=exporter, tracer_provider=provider)
    assert log == ["loopscope: the sampler failed; going on without"]
    assert exporter.get_finished_spans() == ()
    assert (statistics["recording"], statistics["errors"]) == (True, 1)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_raises_to_end_the_program(error: type[BaseException], caplog: pytest.LogCaptureFixture) -> None:
    """A sampler or a generator does not end it, nor the recording."""

    class Ending(Broken):
        def should_sample(self, *args: Any, **options: Any) -> SamplingResult:
            raise error("not yours")

        def generate_span_id(self) -> int:
            raise error("not yours")

    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=Ending())
    statistics, log = run("asyncio", caplog, span_exporter=exporter, tracer_provider=provider)
    assert log == ["loopscope: the sampler failed; going on without"]
    assert exporter.get_finished_spans() == () and statistics["recording"]
    caplog.clear()
    provider = TracerProvider(id_generator=Ending())
    statistics, log = run("asyncio", caplog, span_exporter=exporter, tracer_provider=provider)
    assert log == ["loopscope: the id generator failed; going on without"]
    assert len(exporter.get_finished_spans()) == SPANS and statistics["recording"]


def test_id_generator_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """Loopscope's own ids are taken."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(id_generator=Broken())
    statistics, log = run("asyncio", caplog, span_exporter=exporter, tracer_provider=provider)
    assert log == ["loopscope: the id generator failed; going on without"]
    spans = exporter.get_finished_spans()
    assert len({span.context.span_id for span in spans if span.context}) == len(spans) == SPANS
    assert statistics["recording"] and statistics["errors"] == SPANS + 1  # one of them for the trace


@pytest.mark.parametrize("made", [0, -1, 1 << 64, 1 << 128, None, "an id"])
def test_id_generator_that_gives_none(made: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Nor is such an id sent to anybody."""

    class Odd(IdGenerator):
        def generate_span_id(self) -> int:
            return made  # type: ignore[no-any-return]

        def generate_trace_id(self) -> int:
            return made  # type: ignore[no-any-return]

    exporter = InMemorySpanExporter()
    statistics, log = run("asyncio", caplog, span_exporter=exporter, tracer_provider=TracerProvider(id_generator=Odd()))
    assert log == ["loopscope: the id generator failed; going on without"]
    spans = exporter.get_finished_spans()
    assert len({span.context.span_id for span in spans if span.context}) == len(spans) == SPANS
    assert statistics["recording"] and statistics["errors"] >= SPANS


def test_provider_that_cannot_be_built(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """As by a resource detector that raises an error the SDK does not catch."""
    monkeypatch.setattr(Resource, "create", broken)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "kept")
    exporter = InMemorySpanExporter()
    statistics, log = run("asyncio", caplog, span_exporter=exporter)
    assert log == ["loopscope: building a TracerProvider from the OTEL_* variables failed; going on without"]
    assert {span.resource.attributes["service.name"] for span in exporter.get_finished_spans()} == {"kept"}
    assert (statistics["recording"], statistics["errors"], statistics["spans.exported"]) == (True, 1, SPANS)


def test_control_nothing_is_broken(caplog: pytest.LogCaptureFixture) -> None:
    """The host as it is recorded without a fault."""
    exporter = InMemorySpanExporter()
    statistics, log = run("asyncio", caplog, span_exporter=exporter)
    assert log == []
    assert len(exporter.get_finished_spans()) == SPANS
    assert (statistics["recording"], statistics["errors"], statistics["spans.exported"]) == (True, 0, SPANS)
