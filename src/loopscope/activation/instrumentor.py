"""The conventional instrumentor: called in code, by `opentelemetry-instrument` and by OTEL_CONFIG_FILE."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from loopscope import runtime
from loopscope.settings import Settings, switched_on

_OPTIONS = ("tracer_provider", "meter_provider", "span_exporter")


@dataclass
class Configuration:
    """The settings as OTEL_CONFIG_FILE names them; None leaves a setting to the environment."""

    enabled: bool | None = None
    detail: str | None = None
    include: list[str] | None = None
    exclude: list[str] | None = None
    stall_threshold: float | None = None
    delay_threshold: float | None = None
    max_steps_per_task_span: int | None = None
    max_spans_per_trace: int | None = None
    max_spans_per_second: int | None = None
    max_cpu_share: float | None = None
    segment_seconds: float | None = None
    buffer_size: int | None = None
    metrics: bool | None = None
    stacks: bool | None = None
    core: str | None = None
    trace_file: str | None = None


class LoopscopeInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Switches loopscope on and off.

    `instrument(tracer_provider=, meter_provider=, span_exporter=, **settings)`; settings are those of
    `loopscope.Settings`. An unknown keyword raises TypeError; a bad value warns and uses its default.
    """

    configuration = Configuration
    _asked = False

    @property
    def _is_instrumented_by_opentelemetry(self) -> bool:
        """The start-up file starts the runtime without this class, whose imports cost as much as all others."""
        return self._asked or runtime.current() is not None

    @_is_instrumented_by_opentelemetry.setter
    def _is_instrumented_by_opentelemetry(self, value: bool) -> None:
        self._asked = value

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: asyncio is part of Python."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        options = {name: kwargs.pop(name) for name in _OPTIONS if name in kwargs}
        kwargs.pop("skip_dep_check", None)
        kwargs.pop("raise_exception_on_conflict", None)
        given = {name: value for name, value in kwargs.items() if value is not None}
        given.setdefault("enabled", switched_on() is not False)
        runtime.start(Settings.load(**given), **options)

    def _uninstrument(self, **kwargs: Any) -> None:
        runtime.stop()
