"""What the cold side touches of OpenTelemetry's insides is where it was: a test for each name."""

from __future__ import annotations

import contextvars
import inspect
import logging
import random
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import opentelemetry.context
import opentelemetry.exporter.otlp.proto.grpc.exporter as grpc_module
import opentelemetry.exporter.otlp.proto.http.trace_exporter as http_module
import opentelemetry.metrics
import opentelemetry.trace
import pytest
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from loopscope.capture.life import nothing
from loopscope.pipeline.export import otlp_grpc, otlp_http
from loopscope.pipeline.export.choose import _exporters_of
from loopscope.pipeline.export.provider import Provider, global_provider
from loopscope.pipeline.export.stock import Quiet, private_random
from loopscope.pipeline.metrics import own
from loopscope.pipeline.metrics import provider as metrics_provider
from loopscope.pipeline.metrics.provider import application_provider, global_meter_provider
from loopscope.pipeline.spans import application
from loopscope.pipeline.spans.application import Application
from tests.records import span_end, span_start


@pytest.fixture
def tracer() -> Iterator[opentelemetry.trace.Tracer]:
    """Of an SDK provider that nobody else sees."""
    provider = TracerProvider(shutdown_on_exit=False)
    yield provider.get_tracer("test")
    provider.shutdown()


def test_a_provider_that_stands_for_the_sdks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As logfire's does: the SDK's provider within is used, whichever it is by now."""

    class Proxy(opentelemetry.trace.TracerProvider):
        def __init__(self, provider: Any) -> None:
            self.provider = provider

        def get_tracer(self, *args: Any, **options: Any) -> Any:
            return self.provider.get_tracer(*args, **options)

    class Odd(Proxy):
        @property
        def provider(self) -> Any:
            raise ValueError("not yet")

        @provider.setter
        def provider(self, provider: Any) -> None:
            """None is kept."""

    first, second = (TracerProvider(shutdown_on_exit=False) for _ in range(2))
    outer = Proxy(inner := Proxy(first))
    monkeypatch.setattr(opentelemetry.trace, "_TRACER_PROVIDER", outer)
    ours = Provider()
    assert ours.sdk() is first and global_provider() is first
    inner.provider = second
    ours.span_id()
    assert ours.sdk() is second
    assert Provider(given=Proxy(first)).sdk() is first
    for other in (Odd(first), Proxy(None), (loops := Proxy(None))):
        loops.provider = loops
        monkeypatch.setattr(opentelemetry.trace, "_TRACER_PROVIDER", other)
        assert global_provider() is other and type(Provider().sdk()) is TracerProvider


def test_names_of_what_is_replaced(tracer: opentelemetry.trace.Tracer) -> None:
    """They are those of the originals: an executor's span is named by such a function."""
    seen = Application(lambda record: None, 0)
    kind = ContextVarsRuntimeContext
    replaced = [
        (kind.attach, seen.attach(nothing, nothing)(kind.attach)),
        (kind.detach, seen.detach(nothing, nothing)(kind.detach)),
        (application.Span.start, seen.started(application.Span.start)),
        (application.Span.end, seen.ended(application.Span.end)),
    ]
    for original, ours in replaced:
        assert (ours.__qualname__, ours.__module__, ours.__doc__) == (
            original.__qualname__, original.__module__, original.__doc__
        )  # fmt: skip
        assert inspect.signature(ours) == inspect.signature(original)


def test_the_current_span_without_attaching(tracer: opentelemetry.trace.Tracer) -> None:
    """`_RUNTIME_CONTEXT`, its class and its ContextVar; `_SPAN_KEY`. In another context too."""
    assert type(opentelemetry.context._RUNTIME_CONTEXT) is ContextVarsRuntimeContext is application.RuntimeContext
    assert isinstance(opentelemetry.context._RUNTIME_CONTEXT._current_context, contextvars.ContextVar)
    seen = Application(lambda record: None, 0)
    before = contextvars.copy_context()
    with tracer.start_as_current_span("x") as span:
        identity: Any = span.get_span_context()
        assert seen.current() is opentelemetry.context.get_current()
        assert seen.describe(seen.current()) == identity
        assert seen.describe(seen.current_in(before)) is None
        assert seen.describe(seen.current_in(contextvars.copy_context())) == identity
        assert seen.current() is seen.current(), "the same object while nothing changed"
    assert seen.describe(seen.current()) is None
    assert (identity.is_remote, identity.trace_flags & 1) == (False, 1)


