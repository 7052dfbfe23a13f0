"""`opentelemetry-instrument python app.py` finds loopscope; what switches it off; what OTEL_CONFIG_FILE can set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.ground.receiver import Receiver
from tests.packaging.distribution import HERE, JOB, LINES, environment, wheel
from tests.processes.program import Ended, clean, run, to
from tests.support import Story

ENABLED = "OTEL_PYTHON_LOOPSCOPE_ENABLED"
DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
#: the distro's default is to send these too, to the same place
ONLY_TRACES = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


def instrumented(variables: dict[str, str], *packages: str) -> Ended:
    """What `opentelemetry-instrument python -c JOB` comes to, where these packages are installed too."""
    python = environment(HERE.version, "-".join(("instrument", *packages)).replace("[", "-"), str(wheel()), *packages)
    command = Path(python).with_name("opentelemetry-instrument")
    return run(JOB, {**variables, **ONLY_TRACES}, python=python, flags=(str(command), python))


def unset(variables: dict[str, str]) -> dict[str, str]:
    """Without the variable that would switch loopscope on by itself."""
    return {name: value for name, value in variables.items() if name != ENABLED}


@pytest.mark.parametrize("packages", [(), ("opentelemetry-distro",)], ids=["alone", "distro"])
@pytest.mark.parametrize("enabled", ["unset", "true"])
def test_found_by_its_entry_point(enabled: str, packages: tuple[str, ...]) -> None:
    """With the variable set it is switched on in both ways, and records once. The distro sets up a provider."""
    with Receiver() as receiver:
        variables = to(receiver, OTEL_SERVICE_NAME="found")
        ended = instrumented(variables if enabled == "true" else unset(variables), *packages)
        spans = receiver.spans()
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert Story(list(spans)).lines() == LINES
    assert {span.resource["service.name"] for span in spans} == {"found"}
    assert ["telemetry.auto.version" in span.resource for span in spans] == [bool(packages)] * 3


@pytest.mark.parametrize("off", [{ENABLED: "false"}, {ENABLED: "0"}, {DISABLED: "urllib3, loopscope"}], ids=str)
def test_switched_off(off: dict[str, str]) -> None:
    with Receiver() as receiver:
        ended = instrumented({**unset(to(receiver)), **off})
        assert (ended.code, ended.out, ended.err, receiver.spans()) == (0, "", "", [])


@pytest.mark.parametrize(
    ("options", "lines", "said"),
    [
        ({}, LINES, []),
        ({"detail": "tasks", "stall_threshold": 1, "include": ["__main__.*"]}, [], []),
        ({"core": "x"}, LINES, ["core='x' is not usable (expected one of auto, native, python); using 'auto'"]),
    ],
    ids=["defaults", "settings", "bad value"],
)
def test_configuration_file(options: dict[str, object], lines: list[str], said: list[str], tmp_path: Path) -> None:
    """Settings, resource and endpoint come from the file alone."""
    with Receiver() as receiver:
        exporter = {"otlp_http": {"endpoint": f"{receiver.http}/v1/traces"}}
        (tmp_path / "otel.yaml").write_text(
            json.dumps(
                {
                    "file_format": "1.0",
                    "resource": {"attributes": [{"name": "service.name", "value": "of the file"}]},
                    "tracer_provider": {"processors": [{"batch": {"exporter": exporter}}]},
                    "instrumentation/development": {"python": {"loopscope": options}},
                }
            )
        )
        # The command would call instrument() once more, and OpenTelemetry warn of it.
        variables = {**clean(), DISABLED: "loopscope"}
        variables["OTEL_CONFIG_FILE"] = str(tmp_path / "otel.yaml")
        ended = instrumented(variables, "opentelemetry-distro", "opentelemetry-sdk[file-configuration]")
        spans = receiver.spans()
    told = [line for line in ended.err.splitlines() if not line.startswith("OTEL_CONFIG_FILE is set; ignoring")]
    assert (ended.code, ended.out, told) == (0, "", said)
    story = Story(list(spans))
    assert ([span.name for span in story.tasks], story.lines()) == (["task job"], lines)
    assert {span.resource["service.name"] for span in spans} == {"of the file"}
