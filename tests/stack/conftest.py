"""One Jaeger for the example service; and another, with all that stands before it, for three small programs.

These are a shop with planted problems, one whose spans nobody takes, and a healthy one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.backends.conftest import jaeger
from tests.ground import jaeger as ground
from tests.ground import prometheus as metrics
from tests.ground.collector import Collector
from tests.ground.configured import DEPLOY
from tests.ground.jaeger import Jaeger
from tests.ground.prometheus import Prometheus
from tests.processes.program import switched_on
from tests.stack import planted

__all__ = ["jaeger"]

SECONDS = 9

#: service -> its arguments, and its settings beside the common ones
SHOPS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "shop": ((), {}),
    "misdirected": ((), {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "{endpoint}/nowhere"}),
    "healthy": (("healthy",), {"OTEL_PYTHON_LOOPSCOPE_STALL_THRESHOLD": "1"}),
}


class Stack(NamedTuple):
    """The real parts, filled. The services have ended; what is asked of Prometheus is asked of the last minutes."""

    jaeger: Jaeger
    prometheus: Prometheus


def start(service: str, endpoint: str, seconds: float = SECONDS) -> subprocess.Popen[str]:
    """A shop in a process of its own, sending traces and metrics."""
    arguments, settings = SHOPS[service]
    settings = {name: value.format(endpoint=endpoint) for name, value in settings.items()}
    environment = {
        **switched_on(endpoint), "OTEL_SERVICE_NAME": service, "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_METRIC_EXPORT_INTERVAL": "500", "OTEL_PYTHON_LOOPSCOPE_STALL_THRESHOLD": "0.05", **settings,
    }  # fmt: skip
    command = [sys.executable, planted.__file__, str(seconds), *arguments]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Filled while it is set up. Prometheus evaluates the alerts with minutes made to seconds: see `hasty`."""
    rules = tmp_path_factory.mktemp("rules") / "alerts.yaml"
    rules.write_text(hasty((DEPLOY / "prometheus" / "alerts.yaml").read_text()))
    try:
        own = Jaeger()
        metrics.unpack()
    except (ground.Unavailable, metrics.Unavailable) as error:
        pytest.skip(str(error))
    with own:
        there = own.grpc.removeprefix("http://")
        with (
            Collector("forward", {"jaeger:4317": there, "tempo:4317": there}) as collector,
            Prometheus(collector.page, rules=rules) as prometheus,
        ):
            shops = [start(service, collector.http) for service in SHOPS]
            try:
                for each in shops:
                    _, told = each.communicate(timeout=60)
                    assert each.returncode == 0, told
            finally:
                for each in shops:
                    each.kill()
            yield Stack(own, prometheus)


def hasty(rules: str) -> str:
    """Alert rules for a test that has no minutes: an alert after a second of what was five minutes long."""
    for old, new in (("[5m]", "[4s]"), ("for: 5m", "for: 1s"), ("for: 2m", "for: 1s")):
        assert old in rules
        rules = rules.replace(old, new)
    return rules
