"""Every setting: its default, its variable, its keyword, and what nonsense does."""

from __future__ import annotations

import logging
import os
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest

from loopscope.activation.instrumentor import Configuration
from loopscope.settings import PREFIX, Settings, Standard, switched_on, unknown_settings

#: name -> default, a text for the variable, what it means, a keyword's value, what it means
KNOWN: dict[str, tuple[Any, str, Any, Any, Any]] = {
    "enabled": (True, "FALSE", False, "off", False),
    "detail": ("steps", "Tasks", "tasks", "none", "none"),
    "include": ((), "app.*, lib.work ,", ("app.*", "lib.work"), ["a", " b "], ("a", "b")),
    "exclude": ((), "app.*", ("app.*",), "a,b", ("a", "b")),
    "stall_threshold": (0.1, "0.5", 0.5, 2, 2.0),
    "delay_threshold": (0.001, "1e-4", 0.0001, "0.2", 0.2),
    "max_steps_per_task_span": (2_000, "8", 8, 100, 100),
    "max_spans_per_trace": (15_000, "16", 16, 500.0, 500),
    "max_spans_per_second": (2_000, "1", 1, 10, 10),
    "max_cpu_share": (0.05, "0.5", 0.5, 1, 1.0),
    "segment_seconds": (60.0, "0.5", 0.5, 5, 5.0),
    "buffer_size": (131_072, "64", 64, 1_000, 1_000),
    "metrics": (True, "no", False, 0, False),
    "stacks": (True, "0", False, False, False),
    "core": ("auto", "PYTHON", "python", "native", "native"),
    "trace_file": (None, "/tmp/a.jsonl", "/tmp/a.jsonl", Path("/tmp/b.jsonl"), "/tmp/b.jsonl"),
}

#: what no setting takes, by name
NONSENSE: dict[str, list[Any]] = {
    "enabled": ["maybe", "2", None],
    "detail": ["everything", "", 3],
    "include": [7, [1, 2], None],
    "exclude": [7, [b"x"]],
    "stall_threshold": ["fast", "0", "-1", "nan", "inf", True, None, [1]],
    "delay_threshold": ["1ms", 0, -0.1, float("nan")],
    "max_steps_per_task_span": ["7", "8.5", 12.5, True, "many", 1 << 40, None],
    "max_spans_per_trace": ["15", "", float("inf")],
    "max_spans_per_second": ["0", "-5"],
    "max_cpu_share": ["0", "1.5", "5%", "nan", True, None],
    "segment_seconds": ["0", "soon"],
    "buffer_size": ["63", "1e6"],
    "metrics": ["perhaps"],
    "stacks": ["2"],
    "core": ["rust"],
    "trace_file": [7, b"x", "a\0b"],
}


def test_the_names_are_those_of_the_documentation() -> None:
    """Written out: a setting that is renamed is a setting that users lose. OTEL_CONFIG_FILE has the same ones."""
    names = [
        "ENABLED",
        "DETAIL",
        "INCLUDE",
        "EXCLUDE",
        "STALL_THRESHOLD",
        "DELAY_THRESHOLD",
        "MAX_STEPS_PER_TASK_SPAN",
        "MAX_SPANS_PER_TRACE",
        "MAX_SPANS_PER_SECOND",
        "MAX_CPU_SHARE",
        "SEGMENT_SECONDS",
        "BUFFER_SIZE",
        "METRICS",
        "STACKS",
        "CORE",
        "TRACE_FILE",
    ]
    assert PREFIX == "OTEL_PYTHON_LOOPSCOPE_"
    assert [field.name.upper() for field in fields(Settings)] == names
    assert [field.name.upper() for field in fields(Configuration)] == names
    assert list(KNOWN) == list(NONSENSE) == [name.lower() for name in names]
    assert all(getattr(Configuration(), field.name) is None for field in fields(Configuration))


