"""The typed settings, and the only place that reads the environment."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from loopscope.log import logger

PREFIX = "OTEL_PYTHON_LOOPSCOPE_"
ENABLED = PREFIX + "ENABLED"
#: no setting: `loopscope run` sets it for its child
PRINTED = PREFIX + "PRINTED"

#: seconds that a duration may be at most
LONGEST = 1e9

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set, by `OTEL_PYTHON_LOOPSCOPE_*` or as keywords of `instrument()`.

    Durations are seconds. A bad value is replaced by its default and told by a warning.
    """

    enabled: bool = True
    #: `steps` (default), `states` (bars for waiting and ready too), `slow` (only tasks with a slow, delayed or failed
    #: step), `tasks` (no step spans) or `none` (no spans: metrics and stalls only)
    detail: str = "steps"
    #: patterns on `module.qualname` of tasks: only these, where there are any
    include: tuple[str, ...] = ()
    #: patterns on `module.qualname` of tasks: not these
    exclude: tuple[str, ...] = ()
    stall_threshold: float = 0.1
    delay_threshold: float = 0.001
    max_steps_per_task_span: int = 2_000
    max_spans_per_trace: int = 15_000
    max_spans_per_second: int = 2_000
    #: of a processor's time, for the background thread, in bursts of a minute's worth
    max_cpu_share: float = 0.05
    segment_seconds: float = 60.0
    #: records that may wait for the background thread
    buffer_size: int = 131_072
    metrics: bool = True
    stacks: bool = True
    core: str = "auto"
    #: OTLP JSON lines are appended here, instead of an exporter that nothing names, or beside one
    trace_file: str | None = None

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
        """The environment's settings, overridden by keywords (of the same names in lower case).

        Raises TypeError for a keyword that is no setting; bad values only warn.
        """
        environment = os.environ if environment is None else environment
        known = {field.name: field.default for field in fields(cls)}
        for name in given:
            if name not in known:
                raise TypeError(f"loopscope has no setting {name!r}; there are: {', '.join(known)}")
        values: dict[str, Any] = {}
        for name, default in known.items():
            variable = PREFIX + name.upper()
            text = environment.get(variable)
            if name in given:
                values[name] = _checked(name, name, given[name], default)
            elif text is not None and text.strip():
                values[name] = _checked(name, variable, text.strip(), default)
        return cls(**values)


def _checked(name: str, source: str, value: Any, default: Any) -> Any:
    try:
        return _PARSERS[name](value)
    except (ValueError, TypeError, OverflowError, OSError) as error:
        logger.warning("%s=%r is not usable (%s); using %r", source, value, error, default)
        return default


def _flag(value: Any) -> bool:
    text = str(value).lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("expected true or false")


