"""Where the spans go: what was given, what the variables name, what the application has in code, the default."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from loopscope.model import Anchor
from loopscope.pipeline.export.choose import choose
from loopscope.pipeline.otlp import Encoding
from loopscope.settings import Settings, Standard
from tests.ground.receiver import Protocol, Receiver
from tests.processes.program import Ended, clean, run

HTTP = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
GRPC = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"

PROGRAM = """
import asyncio, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

{before}

async def main():
    with trace.get_tracer("app").start_as_current_span("request"):
        await asyncio.sleep(0.01)

asyncio.run(main())
{after}
"""

#: the application's own exporter: a stock one, built in code
IN_CODE = """
from {module} import OTLPSpanExporter
provider = TracerProvider()
provider.add_span_processor({processor}(OTLPSpanExporter(endpoint={endpoint!r}, headers={{"x-team": "shop"}}, {more})))
trace.set_tracer_provider(provider)
"""

#: loopscope's own exporter, given
GIVEN = """
from {module} import OTLPSpanExporter
from loopscope import LoopscopeInstrumentor
LoopscopeInstrumentor().instrument(span_exporter=OTLPSpanExporter(endpoint={endpoint!r}))
"""

OURS = ["step main", "step main", "task main"]


class Places(NamedTuple):
    """Three backends: one in the application's code, one in the environment, one given to instrument()."""

    code: Receiver
    environment: Receiver
    given: Receiver

    def got(self) -> list[list[str]]:
        """The names of our spans that each has received."""
        return [sorted(s.name for s in place.spans() if s.scope_name == "loopscope") for place in self]


@pytest.fixture
def places() -> Iterator[Places]:
    """The three, listening."""
    with Receiver() as code, Receiver() as environment, Receiver() as given:
        yield Places(code, environment, given)


def in_code(places: Places, module: str = HTTP, processor: str = "BatchSpanProcessor", more: str = "") -> str:
    """The application's set-up."""
    endpoint = f"{places.code.http}/v1/traces" if module == HTTP else places.code.grpc
    return IN_CODE.format(module=module, processor=processor, endpoint=endpoint, more=more)


def send(before: str = "", after: str = "", on: bool = True, environment: dict[str, str] | None = None) -> Ended:
    """Run the program, which must tell nothing."""
    switch = {"OTEL_PYTHON_LOOPSCOPE_ENABLED": "true"} if on else {}
    ended = run(PROGRAM.format(before=before, after=after), {**clean(), **switch, **(environment or {})})
    assert (ended.code, ended.told) == (0, []), ended.err
    return ended


def endpoint(places: Places) -> dict[str, str]:
    """The variables that name the backend of the environment."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": places.environment.http, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}


def test_what_is_given_comes_first(places: Places) -> None:
    given = GIVEN.format(module=HTTP, endpoint=f"{places.given.http}/v1/traces")
    ended = send(
        in_code(places) + given, on=False, environment={"OTEL_TRACES_EXPORTER": "console,otlp"} | endpoint(places)
    )
    assert places.got() == [[], [], OURS]
    assert "step main" not in ended.out


def test_an_exporter_named_in_the_environment_comes_before_its_endpoint(places: Places) -> None:
    ended = send(in_code(places), environment={"OTEL_TRACES_EXPORTER": "console"} | endpoint(places))
    assert places.got() == [[], [], []]
    assert ended.out.count('"name": "step main"') == 2


def test_several_exporters_named_in_the_environment(places: Places) -> None:
    ended = send(in_code(places), environment={"OTEL_TRACES_EXPORTER": "otlp,console"} | endpoint(places))
    assert places.got() == [[], OURS, []]
    assert ended.out.count('"name": "step main"') == 2


def test_an_endpoint_in_the_environment_comes_before_the_application_s_own(places: Places) -> None:
    send(in_code(places), environment=endpoint(places))
    assert places.got() == [[], OURS, []]
    assert [span.name for span in places.code.spans()] == ["request"]


def test_an_endpoint_for_traces_alone(places: Places) -> None:
    variables = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": places.environment.grpc,
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
    }
    send(in_code(places), environment=variables)
    assert places.got() == [[], OURS, []]
    assert {request.protocol for request in places.environment.requests()} == {"grpc"}


@pytest.mark.parametrize("processor", ["BatchSpanProcessor", "SimpleSpanProcessor"])
@pytest.mark.parametrize(("module", "protocol"), [(HTTP, "http"), (GRPC, "grpc")])
def test_the_application_s_own_settings_are_taken_over(
    places: Places, module: str, protocol: Protocol, processor: str
) -> None:
    """Endpoint and headers; each has a connection of its own, so no request holds spans of both."""
    send(in_code(places, module, processor))
    assert places.got() == [OURS, [], []]
    requests = places.code.requests()
    assert sorted(request.spans for request in requests) == [1, 3]
    assert {(request.protocol, request.headers.get("x-team")) for request in requests} == {(protocol, "shop")}


def test_the_application_s_compression_is_taken_over(places: Places) -> None:
    more = "compression=__import__('opentelemetry.exporter.otlp.proto.http', fromlist=['x']).Compression.Gzip"
    send(in_code(places, more=more))
    assert places.got() == [OURS, [], []]
    assert {request.encoding for request in places.code.requests()} == {"gzip"}


def test_an_exporter_is_never_shared_with_the_application(places: Places) -> None:
    """Neither used, nor shut down with loopscope: the application's still works afterwards."""
    after = """
from loopscope import LoopscopeInstrumentor
LoopscopeInstrumentor().uninstrument()
with trace.get_tracer("app").start_as_current_span("afterwards"):
    pass
provider.force_flush()
"""
    send(in_code(places), after)
    assert places.got() == [OURS, [], []]
    assert [s.name for s in places.code.spans() if s.scope_name == "app"] == ["request", "afterwards"]


@pytest.mark.parametrize("variables", [{"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_SDK_DISABLED": "true"}], ids=str)
def test_nothing_where_the_environment_says_so(places: Places, variables: dict[str, str]) -> None:
    send(in_code(places), environment=variables | endpoint(places))
    assert places.got() == [[], [], []]


def test_the_default_is_otlp_on_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENDPOINT", "TRACES_ENDPOINT", "PROTOCOL", "TRACES_PROTOCOL"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    for variables, where in (
        ({}, "localhost:4317"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http://localhost:4318/v1/traces"),
    ):
        (target,) = choose(Settings(), Standard.load(variables), Encoding(Anchor.now()), None, None)
        target.close()
        assert target.where == where
