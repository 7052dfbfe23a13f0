"""Where spans go: given, named, the application's, the default; in this order."""

from __future__ import annotations

import _thread
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from loopscope.model import Anchor
from loopscope.pipeline.export.choose import choose
from loopscope.pipeline.export.targets import Bytes, Exporter, File, Target
from loopscope.pipeline.otlp import Encoding
from loopscope.settings import Settings, Standard

LOCAL_GRPC, LOCAL_HTTP = "localhost:4317", "http://localhost:4318/v1/traces"


PAIR = {"EXPORTER_OTLP_PROTOCOL": "grpc", "EXPORTER_OTLP_ENDPOINT": "https://localhost:1"}


class Chooser:
    """Chooses, and closes what was chosen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._made: list[Target] = []

    def __call__(
        self, given: Any = None, provider: Any = None, file: Path | None = None, **variables: str
    ) -> list[Target]:
        for name, value in variables.items():
            self._monkeypatch.setenv(f"OTEL_{name}", value)
        settings = Settings(trace_file=str(file) if file else None)
        made = choose(settings, Standard.load(), Encoding(Anchor(0)), given, provider)
        self._made += made
        return made

    def close(self) -> None:
        for target in self._made:
            target.close()


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Chooser]:
    """Without any OTEL_* variable of the outside."""
    import os

    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    chooser = Chooser(monkeypatch)
    yield chooser
    chooser.close()


def kinds(targets: list[Target]) -> list[tuple[type, str]]:
    """What was chosen."""
    return [(type(target), target.where) for target in targets]


def provider_with(*processors: Any) -> TracerProvider:
    """An application's provider."""
    provider = TracerProvider(shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider


def test_nothing_named_is_the_standard_default(chosen: Chooser) -> None:
    """OTLP/gRPC on localhost, as OpenTelemetry Python has it."""
    assert kinds(chosen()) == [(Bytes, LOCAL_GRPC)]
    assert kinds(chosen(provider=provider_with())) == [(Bytes, LOCAL_GRPC)]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, [(Bytes, LOCAL_HTTP)]),
        ({"TRACES_EXPORTER": "otlp"}, [(Bytes, LOCAL_GRPC)]),
        ({"TRACES_EXPORTER": "otlp_proto_http"}, [(Bytes, LOCAL_HTTP)]),
        ({"TRACES_EXPORTER": "console, otlp_proto_http"}, [(Exporter, "console"), (Bytes, LOCAL_HTTP)]),
        ({"TRACES_EXPORTER": "none"}, []),
        ({"EXPORTER_OTLP_ENDPOINT": "http://there:1", "EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
         [(Bytes, "http://there:1/v1/traces")]),
        ({"EXPORTER_OTLP_TRACES_ENDPOINT": "http://there:1"}, [(Bytes, "there:1")]),
        ({"TRACES_EXPORTER": "otlp", "EXPORTER_OTLP_ENDPOINT": ""}, [(Bytes, LOCAL_GRPC)]),
    ],
)  # fmt: skip
def test_what_the_variables_name(chosen: Chooser, variables: dict[str, Any], expected: list[Any]) -> None:
    """It comes before what the application has in code."""
    mine = provider_with(SimpleSpanProcessor(Http(endpoint="http://mine:1")))
    named = "TRACES_EXPORTER" in variables or any("ENDPOINT" in name for name in variables)
    assert kinds(chosen(**variables)) == expected
    assert kinds(chosen(provider=mine)) == (expected if named else [(Bytes, "http://mine:1")])


def test_what_was_given_comes_first(chosen: Chooser) -> None:
    """By its public interface; nothing else is built."""
    given = InMemorySpanExporter()
    targets = chosen(given, provider_with(SimpleSpanProcessor(Http(endpoint="http://mine:1"))), TRACES_EXPORTER="otlp")
    assert kinds(targets) == [(Exporter, "InMemorySpanExporter")]
    assert targets[0].size == 512


@pytest.mark.parametrize("wrap", [SimpleSpanProcessor, BatchSpanProcessor])
def test_the_applications_exporter_is_built_anew(chosen: Chooser, wrap: Any) -> None:
    """With its settings, never the instance; other exporters of the application are none of ours."""
    http = Http(
        endpoint="http://mine:1/x", headers={"api-key": "k"}, timeout=7, compression=Compression.Gzip,
        certificate_file="/ca.pem", client_certificate_file="/c.pem", client_key_file="/k.pem",
    )  # fmt: skip
    provider = provider_with(wrap(InMemorySpanExporter()), wrap(http))
    (target,) = chosen(provider=provider)
    assert kinds([target]) == [(Bytes, "http://mine:1/x")]
    ours = target._sender._exporter  # type: ignore[attr-defined]
    assert ours is not http
    for name in ("_endpoint", "_compression"):
        assert getattr(ours, name) == getattr(http, name), name
    assert ours._client._headers == http._client._headers
    assert ours._client._timeout == 7
    session = ours._client._transport._session
    assert (session.verify, session.cert) == ("/ca.pem", ("/c.pem", "/k.pem"))
    provider.shutdown()


@pytest.mark.parametrize("wrap", [SimpleSpanProcessor, BatchSpanProcessor])
def test_so_is_a_grpc_exporter(chosen: Chooser, wrap: Any) -> None:
    """The same for gRPC."""
    grpc = Grpc(endpoint="http://mine:2", headers={"api-key": "k"}, timeout=7, insecure=True)
    provider = provider_with(wrap(grpc))
    (target,) = chosen(provider=provider)
    assert kinds([target]) == [(Bytes, "mine:2")]
    ours = target._sender._exporter  # type: ignore[attr-defined]
    assert ours is not grpc
    for name in ("_endpoint", "_insecure", "_headers", "_timeout", "_compression"):
        assert getattr(ours, name) == getattr(grpc, name), name
    provider.shutdown()