def _choice(*choices: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        text = str(value).lower()
        if text not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text

    return parse


def _patterns(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else list(value)
    if not all(isinstance(part, str) for part in parts):
        raise ValueError("expected patterns on module.qualname, separated by commas")
    return tuple(part.strip() for part in parts if part.strip())


def _seconds(value: Any) -> float:
    number = math.nan if isinstance(value, bool) else float(value)
    if not 0 < number <= LONGEST:
        raise ValueError(f"expected a number of seconds above 0, up to {LONGEST:.0e}")
    return number


def _share(value: Any) -> float:
    number = math.nan if isinstance(value, bool) else float(value)
    if not 0 < number <= 1:
        raise ValueError("expected a number above 0, up to 1")
    return number


def _whole(least: int, most: int = 1 << 31) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        number = int(value)
        if isinstance(value, bool) or (isinstance(value, float) and number != value):
            raise ValueError("expected a whole number")
        if not least <= number <= most:
            raise ValueError(f"expected a whole number from {least} to {most}")
        return number

    return parse


def _path(value: Any) -> str | None:
    if value is None:
        return None
    text = os.fspath(value)
    if not isinstance(text, str):
        raise ValueError("expected a path")
    if "\0" in text:
        raise ValueError("a path holds no null character")
    return os.path.abspath(text) if text else None


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "enabled": _flag,
    "detail": _choice("steps", "states", "slow", "tasks", "none"),
    "include": _patterns,
    "exclude": _patterns,
    "stall_threshold": _seconds,
    "delay_threshold": _seconds,
    "max_steps_per_task_span": _whole(8),
    "max_spans_per_trace": _whole(16),
    "max_spans_per_second": _whole(1),
    "max_cpu_share": _share,
    "segment_seconds": _seconds,
    "buffer_size": _whole(64),
    "metrics": _flag,
    "stacks": _flag,
    "core": _choice("auto", "native", "python"),
    "trace_file": _path,
}


def switched_on(environment: Mapping[str, str] | None = None) -> bool | None:
    """What `OTEL_PYTHON_LOOPSCOPE_ENABLED` says; None where it is unset or says neither."""
    environment = os.environ if environment is None else environment
    text = environment.get(ENABLED, "").strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text:
        logger.warning("%s=%r is neither true nor false; loopscope stays off", ENABLED, text)
        return False
    return None


@dataclass(frozen=True, slots=True)
class Standard:
    """What the standard `OTEL_*` variables say of where traces and metrics go. Durations are seconds."""

    disabled: bool
    exporters: tuple[str, ...]
    #: whether one is named; `address` is which
    endpoint: bool
    protocol: str
    timeout: float
    #: OTEL_CONFIG_FILE: who reads it passes the other variables by
    file: bool = False
    metrics_exporters: tuple[str, ...] = ()
    metrics_protocol: str = "grpc"
    metrics_interval: float = 60.0
    address: str = ""
    #: files of the certificate and the key by which OTLP/gRPC says who asks, as the stock exporters read them
    identity: tuple[str, str] = ("", "")
    metrics_identity: tuple[str, str] = ("", "")
    #: `service.name`, empty where nothing names one
    service: str = ""

    @property
    def metrics(self) -> bool:
        """Whether they ask for metrics."""
        return bool(self.metrics_exporters) and not self.file

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> Standard:
        """Read them; unset exporters are an empty tuple, the protocol has OpenTelemetry Python's default."""
        environment = os.environ if environment is None else environment

        first = partial(_first, environment)

        def named(variable: str) -> tuple[str, ...]:
            return tuple(part.strip() for part in first(variable).split(",") if part.strip())

        def seconds(text: str, default: float, unit: float = 1.0) -> float:
            try:
                return _seconds(text) * unit
            except ValueError:
                return default

        protocol = first("OTEL_EXPORTER_OTLP_PROTOCOL") or "grpc"
        timeout = first("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
        address = first("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
        return cls(
            disabled=first("OTEL_SDK_DISABLED").lower() == "true",
            exporters=named("OTEL_TRACES_EXPORTER"),
            endpoint=bool(address),
            protocol=first("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or protocol,
            timeout=seconds(timeout, 10.0),
            file=bool(first("OTEL_CONFIG_FILE")),
            metrics_exporters=tuple(name for name in named("OTEL_METRICS_EXPORTER") if name != "none"),
            metrics_protocol=first("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL") or protocol,
            metrics_interval=seconds(first("OTEL_METRIC_EXPORT_INTERVAL"), 60.0, 1e-3),
            address=address,
            identity=_identity(environment, "TRACES_"),
            metrics_identity=_identity(environment, "METRICS_"),
            service=first("OTEL_SERVICE_NAME") or _of_resource("service.name", first("OTEL_RESOURCE_ATTRIBUTES")),
        )


def _first(environment: Mapping[str, str], *names: str) -> str:
    """The first of these variables that says something, empty where none does."""
    return next((environment[name].strip() for name in names if environment.get(name, "").strip()), "")


def _identity(environment: Mapping[str, str], signal: str) -> tuple[str, str]:
    """Certificate and key of an OTLP exporter that uses TLS, empty for none: those beside its CERTIFICATE."""
    names = [f"OTEL_EXPORTER_OTLP_{part}" for part in (signal, "")]
    address = _first(environment, *(name + "ENDPOINT" for name in names)) or "http://"
    plain = _first(environment, *(name + "INSECURE" for name in names))
    unsafe = plain.lower() == "true" if plain else address.startswith("http://")
    if unsafe and not address.startswith("https://"):
        return "", ""
    for name in names:
        if name + "CERTIFICATE" in environment:
            if not environment[name + "CERTIFICATE"]:
                break
            return environment.get(name + "CLIENT_CERTIFICATE", ""), environment.get(name + "CLIENT_KEY", "")
    return "", ""


def _of_resource(name: str, attributes: str) -> str:
    """A value of OTEL_RESOURCE_ATTRIBUTES, empty where it has none."""
    pairs = (pair.partition("=") for pair in attributes.split(","))
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")


#: what Backends reads, each after PREFIX
BACKEND_VARIABLES = ("JAEGER_URL", "TEMPO_URL", "QUERY_HEADERS")


@dataclass(frozen=True, slots=True)
class Backends:
    """Where traces are read from: `OTEL_PYTHON_LOOPSCOPE_JAEGER_URL`, `…_TEMPO_URL`, `…_QUERY_HEADERS`.

    The bases of Jaeger's and Tempo's API, headers that they want, and seconds that they may take to answer.
    """

    jaeger: str = ""
    tempo: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 20.0

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> Backends:
        """Read the variables; headers are written as in `OTEL_EXPORTER_OTLP_HEADERS`: name=value,name=value."""
        from urllib.parse import unquote  # not in the instrumented process

        environment = os.environ if environment is None else environment
        pairs = (pair.partition("=") for pair in environment.get(PREFIX + "QUERY_HEADERS", "").split(","))
        return cls(
            jaeger=environment.get(PREFIX + "JAEGER_URL", "").strip(),
            tempo=environment.get(PREFIX + "TEMPO_URL", "").strip(),
            headers={name.strip(): unquote(value.strip()) for name, _, value in pairs if name.strip()},
        )


def notes_printed(environment: Mapping[str, str] | None = None) -> bool:
    """Whether the lines that the program prints are to be noted: so `loopscope run` asks."""
    environment = os.environ if environment is None else environment
    return environment.get(PRINTED, "") in _TRUE


def has_display() -> bool:
    """Whether a browser may open a window, or the user named one."""
    return sys.platform != "linux" or any(map(os.environ.get, ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")))


def wants_colour(terminal: bool, environment: Mapping[str, str] | None = None) -> bool:
    """Whether to write colours to something that is a terminal, or is not: `NO_COLOR`, `FORCE_COLOR`, `TERM`."""
    environment = os.environ if environment is None else environment
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return terminal and environment.get("TERM") != "dumb"


def child_environment(changes: Mapping[str, str], standard: bool = True) -> dict[str, str]:
    """This process's environment with changes, for a child; not `standard`: without any OTEL_* variable of its own."""
    kept = {name: value for name, value in os.environ.items() if standard or not name.startswith("OTEL_")}
    return {**kept, **changes}


def trace_file() -> str:
    """The trace file that the environment names, empty for none."""
    return os.environ.get(PREFIX + "TRACE_FILE", "").strip()


def known_settings() -> list[str]:
    """What may stand after PREFIX."""
    return [field.name.upper() for field in fields(Settings)] + list(BACKEND_VARIABLES)


def unknown_settings(environment: Mapping[str, str] | None = None) -> list[str]:
    """Variables that begin as ours do, but that nothing reads."""
    environment = os.environ if environment is None else environment
    known = {PREFIX + name for name in known_settings()}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
