"""`loopscope doctor`: each thing that can be wrong is told, with what to do, and decides the exit code."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

import pytest

from loopscope.activation.cli.doctor import conflicts, environment, exporting, recording, startup
from loopscope.activation.cli.doctor.finding import FAIL, OK, WARN
from loopscope.activation.cli.doctor.probe import look
from loopscope.settings import PREFIX, Settings, Standard
from tests.cli.calling import BARE, loopscope
from tests.ground.ports import free_ports
from tests.ground.receiver import Receiver
from tests.outside import CORE, core
from tests.views import standin
from tests.views.standin import StandIn

ENABLED = PREFIX + "ENABLED"


def marks(text: str) -> list[str]:
    """`mark first words` of each finding."""
    return re.findall(r"^  ((?:ok|warn|fail) +\S+(?: \S+)?)", text, re.M)


# ---------------------------------------------------------------- the whole


def test_all_is_well() -> None:
    with Receiver() as receiver:
        done = loopscope(
            "doctor", **{ENABLED: "true"}, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.http,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf", OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20x",
        )  # fmt: skip
        (request,) = receiver.requests()
    assert (done.returncode, done.stderr) == (0, "")
    assert (request.spans, request.headers["authorization"]) == (0, "Bearer x")
    slower = ["ok the Python"] if core() == "python" else []
    assert re.sub(r" +", " ", "\n".join(marks(done.stdout))).splitlines() == [
        "ok switched on", f"ok settings: {'all' if CORE not in BARE else f'CORE={BARE[CORE]}'}", "ok start-up file:", "ok a child", "ok a child", *slower, "ok all of",
        f"ok {receiver.http}/v1/traces (http/protobuf)", "ok opentelemetry-instrumentation-asyncio " + re.search(r"asyncio (\S+) is", done.stdout)[1],  # type: ignore[index]
        f"warn gevent {version('gevent')}",  # the load generator of the example service is built on it
    ]  # fmt: skip
    assert f"loop of asyncio is seen, by the {core()} core" in done.stdout and "loop of uvloop" in done.stdout
    assert "all of its 4 steps were recorded" in done.stdout and "No check failed." in done.stdout
    assert "cannot be seen in any case" in done.stdout


def test_much_is_wrong() -> None:
    """Everything is told at once; a program that is started to find out is not made to suffer from it."""
    (port,) = free_ports(1)
    done = loopscope(
        "doctor", **{ENABLED: "maybe", PREFIX + "DETAIL": "all", PREFIX + "DETIAL": "steps"},
        OTEL_SDK_DISABLED="true", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"{ENABLED}='maybe' is neither true nor false; loopscope stays off\n", (
        "as every interpreter says"
    )
    flat = " ".join(done.stdout.split())
    assert f"fail {ENABLED}='maybe' is neither true nor false" in flat
    assert "fail OTEL_SDK_DISABLED=true" in flat
    assert f"fail {PREFIX}DETAIL='all' is not usable (expected one of steps" in flat
    assert f"warn {PREFIX}DETIAL is no setting, nothing reads it → did you mean {PREFIX}DETAIL?" in flat
    assert f"fail 127.0.0.1:{port} (grpc): connection refused → start it" in flat
    assert "all of its 4 steps were recorded" in flat
    assert "4 checks failed." in flat


def test_without_colours_and_in_ascii() -> None:
    assert "\x1b[33mwarn\x1b[0m" in loopscope("doctor", FORCE_COLOR="1").stdout
    plain = loopscope("doctor", PYTHONIOENCODING="ascii", NO_COLOR="1", FORCE_COLOR="1").stdout
    assert plain.isascii() and "\x1b" not in plain and "-> export OTEL" in plain


# ---------------------------------------------------------------- the environment


@pytest.mark.parametrize(
    ("variables", "mark", "told"),
    [
        ({}, WARN, "is not set"),
        ({ENABLED: "yes"}, OK, "switched on by"),
        ({ENABLED: "off"}, WARN, "says no"),
        ({ENABLED: "x"}, FAIL, "neither true nor false"),
    ],
)
def test_switched_on(variables: dict[str, str], mark: str, told: str) -> None:
    first, *rest = environment.findings(Standard.load({}), variables)
    assert first.mark == mark and told in first.said and bool(first.advice) == (mark != OK)
    assert [one.said for one in rest] == ["settings: all have their defaults"]


def test_settings() -> None:
    found = list(environment.findings(Standard.load({}), {PREFIX + "DETAIL": "tasks", PREFIX + "STACKS": "no"}))
    assert found[-1].said == "settings: DETAIL=tasks, STACKS=False"


def test_start_up_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (there,) = startup.findings()
    assert there.mark == OK and Path(there.said.removeprefix("start-up file: ")).exists()
    monkeypatch.setattr(startup.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(startup.site, "getsitepackages", lambda: [str(tmp_path)])
    monkeypatch.setattr(startup.site, "ENABLE_USER_SITE", False)
    (gone,) = startup.findings()
    assert gone.mark == FAIL and str(tmp_path) in gone.said and "pip" in gone.advice


# ---------------------------------------------------------------- the child


def test_an_interpreter_without_the_start_up_file(tmp_path: Path) -> None:
    """loopscope only on PYTHONPATH, as after `pip install --target`: it is not on, and doctor says so."""
    venv.create(tmp_path / "bare", with_pip=False)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    source = str(Path(recording.__file__).parents[4])
    done = subprocess.run(
        [tmp_path / "bare" / "bin" / "python", "-m", "loopscope.activation.cli", "doctor"],
        env={**BARE, "PYTHONPATH": f"{source}:{packages}"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1 and "Traceback" not in done.stderr + done.stdout
    flat = " ".join(done.stdout.split())
    assert "fail loopscope_autostart." in flat and "loop of asyncio: loopscope is not on in it" in flat


def test_call_soon_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By something that every interpreter here imports; before loopscope came, or after it."""
    before = "import asyncio.base_events as b\nb.BaseEventLoop.call_soon = (lambda f: lambda *a, **k: f(*a, **k))(b.BaseEventLoop.call_soon)\n"
    after = (
        "import asyncio.base_events as b\nfirst = b.BaseEventLoop.run_until_complete\n"
        "def run(self, *a):\n  f = b.BaseEventLoop.call_soon\n"
        "  b.BaseEventLoop.call_soon = lambda *a, **k: f(*a, **k)\n  return first(self, *a)\n"
        "b.BaseEventLoop.run_until_complete = run\n"
    )
    module = tmp_path / "sitecustomize.py"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    module.write_text(before)
    assert any(
        one.mark == WARN and "call_soon was replaced by sitecustomize" in one.said for one in recording.findings("auto")
    )
    module.write_text(after)
    assert any(
        one.mark == FAIL and "call_soon was replaced after loopscope wrapped it" in one.said
        for one in recording.findings("auto")
    )


