"""TROUBLESHOOTING.md says what the code says, and its traps are traps."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.ground.receiver import Receiver
from tests.processes.program import ROOT, switched_on
from tests.stack.running import run

PAGE = (ROOT / "TROUBLESHOOTING.md").read_text(encoding="utf-8")
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py")))
#: what stands between the literal parts of a message in the code
_FIELD = re.compile(r"\{[^{}]*\}|%[-.\w]*[srdf]|\"\s*\n\s*f?\"")


def section(title: str) -> str:
    return re.split(r"^## ", PAGE, flags=re.M)[[*re.findall(r"^## (.*)$", PAGE, re.M)].index(title) + 1]


def first_column(text: str) -> list[str]:
    """What is code in it."""
    cells = re.findall(r"^\| (.*?) \|", text, re.M)
    return [said for cell in cells for said in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("title", ["Nothing arrives", "On, but blind", "What doctor says"])
def test_messages_are_the_code_s(title: str) -> None:
    """Each with its literal parts in order, in one place."""
    lines = _FIELD.sub("…", SOURCE)
    for said in first_column(section(title)):
        if said == "CERTIFICATE_VERIFY_FAILED":  # OpenSSL's, see test_sending
            continue
        parts = [re.escape(part.strip()) for part in said.split("…") if part.strip()]
        assert parts and re.search("[^\\n]{0,80}".join(parts), lines), said


def test_all_losses_are_told() -> None:
    """Every cause that the code counts by, and no other."""
    counted = re.findall(r"(?:_lost\(|dropped\[)\"(\w+)\"", SOURCE)
    counted += re.findall(r"\{\"(buffer full)\"", SOURCE)
    counted += re.findall(r"\"(\w+)\"", re.findall("SPARED, CROWDED = (.*)", SOURCE)[0])
    told = first_column(section("Something is lost"))
    assert set(told) == set(counted)


@pytest.mark.parametrize("more, arrives", [("", 1), ("OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf ", 4)])
def test_an_endpoint_without_a_protocol(more: str, arrives: int) -> None:
    """Of a service that sends by HTTP itself: its own span arrives, loopscope's do so with the protocol only."""
    with Receiver() as receiver:
        variables = f"OTEL_EXPORTER_OTLP_TIMEOUT=2 OTEL_EXPORTER_OTLP_ENDPOINT={receiver.http} {more}"
        done = run(f"{variables}python examples/send_to_tempo.py {receiver.http}/v1/traces")
        assert len(receiver.spans()) == arrives
    assert ("do not reach" in done.stdout) == (arrives == 1)


@pytest.mark.parametrize("flag, on", [("-I", True), ("-S", False)])
def test_flags_of_python(flag: str, on: bool) -> None:
    program = "import asyncio, sys; asyncio.run(asyncio.sleep(0)); print('loopscope.runtime' in sys.modules)"
    environment = switched_on("http://127.0.0.1:9", OTEL_TRACES_EXPORTER="none")
    done = subprocess.run([sys.executable, flag, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == [str(on)], done.stderr


@pytest.mark.parametrize(
    "variables, spans, metrics",
    [
        ("OTEL_EXPORTER_OTLP_COMPRESSION=gzip", True, True),
        ("OTEL_TRACES_EXPORTER=none", False, True),
        ("OTEL_PYTHON_LOOPSCOPE_DETAIL=none", False, True),
        ("OTEL_SDK_DISABLED=true", False, False),
    ],
)
def test_what_silences_it(variables: str, spans: bool, metrics: bool) -> None:
    """And, that the comparison has something to lose, what does not; by gzip, as OPERATORS.md has it."""
    with Receiver() as receiver:
        there = f"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_EXPORTER_OTLP_ENDPOINT={receiver.http}"
        run(f"{there} OTEL_METRICS_EXPORTER=otlp {variables} loopscope run examples/send_to_jaeger.py")
        assert bool(receiver.spans()) == spans
        assert bool(receiver.metrics()) == metrics
        assert {request.encoding for request in receiver.requests()} == ({"gzip"} if spans else set())
