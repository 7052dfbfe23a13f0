"""A real Jaeger, built from its Go module, with its memory storage, read back through its API."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tests.ground import cache, otlp_json
from tests.ground.ports import free_ports
from tests.ground.process import Server, answers
from tests.ground.spans import Span

# Jaeger v2.13. Later versions are not to be had as a Go module.
MODULE, VERSION = "github.com/jaegertracing/jaeger", "v1.76.0"


class Unavailable(Exception):
    """Why there is no Jaeger on this machine, in one line."""


def build() -> Path:
    """The Jaeger binary, built at the first call: five minutes, some seconds if Go still has the parts."""
    return cache.once(f"jaeger-{VERSION}", _build)


def _build(binary: Path) -> None:
    go = _go()
    module = json.loads(_run([go, "mod", "download", "-json", f"{MODULE}@{VERSION}"]))
    with tempfile.TemporaryDirectory(prefix="loopscope-jaeger-") as folder:
        # Built in the module's own folder with its own locked sums, because the checksum database does not know some
        # of its dependencies; and with a copy of its go.mod, because that folder is read-only.
        for name in ("go.mod", "go.sum"):
            shutil.copyfile(Path(module["Dir"], name), Path(folder, name))
        flags = [f"-modfile={folder}/go.mod", "-trimpath", "-ldflags=-s -w"]
        _run([go, "build", *flags, "-o", str(binary), "./cmd/jaeger"], folder=module["Dir"])


def _go() -> str:
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if not found:
        raise Unavailable(
            "Jaeger is built with Go 1.24 or later, not found (Debian package golang-go, trixie or later)"
        )
    return found


def _run(command: list[str], folder: str | None = None) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or done.stdout.strip().splitlines() or ["no output"])[-1]
        raise Unavailable(f"{' '.join(command[:3])} failed: {last}")
    return done.stdout


class Jaeger(Server):
    """Jaeger, running while it is entered, everything on 127.0.0.1.

    grpc, http: endpoints for OTEL_EXPORTER_OTLP_ENDPOINT; query: the base address of its API and page.
    """

    name, failure = "Jaeger", Unavailable

    def __init__(self) -> None:
        self._binary = build()
        super().__init__()
        self.grpc = self.http = self.query = ""

    def trace(self, trace_id: str) -> list[Span]:
        """The spans of a trace by start time; empty if Jaeger does not know it."""
        return sorted(self._spans(f"/api/v3/traces/{trace_id}"), key=lambda span: span.start)

    def wait_for(self, trace_id: str, spans: int, timeout: float = 10.0) -> list[Span]:
        """The trace, once it has that many spans; TimeoutError with what there is after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while len(found := self.trace(trace_id)) < spans:
            if time.monotonic() > deadline:
                names = [span.name for span in found[:20]]
                raise TimeoutError(f"after {timeout} s the trace has {len(found)} of {spans} spans, among them {names}")
            time.sleep(0.05)
        return found

    def services(self) -> list[str]:
        """The names of the services that have sent something."""
        found: list[str] = json.loads(self._get("/api/v3/services") or "{}").get("services", [])
        return found

    def search(self, service: str, operation: str = "", limit: int = 100) -> list[str]:
        """The ids of the traces of a service in the last hour, with a span named `operation` if given."""
        now = datetime.now(timezone.utc)
        query = {"service_name": service, "num_traces": str(limit)}
        query |= {"start_time_min": _rfc3339(now - timedelta(hours=1)), "start_time_max": _rfc3339(now)}
        if operation:
            query["operation_name"] = operation
        # 2.13 has the names with underscores, later ones in camel case.
        both = {f"query.{spelt}": value for name, value in query.items() for spelt in (name, _camel_case(name))}
        return sorted({span.trace_id for span in self._spans(f"/api/v3/traces?{urllib.parse.urlencode(both)}")})

    def _spans(self, path: str) -> list[Span]:
        """By the API's contract an answer is a stream of objects, one a line, though 2.13 sends a single one."""
        chunks = map(json.loads, self._get(path).splitlines())
        return [span for chunk in chunks for span in otlp_json.spans(chunk["result"])]

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(self.query + path, timeout=10) as answer:
                text: str = answer.read().decode()
                return text
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return ""
                raise OSError(f"Jaeger answers {error.code} to {path}: {error.read().decode()}") from error

    def prepare(self, folder: Path) -> tuple[list[str], Callable[[], bool]]:
        """See Server."""
        grpc, http, query, query_grpc, health = (f"127.0.0.1:{port}" for port in free_ports(5))
        self.grpc, self.http, self.query = f"http://{grpc}", f"http://{http}", f"http://{query}"
        config = folder / "jaeger.yaml"
        config.write_text(json.dumps(_config(grpc, http, query, query_grpc, health)))  # JSON is YAML
        return [str(self._binary), f"--config={config}"], lambda: answers(f"http://{health}/status")


def _config(grpc: str, http: str, query: str, query_grpc: str, health: str) -> dict[str, Any]:
    """deploy's jaeger.yaml in small: no page settings, no metrics port, all on the given addresses."""
    return {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query", "healthcheckv2"],
            "pipelines": {
                "traces": {"receivers": ["otlp"], "processors": ["batch"], "exporters": ["jaeger_storage_exporter"]}
            },
            "telemetry": {"logs": {"level": "warn"}, "metrics": {"level": "none"}},
        },
        "extensions": {
            "healthcheckv2": {"use_v2": True, "http": {"endpoint": health}},
            "jaeger_storage": {"backends": {"main": {"memory": {"max_traces": 20_000}}}},
            "jaeger_query": {
                "storage": {"traces": "main"},
                "http": {"endpoint": query},
                "grpc": {"endpoint": query_grpc},
            },
        },
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": grpc}, "http": {"endpoint": http}}}},
        "processors": {"batch": {"timeout": "20ms"}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "main"}},
    }


def _rfc3339(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def main() -> int:
    """Build it and print where it is."""
    print(f"building Jaeger {VERSION}: five minutes at the first time", file=sys.stderr)
    try:
        print(build())
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