def test_a_child_that_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "asyncio.py").write_text("raise RuntimeError('not today')")
    monkeypatch.chdir(tmp_path)
    (found,) = recording.findings("auto")
    assert found.mark == FAIL and "did not run: RuntimeError: not today" in found.said


def test_probe_where_it_is_off() -> None:
    import asyncio

    assert asyncio.run(look()) == {"on": False}


# ---------------------------------------------------------------- where traces go


def told(monkeypatch: pytest.MonkeyPatch, on: bool = True, **variables: str) -> list[str]:
    """`mark: what is said` of each finding on exporting."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return [f"{one.mark}: {one.said}" for one in exporting.findings(Standard.load(), Settings.load(), on)]


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_endpoints(monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    """Taking, the other protocol, refused, silent, nowhere, unwilling, with TLS: told apart."""
    monkeypatch.setattr(exporting, "_TIMEOUT", 0.5)
    (dead,) = free_ports(1)
    other = "HTTP" if protocol != "grpc" else "gRPC"

    def said(endpoint: str) -> str:
        (line,) = told(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
        return line

    with Receiver() as receiver, socket.create_server(("127.0.0.1", 0)) as silent:
        right, wrong = (receiver.grpc, receiver.http) if protocol == "grpc" else (receiver.http, receiver.grpc)
        assert said(right).startswith("ok: ") and said(right).endswith(f"({protocol}) takes spans")
        assert said(wrong).endswith(f"answers, but not in {other}")
        assert said(f"http://127.0.0.1:{dead}").endswith("connection refused")
        assert said(f"http://127.0.0.1:{silent.getsockname()[1]}").endswith("no answer within 0.5 s")
        assert re.search("no such host|not known|resolution", said("http://nowhere.invalid:4317"))
        assert "TLS failed" in said(right.replace("http:", "https:"))
        if protocol != "grpc":  # a name and a password in the address
            assert said(right) == said(right.replace("//", "//who:word@"))
            assert receiver.requests()[-1].headers["authorization"].startswith("Basic ")
        receiver.mode = "refuse"
        assert re.search(r"answers (503|UNAVAILABLE)", said(right))


@pytest.mark.parametrize(
    ("status", "advice"), [(404, "OTEL_EXPORTER_OTLP_ENDPOINT"), (401, "OTEL_EXPORTER_OTLP_HEADERS"), (500, "its log")]
)
def test_http_answers(monkeypatch: pytest.MonkeyPatch, status: int, advice: str) -> None:
    from loopscope.pipeline.export import check

    answer = check._refused("http://x", status, f"answers {status}")
    assert advice in answer.advice
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    assert check.check(Standard.load(), 1).wrong.startswith("cannot be used: ValueError")


def test_what_is_not_an_otlp_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(standin.always(200)) as web:
        lines = told(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=web.base, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
    assert lines == [f"fail: {web.base}/v1/traces (http/protobuf): answers 501 Unsupported method ('POST')"]


def test_other_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert told(monkeypatch, OTEL_TRACES_EXPORTER="none") == ["warn: OTEL_TRACES_EXPORTER=none: no spans are sent"]
    assert told(monkeypatch, OTEL_TRACES_EXPORTER="console") == ["ok: exporter console: not checked here"]
    assert told(monkeypatch, OTEL_CONFIG_FILE="x")[0].startswith("warn: OTEL_CONFIG_FILE says")
    monkeypatch.delenv("OTEL_CONFIG_FILE")
    monkeypatch.delenv("OTEL_TRACES_EXPORTER")
    file = tmp_path / "trace.jsonl"
    assert told(monkeypatch, OTEL_PYTHON_LOOPSCOPE_TRACE_FILE=str(file)) == [f"ok: traces are appended to {file}"]
    assert told(monkeypatch, OTEL_PYTHON_LOOPSCOPE_TRACE_FILE="/nowhere/x") == [
        "fail: cannot write the trace file /nowhere/x"
    ]
    assert "metrics only" in told(monkeypatch, OTEL_PYTHON_LOOPSCOPE_DETAIL="none")[-1]


def test_nothing_set_and_not_on_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default endpoint matters to nobody then."""
    from loopscope.pipeline.export import check

    monkeypatch.setattr(check, "check", lambda standard, timeout: check.Answer("localhost:4317", "connection refused"))
    for on, mark in ((False, "warn"), (True, "fail")):
        (line,) = told(monkeypatch, on=on)
        assert line.startswith(f"{mark}: localhost:4317 (grpc), the default") and line.endswith("connection refused")


def test_an_unknown_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        "OTEL_EXPORTER_OTLP_PROTOCOL='http/json' is none"
        in told(monkeypatch, OTEL_EXPORTER_OTLP_PROTOCOL="http/json")[0]
    )


# ---------------------------------------------------------------- others


def test_conflicts(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"ddtrace": "3.1", "sentry-sdk": "2.0"}

    def version(name: str) -> str:
        if name not in versions:
            raise conflicts.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(conflicts, "version", version)
    first, second = conflicts.findings()
    assert (first.mark, second.mark) == (WARN, OK) and first.said.startswith("ddtrace 3.1 is installed")
    versions.clear()
    assert [one.said for one in conflicts.findings()] == ["no package is installed that is known to touch asyncio"]
