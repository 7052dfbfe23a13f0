"""A real OpenTelemetry Collector, which Jaeger's binary is too, running a recipe of deploy/collector as it stands."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from tests.ground.jaeger import build
from tests.ground.ports import free_ports

RECIPES = Path(__file__).parents[2] / "deploy" / "collector"
#: laid over a recipe: it has no port of its own for its metrics, and logs only what went wrong
_QUIET = '{"service": {"telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}}}}'  # JSON is YAML


class Collector:
    """The recipe `name`, running while it is entered, on 127.0.0.1.

    Only texts of `replaced` are others than in the file, and must be in it: hosts, ports, and how long something waits.
    http: the endpoint for OTEL_EXPORTER_OTLP_ENDPOINT; page: where Prometheus scrapes it ("127.0.0.1:port").
    """

    def __init__(self, name: str, replaced: Mapping[str, str]) -> None:
        self._binary = build()
        self._recipe = (RECIPES / f"{name}.yaml").read_text()
        self._replaced = replaced
        self._folder = tempfile.TemporaryDirectory(prefix="loopscope-collector-")
        self._process: subprocess.Popen[bytes] | None = None
        self.http = self.page = ""

    def __enter__(self) -> Collector:
        try:
            # Another try, because somebody may have taken one of the free ports meanwhile.
            if not any(self._start() for _ in range(3)):
                raise RuntimeError(f"the Collector does not start: {self.log()}")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def log(self) -> str:
        """The end of what it has logged: warnings and errors."""
        return self._log.read_text(errors="replace").strip()[-2000:]

    @property
    def _log(self) -> Path:
        return Path(self._folder.name, "collector.log")

    def _start(self) -> bool:
        """Start it on other ports; False if it exits at once or does not listen."""
        self._kill()
        grpc, http, page = free_ports(3)
        self.http, self.page = f"http://127.0.0.1:{http}", f"127.0.0.1:{page}"
        text = self._recipe
        for old, new in self._replaced.items():
            assert old in text, f"the recipe has no {old}"
            text = text.replace(old, new)
        for old, port in ((4317, grpc), (4318, http), (8889, page)):
            text = text.replace(f"0.0.0.0:{old}", f"127.0.0.1:{port}")
        config, quiet = Path(self._folder.name, "config.yaml"), Path(self._folder.name, "quiet.yaml")
        config.write_text(text)
        quiet.write_text(_QUIET)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [self._binary, f"--config={config}", f"--config={quiet}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 20
        while self._process.poll() is None and time.monotonic() < deadline:
            if _listens(http):
                return True
            time.sleep(0.05)
        return False

    def _stop(self) -> None:
        self._kill()
        self._folder.cleanup()

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
