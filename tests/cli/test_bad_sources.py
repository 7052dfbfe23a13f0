"""Whatever is wrong with a source: one line that says so, exit code 2 for wrong usage and 1 else, never a traceback."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.cli.calling import Caller, trace_file
from tests.ground.ports import free_ports
from tests.views import standin
from tests.views.made import TRACE, otlp, span, step, task
from tests.views.seed import seed
from tests.views.standin import StandIn

#: every command that takes sources
COMMANDS = (["view"], ["export", "--to", "html", "-o", "-"], ["export", "--to", "jaeger", "-o", "-"])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (None, 2, "no such file: {path}"),
        (b"", 1, "{path} is empty"),
        (gzip.compress(b"", mtime=0), 1, "{path} is empty"),
        (b"nonsense", 1, "{path} is not JSON"),
        (b'{"resourceSpans":[{"re', 1, "{path} is not JSON, or cut within its first line"),
        (b'{"some":"thing"}', 1, "{path} is JSON, but holds no traces"),
        (b"[" * 100_000, 1, "{path} is not JSON"),
        (json.dumps(otlp([span("GET /", 0, 5, scope="asgi")])).encode(), 1, "none of the 1 spans is loopscope's"),
    ],
)
def test_files(
    call: Caller, tmp_path: Path, content: bytes | None, code: int, told: str, command: list[str]
) -> None:  # fmt: skip
    path = tmp_path / "trace"
    if content is not None:
        path.write_bytes(content)
    line = call.refused(code, *command, str(path))
    assert line.startswith(f"loopscope {command[0]}: ") and told.format(path=path) in line


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("ab" * 13, "no such file"),
        (TRACE, "OTEL_PYTHON_LOOPSCOPE_JAEGER_URL"),
        ("http://jaeger.test/trace/xyz", "'xyz' is no trace id"),
        ("http://jaeger.test/search", "names no trace"),
        ("ftp://x/y", "expected http:// or https://"),
        (f"http://grafana.test/explore?traceId={TRACE}", "does not say where its Tempo is"),
        (".", "is a folder"),
        ("/dev/zero", "/dev/zero is a device: name a trace file"),
    ],
)
def test_wrong_sources(call: Caller, source: str, told: str, command: list[str]) -> None:
    assert told in call.refused(2, *command, source)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (standin.always(401), "answers 401: it wants to know who asks"),
        (standin.always(500, "text/plain", "boom"), "answers 500 (boom)"),
        (standin.always(404), f"has no trace {TRACE}"),
        (standin.always(*standin.PAGE), "not with JSON"),
        (standin.always(200, content='{"version": 3}'), "JSON of something else than traces"),
    ],
)
@pytest.mark.parametrize("option", ["--jaeger-url", "--tempo-url"])
def test_backends(call: Caller, answer: standin.Answer, told: str, option: str) -> None:
    with StandIn(answer) as server:  # type: ignore[arg-type]
        line = call.refused(1, "view", TRACE, option, server.base)
    assert told in line and server.base in line


def test_nobody_there_and_no_address(call: Caller) -> None:
    (port,) = free_ports(1)
    assert "connection refused" in call.refused(1, "view", TRACE, "--tempo-url", f"http://u:secret@127.0.0.1:{port}")
    assert "no address of an API" in call.refused(2, "view", TRACE, "--tempo-url", "localhost:3200")
    assert "no address of an API" in call.refused(2, "view", TRACE, "--jaeger-url", "jaeger")


def test_the_password_is_not_shown(call: Caller) -> None:
    with StandIn(standin.always(403)) as server:
        line = call.refused(1, "view", server.base.replace("//", "//me:secret@") + f"/trace/{TRACE}")
    assert "secret" not in line
    with StandIn(standin.jaeger(seed())) as server:
        address = server.base.replace("//", "//me:secret@") + f"/trace/{TRACE}"
        assert "secret" not in call("view", address, "--html", "-")[1]


@pytest.mark.parametrize("kind", ["otlp", "jaeger"])
def test_numbers_beyond_all_bounds(call: Caller, tmp_path: Path, kind: str) -> None:
    """Durations that have no nanoseconds, or no double: the rest is drawn."""
    path, key = tmp_path / "huge.json", "asyncio.task.running.duration"
    if kind == "otlp":
        attributes = [
            {"key": "asyncio.task.id", "value": {"intValue": "1"}},
            {"key": key, "value": {"doubleValue": 1e300}},
        ]
        span = {"traceId": "1" * 32, "spanId": "2" * 16, "name": "task main", "startTimeUnixNano": "1000",
                "endTimeUnixNano": "2000", "attributes": attributes}  # fmt: skip
        path.write_text(
            json.dumps({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "loopscope"}, "spans": [span]}]}]})
        )
    else:
        tags = [{"key": "asyncio.task.id", "value": 1}, {"key": key, "value": 10**400}]
        span = {
            "traceID": "1" * 32,
            "spanID": "2" * 16,
            "operationName": "task main",
            "startTime": 1,
            "duration": 1,
            "tags": tags,
        }
        path.write_text(json.dumps({"data": [{"traceID": "1" * 32, "processes": {}, "spans": [span]}]}))
    code, out, err = call("view", str(path))
    assert (code, err) == (0, "") and "main" in out


def test_strange_traces_are_drawn(call: Caller, tmp_path: Path) -> None:
    """A clock that runs backwards, a task without steps, a step without a task."""
    for number, spans in enumerate(
        ([task(1, "main", 5, 1, 1), step(1, "main", 0, 4, 2)], [task(1, "main", 0, 5, 0)], [step(1, "main", 0, 2, 4)])
    ):
        path = trace_file(tmp_path, spans, f"{number}.jsonl")
        for command in (["view"], ["export", "--to", "html", "-o", "-"], ["export", "--to", "perfetto", "-o", "-"]):
            code, out, err = call(*command, path)
            assert (code, err) == (0, "") and "main" in out
