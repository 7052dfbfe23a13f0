"""Where traces go from here, and whether that answers."""

from __future__ import annotations

import os

from loopscope.activation.cli.doctor.finding import FAIL, OK, WARN, Finding, Findings
from loopscope.activation.cli.progress import working
from loopscope.recording.http import without_secrets
from loopscope.settings import Settings, Standard

#: seconds that an endpoint may take
_TIMEOUT = 3.0
_DEFAULT = ", the default where the application sets up no exporter in code"
_PROTOCOLS = ("grpc", "http/protobuf")


def findings(standard: Standard, settings: Settings, on: bool) -> Findings:
    """The lines; `on`: whether loopscope is switched on here, so that something will be sent."""
    if settings.trace_file is not None:
        yield _trace_file(settings.trace_file)
    if settings.detail == "none":
        yield Finding(WARN, "OTEL_PYTHON_LOOPSCOPE_DETAIL=none: no spans, metrics only", "unset it for traces")
        return
    if standard.file:
        yield Finding(WARN, "OTEL_CONFIG_FILE says where traces go: that is not checked here")
        return
    if set(standard.exporters) == {"none"}:
        yield Finding(WARN, "OTEL_TRACES_EXPORTER=none: no spans are sent", "unset it for traces")
        return
    others = [name for name in standard.exporters if name != "none" and not name.startswith("otlp")]
    if others:
        yield Finding(OK, f"exporter {', '.join(others)}: not checked here")
    if any(name.startswith("otlp") for name in standard.exporters) or not standard.exporters:
        yield from _otlp(standard, settings, on)


def _trace_file(path: str) -> Finding:
    target = path if os.path.exists(path) else os.path.dirname(path)
    if os.path.isdir(path) or not os.access(target, os.W_OK):
        return Finding(FAIL, f"cannot write the trace file {path}", "set OTEL_PYTHON_LOOPSCOPE_TRACE_FILE to another")
    return Finding(OK, f"traces are appended to {path}")


def _otlp(standard: Standard, settings: Settings, on: bool) -> Findings:
    named = standard.endpoint or bool(standard.exporters)
    if not named and settings.trace_file is not None:
        return
    if standard.protocol not in _PROTOCOLS:
        yield Finding(
            FAIL, f"OTEL_EXPORTER_OTLP_PROTOCOL={standard.protocol!r} is none that OpenTelemetry Python has",
            f"set it to {' or '.join(_PROTOCOLS)}",
        )  # fmt: skip
    try:
        from loopscope.pipeline.export.check import check
    except ImportError as error:
        yield Finding(FAIL, f"the OTLP exporter cannot be imported: {error}", "install opentelemetry-exporter-otlp")
        return
    with working("asking the endpoint"):
        answer = check(standard, _TIMEOUT)
    by = f"{without_secrets(answer.where)} ({standard.protocol})" + ("" if named else _DEFAULT)
    if not answer.wrong:
        yield Finding(OK, f"{by} takes spans")
    else:
        yield Finding(FAIL if named or on else WARN, f"{by}: {answer.wrong}", answer.advice)
