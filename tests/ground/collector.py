"""A real OpenTelemetry Collector, which Jaeger's binary is too, running a recipe of deploy/collector as it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.ground.jaeger import build
from tests.ground.ports import free_ports
from tests.ground.process import Server, listens

RECIPES = Path(__file__).parents[2] / "deploy" / "collector"
#: laid over a recipe: it has no port of its own for its metrics, and logs only what went wrong
_QUIET = '{"service": {"telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}}}}'  # JSON is YAML


class Collector(Server):
    """The recipe `name`, running while it is entered, on 127.0.0.1.

    Only texts of `replaced` are others than in the file, and must be in it: hosts, ports, and how long something waits.
    http: the endpoint for OTEL_EXPORTER_OTLP_ENDPOINT; page: where Prometheus scrapes it ("127.0.0.1:port").
    """

    name, failure, patience = "Collector", RuntimeError, 3

    def __init__(self, name: str, replaced: Mapping[str, str]) -> None:
        self._binary = build()
        self._recipe = (RECIPES / f"{name}.yaml").read_text()
        self._replaced = replaced
        super().__init__()
        self.http = self.page = ""

    def prepare(self, folder: Path) -> tuple[list[str], Callable[[], bool]]:
        """See Server."""
        grpc, http, page = free_ports(3)
        self.http, self.page = f"http://127.0.0.1:{http}", f"127.0.0.1:{page}"
        text = self._recipe
        for old, new in self._replaced.items():
            assert old in text, f"the recipe has no {old}"
            text = text.replace(old, new)
        for old, port in ((4317, grpc), (4318, http), (8889, page)):
            text = text.replace(f"0.0.0.0:{old}", f"127.0.0.1:{port}")
        config, quiet = folder / "config.yaml", folder / "quiet.yaml"
        config.write_text(text)
        quiet.write_text(_QUIET)
        return [str(self._binary), f"--config={config}", f"--config={quiet}"], lambda: listens(http)