def test_starts_and_ends_are_seen(tracer: opentelemetry.trace.Tracer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once each, through the SDK's `Span.start` and `Span.end`; a second end is none; of sampled-out spans none."""
    records: list[tuple[object, ...]] = []
    seen = Application(records.append, 0)
    monkeypatch.setattr(application, "clock", lambda: 7)
    monkeypatch.setattr(application.Span, "start", seen.started(application.Span.start))
    monkeypatch.setattr(application.Span, "end", seen.ended(application.Span.end))
    span = tracer.start_span("x")
    trace = span.get_span_context().trace_id
    span.end()
    span.end()
    assert records == [span_start(trace, 7), span_end(trace, 7)]
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False).get_tracer("test").start_span("y").end()
    assert len(records) == 2


def test_activations_are_seen(tracer: opentelemetry.trace.Tracer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the runtime context's `attach`; an error of ours does not reach the application."""
    activated: list[object] = []
    failed: list[bool] = []

    def activate(context: object) -> None:
        activated.append(context)
        raise ValueError

    attach = Application.attach(activate, lambda: failed.append(True))(ContextVarsRuntimeContext.attach)
    monkeypatch.setattr(ContextVarsRuntimeContext, "attach", attach)
    with tracer.start_as_current_span("x"):
        assert activated == [opentelemetry.context.get_current()]
    assert failed == [True]


def test_a_span_that_was_open_before_counts_as_started_when_it_is_met(tracer: opentelemetry.trace.Tracer) -> None:
    """Once; `start_time` of the SDK's span tells."""
    records: list[tuple[object, ...]] = []
    with tracer.start_as_current_span("x") as span:
        seen = Application(records.append, since=1 << 62)
        for _ in range(3):
            seen.describe(seen.current())
        assert [record[:2] for record in records] == [span_start(span.get_span_context().trace_id, 0)[:2]]
        records.clear()
        Application(records.append, since=0).describe(seen.current())
        assert records == []


def test_the_global_provider_is_read_and_not_set() -> None:
    """`_TRACER_PROVIDER`; `get_tracer_provider()` may set one."""
    before = opentelemetry.trace._TRACER_PROVIDER
    assert global_provider() is before
    assert "_TRACER_PROVIDER" in inspect.getsource(opentelemetry.trace.get_tracer_provider)


def test_the_global_meter_provider_is_read_and_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`metrics._internal._METER_PROVIDER`; `get_meter_provider()` may set one. One that does nothing is none."""
    assert metrics_provider.READABLE
    before = opentelemetry.metrics._internal._METER_PROVIDER
    assert global_meter_provider() is before
    assert "_METER_PROVIDER" in inspect.getsource(opentelemetry.metrics.get_meter_provider)
    mine = NoOpMeterProvider()
    monkeypatch.setattr(opentelemetry.metrics._internal, "_METER_PROVIDER", mine)
    assert global_meter_provider() is mine
    assert application_provider(None) is None and application_provider(mine) is None


def test_the_bases_of_a_metric_exporter() -> None:
    """What the periodic reader takes of an exporter, and the modules that draw its jitter."""
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as Grpc
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as Http

    for kind in (Grpc, Http):
        assert own._jitter(kind), f"{kind.__module__} draws its jitter elsewhere"
        reader = own.Reader(kind, "there")
        assert all(isinstance(module.random, random.Random) for module in own._jitter(kind))
        assert reader._preferred_temporality
        reader.shutdown()
        assert all(module.random is random for module in own._jitter(kind))


def test_ids_leave_the_applications_random_alone() -> None:
    """The SDK's generator draws from `random`; one of the application's own is used."""
    provider = TracerProvider(shutdown_on_exit=False)
    assert type(provider.id_generator) is RandomIdGenerator
    random.seed(7)
    before = random.getstate()
    ours = Provider(provider)
    assert ours.trace_id() and ours.span_id()
    assert random.getstate() == before
    provider.id_generator.generate_trace_id()
    assert random.getstate() != before, "then loopscope need not have its own"

    class Mine(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            return 5

    assert Provider(TracerProvider(id_generator=Mine(), shutdown_on_exit=False)).trace_id() == 5


@pytest.mark.parametrize("wrap", [SimpleSpanProcessor, BatchSpanProcessor])
def test_the_exporters_of_a_provider(wrap: type) -> None:
    """Found behind either processor."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(wrap(exporter))
    assert _exporters_of(provider) == [exporter]
    provider.shutdown()


def test_the_http_exporter_takes_bytes() -> None:
    """Its client, what it answers, where its settings are, what draws its jitter, where it logs."""
    assert otlp_http.takes_bytes()
    exporter = HttpExporter(endpoint="http://there:1/x", headers={"a": "b"}, timeout=3)
    settings = otlp_http.settings_of(exporter)
    assert (settings["endpoint"], settings["timeout"], settings["headers"]["a"]) == ("http://there:1/x", 3, "b")
    assert otlp_http.settings_of(HttpExporter(**settings)) == settings
    assert inspect.signature(exporter._client.export).bind(b"request")
    assert callable(exporter._client._transport.request)
    sender = otlp_http.HttpSender(exporter)
    jitter = sys.modules[type(exporter._client).__module__]
    assert isinstance(jitter.random, random.Random) and not isinstance(jitter.random, ModuleType)
    sender.close()
    assert isinstance(jitter.random, ModuleType)
    assert http_module._logger.name == http_module.__name__


def test_the_grpc_exporter_takes_bytes() -> None:
    """The methods that are overridden, the stub, where its settings are, what draws its jitter, where it logs."""
    assert otlp_grpc.takes_bytes()
    exporter = otlp_grpc.RawExporter(endpoint="http://there:1", headers={"a": "b"}, timeout=3, insecure=True)
    assert callable(exporter._client.Export)
    assert exporter._translate_data((b"x", 2)) == b"x"
    assert exporter._count_data((b"x", 2)) == 2
    settings = otlp_grpc.settings_of(exporter)
    assert (settings["endpoint"], settings["insecure"], settings["timeout"]) == ("there:1", True, 3)
    sender = otlp_grpc.GrpcSender(exporter)
    assert isinstance(vars(grpc_module)["random"], random.Random)
    sender.close()
    assert isinstance(vars(grpc_module)["random"], ModuleType)
    assert grpc_module.logger.name == grpc_module.__name__


def test_a_private_random_is_undone() -> None:
    """The module has its own again, once the last of two users is done, whichever is first."""

    class Module:
        random = random

    for first in (0, 1):
        undo = [private_random(Module), private_random(Module)]
        undo[first]()
        assert isinstance(Module.random, random.Random)
        undo[1 - first]()
        assert Module.random is random


def test_quiet_keeps_only_what_is_logged_inside(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application's own exporter logs on; ours is remembered."""
    logger = logging.getLogger("test.stock")
    monkeypatch.setattr(logger, "filters", [lambda record: "theirs" in record.getMessage()])  # it would drop ours
    quiet = Quiet(["test.stock"], nothing)
    logger.error("theirs %d", 1)
    with quiet:
        logger.error("ours %d", 2)
    logger.error("theirs %d", 3)
    quiet.remove()
    assert [record.getMessage() for record in caplog.records] == ["theirs 1", "theirs 3"]
    assert quiet.last == "ours 2"


@pytest.mark.parametrize("message", [
    "Transient error [Errno 111] Connection refused encountered, retrying in 1.02s.",
    "Transient error StatusCode.UNAVAILABLE, retrying in 0.9s. Error details: failed to connect to all addresses",
    "Transient error ... Failed to resolve 'nowhere' ([Errno -2] Name or service not known), retrying in 2s.",
])  # fmt: skip
def test_quiet_knows_by_what_is_logged_that_nobody_listens(message: str) -> None:
    """Hurried before or meanwhile it gives up, once the exporter says so; what else is said of it is no reason."""
    given_up: list[int] = []
    quiet, logger = Quiet(["test.stock"], lambda: given_up.append(1)), logging.getLogger("test.stock")
    with quiet:
        logger.warning(message)
    assert not given_up
    with quiet:
        logger.warning(message)
        quiet.hurry(True)
        logger.warning("Shutdown in progress")
    assert len(given_up) == 1
    assert quiet.last[:15] == "Transient error" and "retrying" not in quiet.last
    with quiet:
        logger.warning("Transient error Service Unavailable encountered, retrying in 1.02s.")
    assert len(given_up) == 1
    with quiet:
        logger.warning(message)
    assert len(given_up) == 2
    quiet.remove()


def test_span_ids_are_the_providers_from_the_first_on() -> None:
    """Also where nothing else was asked of it before."""

    class Counting(RandomIdGenerator):
        def generate_span_id(self) -> int:
            return 7

    assert Provider(TracerProvider(id_generator=Counting(), shutdown_on_exit=False)).span_id() == 7
