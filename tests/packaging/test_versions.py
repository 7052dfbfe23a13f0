"""Beside contrib packages, which pin the SDK exactly: the lowest versions that the metadata allow, and the latest."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.backends.drawing import assert_drawing, seed
from tests.backends.drawing import run as draw
from tests.ground.receiver import REASON, REJECTED, Protocol, Receiver
from tests.packaging.distribution import HERE, JOB, LINES, UV, environment, wheel
from tests.processes.program import PROTOCOLS, clean, run, to
from tests.support import Story

CONTRIB = ("opentelemetry-instrumentation-fastapi", "opentelemetry-distro")

#: an application that sets up its provider in code: where its exporter sends to, no variable tells
IN_CODE = """
import sys
from importlib import import_module
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
protocol, endpoint = sys.argv[1:]
exporter = import_module(f"opentelemetry.exporter.otlp.proto.{protocol}.trace_exporter").OTLPSpanExporter
provider = TracerProvider(resource=Resource({"service.name": "in code"}))
provider.add_span_processor(BatchSpanProcessor(exporter(endpoint=endpoint, headers={"key": "value"})))
trace.set_tracer_provider(provider)
"""


def lowest() -> tuple[str, ...]:
    """Each of our requirements at the lowest version that it allows."""
    needed = [Requirement(line) for line in requires("loopscope") or ()]
    floors = {each.name: [rule.version for rule in each.specifier if rule.operator == ">="] for each in needed}
    return tuple(f"{name}=={version}" for name, (version,) in floors.items())


#: what each environment has besides the wheel
SETS = {
    "lowest": (*lowest(), *(f"{name}==0.61b0" for name in CONTRIB)),
    "0.62b0": tuple(f"{name}==0.62b0" for name in CONTRIB),
    "latest": CONTRIB,
}


def installed(name: str) -> str:
    """The executable of this environment."""
    return environment(HERE.version, name, str(wheel()), "uvloop", *SETS[name])


def test_lowest_is_lowest() -> None:
    assert "opentelemetry-sdk==1.40" in SETS["lowest"]


@pytest.mark.parametrize("name", SETS)
def test_installs_beside_contrib(name: str) -> None:
    subprocess.run([*UV, "pip", "check", "--python", installed(name)], check=True)


@pytest.mark.parametrize("name", SETS)
def test_drawing(name: str, tmp_path: Path) -> None:
    path, python = seed(tmp_path, "asyncio"), installed(name)

    def sent(protocol: Protocol) -> None:
        with Receiver() as receiver:
            draw(path, to(receiver, protocol), python, "seed")
            assert_drawing(receiver.spans(), path, "seed")

    with ThreadPoolExecutor(len(PROTOCOLS)) as pool:
        list(pool.map(sent, PROTOCOLS))


@pytest.mark.parametrize(("name", "which"), [("lowest", "old_http"), ("0.62b0", "old_http"), ("latest", "otlp_http")])
def test_stock_exporters_take_bytes(name: str, which: str) -> None:
    """Where a version moved their insides, spans would go out by the public interface: right, but slow."""
    source = """
    from loopscope.pipeline.export import old_http, otlp_grpc, otlp_http
    print(*[each.__name__.rpartition(".")[2] for each in (old_http, otlp_grpc, otlp_http) if each.takes_bytes()])
    """
    assert run(source, clean(), python=installed(name)).out.split() == sorted([which, "otlp_grpc"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", SETS)
def test_exporter_set_up_in_code(name: str, protocol: Protocol) -> None:
    """Another with its settings is built: endpoint and headers are read from the exporter's insides."""
    with Receiver() as receiver:
        endpoint = receiver.grpc if protocol == "grpc" else f"{receiver.http}/v1/traces"
        variables = {**clean(), "OTEL_PYTHON_LOOPSCOPE_ENABLED": "true"}
        source = IN_CODE.replace("sys.argv[1:]", repr((protocol, endpoint))) + JOB
        ended = run(source, variables, python=installed(name))
        spans, requests = receiver.spans(), receiver.requests()
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert Story(list(spans)).lines() == LINES
    assert {(span.protocol, span.resource["service.name"]) for span in spans} == {(protocol, "in code")}
    assert {request.headers.get("key") for request in requests} == {"value"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", SETS)
def test_what_is_rejected_is_lost(name: str, protocol: Protocol) -> None:
    """The receiver's answer is read where the stock exporter has it, and throws it away."""
    with Receiver("partly") as receiver:
        ended = run(JOB, to(receiver, protocol), python=installed(name))
    assert (ended.code, ended.out, len(ended.told)) == (0, "", 2)
    assert ended.told[0].split(": ", 1)[1].startswith(REASON[:100])
    assert ended.told[1] == f"loopscope lost {REJECTED} spans (export_failed)"


@pytest.mark.parametrize("name", SETS)
def test_what_is_sent_elsewhere_is_lost(name: str) -> None:
    """By a redirection, which the stock exporters take for success, or follow by a GET."""
    with Receiver("moved") as receiver:
        ended = run(JOB, to(receiver, "http"), python=installed(name))
    assert (ended.code, ended.out, len(ended.told)) == (0, "", 2)
    assert "HTTP 302" in ended.told[0] and ended.told[1].endswith("spans (export_failed)")


def test_instrument_command_on_the_lowest() -> None:
    python = installed("lowest")
    with Receiver() as receiver:
        variables = {**to(receiver), "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
        del variables["OTEL_PYTHON_LOOPSCOPE_ENABLED"]
        command = Path(python).with_name("opentelemetry-instrument")
        ended = run(JOB, variables, python=python, flags=(str(command), python))
        story = Story(list(receiver.spans()))
    assert (ended.code, ended.out, story.lines()) == (0, "", LINES)