@pytest.mark.parametrize("name", KNOWN)
def test_a_setting(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Default; variable; empty variable; keyword; keyword over variable. Nothing is warned of."""
    default, text, meant, keyword, given = KNOWN[name]
    variable = PREFIX + name.upper()
    assert getattr(Settings(), name) == default
    assert getattr(Settings.load({}), name) == default
    assert getattr(Settings.load({variable: f" {text} "}), name) == meant
    assert getattr(Settings.load({variable: "  "}), name) == default
    assert getattr(Settings.load({}, **{name: keyword}), name) == given
    assert getattr(Settings.load({variable: text}, **{name: keyword}), name) == given
    assert type(getattr(Settings.load({}, **{name: keyword}), name)) is type(given)
    assert caplog.records == []


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in NONSENSE.items() for value in values])
def test_nonsense_warns_and_uses_the_default(name: str, value: Any, caplog: pytest.LogCaptureFixture) -> None:
    """One line that names what was set, its value and the default; the other settings stand."""
    variable, default = PREFIX + name.upper(), KNOWN[name][0]
    other = "core" if name != "core" else "detail"
    chosen = {"core": "python", "detail": "tasks"}[other]
    by_keyword = Settings.load({PREFIX + other.upper(): chosen}, **{name: value})
    assert (getattr(by_keyword, name), getattr(by_keyword, other)) == (default, chosen)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"{name}={value!r}" in caplog.text and f"using {default!r}" in caplog.text
    caplog.clear()
    if isinstance(value, str) and value:
        assert getattr(Settings.load({variable: value}), name) == default
        assert len(caplog.records) == 1
        assert f"{variable}={value!r}" in caplog.text and f"using {default!r}" in caplog.text


def test_an_unknown_keyword_is_an_error() -> None:
    """A typing error in code is told where it is made, with what there is."""
    with pytest.raises(TypeError, match=r"no setting 'segment_second'; there are: enabled, detail, .*trace_file"):
        Settings.load({}, segment_second=5)


def test_settings_are_frozen() -> None:
    """Values, not switches."""
    with pytest.raises(FrozenInstanceError):
        Settings().detail = "none"  # type: ignore[misc]


def test_the_trace_file_does_not_move_with_the_working_directory() -> None:
    """A relative path is one from where the process stood at its start."""
    assert Settings.load({}, trace_file="a.jsonl").trace_file == os.path.join(os.getcwd(), "a.jsonl")
    assert Settings.load({}, trace_file="").trace_file is None


def test_a_trace_file_in_a_directory_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert Settings.load({}, trace_file="a.jsonl").trace_file is None
    assert "trace_file='a.jsonl' is not usable ([Errno 2] No such file or directory); using None" in caplog.text


@pytest.mark.parametrize(
    ("text", "said", "warnings"),
    [("", None, 0), ("  ", None, 0), ("true", True, 0), ("1", True, 0), (" On ", True, 0), ("yes", True, 0),
     ("FALSE", False, 0), ("0", False, 0), ("no", False, 0), ("off", False, 0), ("perhaps", False, 1)],
)  # fmt: skip
def test_switched_on(text: str, said: bool | None, warnings: int, caplog: pytest.LogCaptureFixture) -> None:
    """Unset is neither; nonsense is off, with a warning."""
    assert switched_on({PREFIX + "ENABLED": text}) is said
    assert len(caplog.records) == warnings
    assert switched_on({}) is None


def test_the_standard_variables() -> None:
    """What they say of where traces and metrics go; a signal's own over the general ones."""
    assert Standard.load({}) == Standard(False, (), False, "grpc", 10.0)
    assert Standard.load(
        {"OTEL_SDK_DISABLED": "True", "OTEL_TRACES_EXPORTER": "otlp, console,", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x",
         "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TIMEOUT": "3"}
    ) == Standard(True, ("otlp", "console"), True, "http/protobuf", 3.0, metrics_protocol="http/protobuf", address="http://x")  # fmt: skip
    mine = Standard.load(
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
         "OTEL_EXPORTER_OTLP_TIMEOUT": "3", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "4",
         "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://y"}
    )  # fmt: skip
    assert mine == Standard(False, (), True, "grpc", 4.0, metrics_protocol="http/protobuf", address="http://y")
    named = {"OTEL_RESOURCE_ATTRIBUTES": "a=b, service.name = shop,x"}
    assert [Standard.load(one).service for one in ({}, named, {**named, "OTEL_SERVICE_NAME": "till"})] == [
        "",
        "shop",
        "till",
    ]
    metrics = Standard.load(
        {"OTEL_METRICS_EXPORTER": "otlp, none", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/json",
         "OTEL_METRIC_EXPORT_INTERVAL": "1500"}
    )  # fmt: skip
    assert metrics == Standard(
        False, (), False, "grpc", 10.0, metrics_exporters=("otlp",), metrics_protocol="http/json", metrics_interval=1.5
    )
    assert metrics.metrics and not Standard.load({"OTEL_METRICS_EXPORTER": "none"}).metrics
    assert not Standard.load({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_CONFIG_FILE": "x.yaml"}).metrics
    assert Standard.load({"OTEL_METRIC_EXPORT_INTERVAL": "soon"}).metrics_interval == 60.0


@pytest.mark.parametrize("timeout", ["soon", "nan", "inf", "-1", "0"])
def test_a_senseless_timeout_is_the_default(timeout: str) -> None:
    """The process must end, and must not end before anything is sent."""
    assert Standard.load({"OTEL_EXPORTER_OTLP_TIMEOUT": timeout}).timeout == 10.0


def test_every_other_name_is_unknown() -> None:
    """Also those of the backends are known; other people's variables are none of ours."""
    given = {PREFIX + name: "x" for name in ("ENABLED", "DETAIL", "TEMPO_URL", "QUERY_HEADERS", "DETALE", "")}
    assert unknown_settings({**given, "PATH": "/", "OTEL_PYTHON_X": "1"}) == [PREFIX, PREFIX + "DETALE"]