def test_grpc_is_left_alone_where_it_would_end_the_process(
    chosen: Chooser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It starts threads, tries again for seconds where the system refuses one, and aborts."""
    left = [3]

    def start(function: Any, arguments: Any) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("can't start new thread")
        return _thread.start_new_thread(function, arguments)

    monkeypatch.setattr("loopscope.pipeline.export.otlp_grpc.start_new_thread", start)
    assert chosen(TRACES_EXPORTER="otlp") == []
    assert "the system refuses the threads that gRPC needs" in caplog.messages[0]
    monkeypatch.setattr("loopscope.pipeline.export.otlp_grpc.start_new_thread", at_the_end)
    assert len(chosen(TRACES_EXPORTER="otlp")) == 1


def at_the_end(function: Any, arguments: Any) -> int:
    """As CPython from 3.12 on, once the main thread is over."""
    raise RuntimeError("can't create new thread at interpreter shutdown")


def test_a_stock_exporter_that_was_given_is_built_anew_too(chosen: Chooser) -> None:
    """It takes bytes then; the instance is the application's."""
    given = Http(endpoint="http://given:1")
    (target,) = chosen(given)
    assert kinds([target]) == [(Bytes, "http://given:1")]
    assert target._sender._exporter is not given  # type: ignore[attr-defined]


def test_a_subclass_is_not_taken_for_a_stock_exporter(chosen: Chooser) -> None:
    """It may do anything: it is used by its public interface, or left alone."""

    class Mine(Http):
        pass

    assert [type(target) for target in chosen(Mine(endpoint="http://mine:1"))] == [Exporter]
    assert kinds(chosen(provider=provider_with(SimpleSpanProcessor(Mine(endpoint="http://mine:1"))))) == [
        (Bytes, LOCAL_GRPC)
    ]


def test_a_console_exporter_of_the_application_is_none_of_ours(chosen: Chooser) -> None:
    """The default stands."""
    assert kinds(chosen(provider=provider_with(SimpleSpanProcessor(ConsoleSpanExporter())))) == [(Bytes, LOCAL_GRPC)]


def test_a_trace_file(chosen: Chooser, tmp_path: Path) -> None:
    """Instead of an exporter that nothing names, or beside one."""
    file = tmp_path / "trace.jsonl"
    assert kinds(chosen(file=file)) == [(File, str(file))]
    assert kinds(chosen(InMemorySpanExporter(), file=file))[0] == (File, str(file))
    assert kinds(chosen(file=file, TRACES_EXPORTER="otlp")) == [(File, str(file)), (Bytes, LOCAL_GRPC)]


def test_what_cannot_be_built_is_told_and_left_out(
    chosen: Chooser, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning each; the rest is used."""
    caplog.set_level(logging.WARNING, "loopscope")
    targets = chosen(file=tmp_path / "no" / "where", TRACES_EXPORTER="unheard_of,console")
    assert kinds(targets) == [(Exporter, "console")]
    told = [record.getMessage() for record in caplog.records if record.name == "loopscope"]
    assert len(told) == 2
    assert "cannot write its trace file" in told[0] and "No such file" in told[0]
    assert "cannot use the exporter 'unheard_of'" in told[1]


@pytest.mark.parametrize(
    ("certificate", "key", "missing"),
    [
        ("there", None, "its key (CLIENT_KEY) is not set"), ("there", "none", "its key (CLIENT_KEY) none cannot be read"),
        ("there", "empty", "its key (CLIENT_KEY) empty cannot be read"),
        ("none", "there", "its certificate (CLIENT_CERTIFICATE) none cannot be read"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("signal", ["", "TRACES_"])
def test_half_an_identity(
    chosen: Chooser, caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal: str,
    certificate: str, key: str | None, missing: str,
) -> None:  # fmt: skip
    """gRPC ends the process over a client's certificate without its key, or the other way round."""
    monkeypatch.chdir(tmp_path)
    for name, content in (("there", "x"), ("empty", "")):
        Path(name).write_text(content)
    prefix = f"EXPORTER_OTLP_{signal}"
    given = {f"{prefix}CERTIFICATE": "there", f"{prefix}CLIENT_CERTIFICATE": certificate}
    if key is not None:
        given[f"{prefix}CLIENT_KEY"] = key
    assert chosen(**PAIR, **given) == []
    [record] = caplog.records
    assert record.getMessage() == (
        "loopscope cannot use the exporter 'otlp_proto_grpc': gRPC takes a client's certificate and its key together, and "
        + missing
    )


@pytest.mark.parametrize(
    ("endpoint", "plain", "ends"),
    [
        ("http://x:1", "", False),
        ("x:1", "true", False),
        ("https://x:1", "true", True),
        ("x:1", "", True),
        ("", "", False),
        ("http://x:1", "false", True),
    ],
)
def test_an_identity_is_for_tls(endpoint: str, plain: str, ends: bool) -> None:
    said = {"ENDPOINT": endpoint, "INSECURE": plain, "CERTIFICATE": "a", "CLIENT_CERTIFICATE": "b", "CLIENT_KEY": "c"}
    standard = Standard.load({f"OTEL_EXPORTER_OTLP_{name}": value for name, value in said.items()})
    assert standard.identity == standard.metrics_identity == (("b", "c") if ends else ("", ""))
