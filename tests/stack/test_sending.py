"""The examples that send: what they print, and what the real Jaeger or an OTLP receiver then has."""

from __future__ import annotations

import subprocess
import urllib.request
from pathlib import Path

import certifi
import pytest

from tests.backends.conftest import running
from tests.ground.jaeger import Jaeger
from tests.ground.receiver import Receiver
from tests.processes.program import ROOT
from tests.stack import shown
from tests.stack.running import run

EXAMPLES = ROOT / "examples"


#: one that nobody else has sent to
jaeger = pytest.fixture(running, scope="module", name="jaeger")


def sent(name: str, places: dict[str, str]) -> tuple[shown.Shown, str]:
    """Run an example with the places that it shows replaced; what it shows, and what it printed with them put back."""
    example = shown.read(EXAMPLES / name)
    command = example.command
    for there, here in places.items():
        assert there in command
        command = command.replace(there, here)
    done = run(command)
    assert done.returncode == 0, done.stdout
    printed = done.stdout
    for there, here in places.items():
        printed = printed.replace(here, there)
    return example, printed


def test_jaeger(jaeger: Jaeger) -> None:
    """The trace is there, and so is the page that is linked to."""
    places = {"http://localhost:4317": jaeger.grpc, "http://localhost:16686": jaeger.query}
    example, printed = sent("send_to_jaeger.py", places)
    assert not shown.missing(example.output.replace("search?...", "search?"), printed.replace("search?", "search? "))
    [trace] = jaeger.search("shop", operation="task main")
    assert shown.tree(jaeger.wait_for(trace, len(example.tree))) == example.tree
    page = printed.split("look at ")[1].split()[0].replace("http://localhost:16686", jaeger.query)
    with urllib.request.urlopen(page, timeout=10) as answer:
        assert answer.status == 200 and b"Jaeger UI" in answer.read()


def test_tempo_by_plain_otlp() -> None:
    """No Tempo is to be had here: a receiver of OTLP stands in its place. One trace, of the service and of loopscope."""
    with Receiver() as receiver:
        example, printed = sent("send_to_tempo.py", {"http://localhost:4318": receiver.http})
        spans = receiver.wait(len(example.tree))
    assert not shown.missing(example.output, printed)
    assert shown.tree(spans) == example.tree
    assert {span.trace_id for span in spans} == {printed.split()[1]}
    assert {span.resource["service.name"] for span in spans} == {"shop"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a certificate of its own for localhost, as no public authority has signed it."""
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", path, "-out", f"{path}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


def test_vendor_over_tls_with_a_key(certificate: Path) -> None:
    """Every request has the headers; the spans come through TLS."""
    with Receiver(tls=certificate) as receiver:
        places = {
            "https://otlp.vendor.example:443": f"https://localhost:{receiver.http_port}",
            "ca.pem": f"{certificate}.crt",
        }
        example, printed = sent("send_to_a_vendor.py", places)
        spans, requests = receiver.wait(len(example.tree)), receiver.requests()
    assert not shown.missing(example.output, printed)
    assert "do not reach" not in printed
    assert shown.tree(spans) == example.tree
    assert {(each.headers["api-key"], each.headers["x-team"]) for each in requests} == {("secret", "shop")}


@pytest.mark.parametrize(
    "instead", ["", f"REQUESTS_CA_BUNDLE={certifi.where()} OTEL_EXPORTER_OTLP_CERTIFICATE=ca.pem "]
)
def test_vendor_with_an_unknown_certificate(certificate: Path, instead: str) -> None:
    """Without the authority's certificate, or with a bundle that comes before it, nothing is sent: one line says why."""
    command = shown.read(EXAMPLES / "send_to_a_vendor.py").command
    with Receiver(tls=certificate) as receiver:
        command = command.replace("OTEL_EXPORTER_OTLP_CERTIFICATE=ca.pem ", instead)
        command = command.replace("https://otlp.vendor.example:443", f"https://localhost:{receiver.http_port}")
        done = run("OTEL_EXPORTER_OTLP_TIMEOUT=2 " + command.replace("ca.pem", f"{certificate}.crt"))
        assert not receiver.requests()
    told = [line for line in done.stdout.splitlines() if "do not reach" in line]
    assert len(told) == 1 and "CERTIFICATE_VERIFY_FAILED" in told[0], done.stdout
