"""Chooses the targets: what was given, what the variables name, what the application has, the default."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import entry_points
from typing import Any

from opentelemetry.sdk.trace.export import SpanExporter

from loopscope.log import logger
from loopscope.pipeline.export.identity import check_identity
from loopscope.pipeline.export.targets import Bytes, Exporter, File, Target
from loopscope.pipeline.otlp import Encoding
from loopscope.settings import Settings, Standard

_HTTP = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_GRPC = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"


def choose(
    settings: Settings, standard: Standard, encoding: Encoding, given: SpanExporter | None, provider: Any
) -> list[Target]:
    """The targets, in the order of SPEC section 3. What cannot be built is told by a warning and left out.

    `provider` is the application's TracerProvider, None where there is none.
    """
    targets: list[Target] = []
    if settings.trace_file is not None:
        try:
            targets.append(File(settings.trace_file, encoding.anchor))
        except OSError as error:
            logger.warning("loopscope cannot write its trace file %s: %s", settings.trace_file, error.strerror or error)
    if given is not None:
        return [*targets, _given(given, encoding)]
    if standard.file and (like := _like(provider, encoding)):  # the distro sets OTEL_TRACES_EXPORTER all the same
        return targets + like
    if standard.exporters:
        for name in standard.exporters:
            if name != "none":
                targets += _built(name, standard, encoding)
        return targets
    if standard.endpoint:
        return targets + _built("otlp", standard, encoding)
    if settings.trace_file is not None:
        return targets
    return targets + (_like(provider, encoding) or _built("otlp", standard, encoding))


def load(settings: Settings, standard: Standard, given: SpanExporter | None, provider: Any) -> None:
    """Import the stock exporter that `choose` will want, before a loop runs that the import would hold up."""
    named = standard.exporters or (("otlp",) if standard.endpoint else ())
    if given is not None or (not named and (settings.trace_file is not None or _exporters_of(provider))):
        return
    with suppress(Exception):  # `choose` tells what cannot be had
        for name in named or ("otlp",):
            name = _protocol(name, standard)
            if name == "otlp_proto_http":
                from loopscope.pipeline.export import otlp_http  # noqa: F401
            elif name == "otlp_proto_grpc":
                from loopscope.pipeline.export import otlp_grpc  # noqa: F401


def _protocol(name: str, standard: Standard) -> str:
    """An exporter's name as entry points have it: `otlp` by the protocol that is set."""
    if name != "otlp":
        return name
    return "otlp_proto_http" if standard.protocol.startswith("http") else "otlp_proto_grpc"


def _built(name: str, standard: Standard, encoding: Encoding) -> list[Target]:
    """The exporter of this name, None of it with a warning where it cannot be built."""
    try:
        name = _protocol(name, standard)
        if name == "otlp_proto_http":
            return [_http({}, encoding)]
        if name == "otlp_proto_grpc":
            from loopscope.pipeline.export import otlp_grpc

            check_identity(standard.identity)
            return [_grpc(otlp_grpc.standard_settings(standard.endpoint), encoding)]
        found = list(entry_points(group="opentelemetry_traces_exporter", name=name))
        if not found:
            raise LookupError("no installed package has an exporter of this name")
        return [_exporter(found[0].load()(), encoding, name)]
    except Exception as error:
        logger.warning("loopscope cannot use the exporter %r: %s", name, error)
        return []


def _http(options: dict[str, Any], encoding: Encoding) -> Target:
    from loopscope.pipeline.export import old_http, otlp_http

    if otlp_http.takes_bytes():
        return Bytes(lambda: otlp_http.HttpSender(otlp_http.Stock(**options)), encoding)
    if old_http.takes_bytes():
        return Bytes(lambda: old_http.OldHttpSender(old_http.RawExporter(**options)), encoding)
    return _exporter(otlp_http.Stock(**options), encoding)


def _grpc(options: dict[str, Any], encoding: Encoding) -> Target:
    from loopscope.pipeline.export import otlp_grpc

    if otlp_grpc.takes_bytes():
        return Bytes(lambda: otlp_grpc.GrpcSender(otlp_grpc.RawExporter(**options)), encoding)
    return _exporter(otlp_grpc.Stock(**options), encoding)


def _given(exporter: SpanExporter, encoding: Encoding) -> Target:
    """The exporter that was handed over; a stock OTLP one as another with its settings, that takes bytes."""
    try:
        like = _stock(exporter, encoding)
    except Exception:
        like = None
    return like or _exporter(exporter, encoding)


def _exporter(exporter: SpanExporter, encoding: Encoding, name: str = "") -> Target:
    """An exporter by its public interface; in small batches where it encodes a batch at once."""
    target = Exporter(exporter, encoding.anchor, name or getattr(exporter, "_endpoint", "") or type(exporter).__name__)
    if type(exporter).__module__ in (_HTTP, _GRPC):
        target.size = 16
    return target


def _like(provider: Any, encoding: Encoding) -> list[Target]:
    """An exporter like the stock OTLP exporter that the application put into its provider in code."""
    try:
        for exporter in _exporters_of(provider):
            target = _stock(exporter, encoding)
            if target is not None:
                return [target]
    except Exception as error:
        logger.warning("loopscope cannot read the settings of the application's exporter: %s", error)
    return []


def _stock(exporter: Any, encoding: Encoding) -> Target | None:
    """An exporter with the settings of this one, None where it is no stock OTLP exporter."""
    kind = type(exporter)
    if kind.__name__ == "OTLPSpanExporter" and kind.__module__ == _HTTP:
        from loopscope.pipeline.export import old_http, otlp_http

        new = otlp_http.takes_bytes()
        return _http(otlp_http.settings_of(exporter) if new else old_http.settings_of(exporter), encoding)
    if kind.__name__ == "OTLPSpanExporter" and kind.__module__ == _GRPC:
        from loopscope.pipeline.export import otlp_grpc

        return _grpc(otlp_grpc.settings_of(exporter), encoding)
    return None


def _exporters_of(provider: Any) -> list[Any]:
    """The span exporters of a provider's processors, by the SDK's private names."""
    active = getattr(provider, "_active_span_processor", None)
    found = []
    for processor in getattr(active, "_span_processors", ()):
        exporter = getattr(processor, "span_exporter", None)
        if exporter is None:
            exporter = getattr(getattr(processor, "_batch_processor", None), "_exporter", None)
        if exporter is not None:
            found.append(exporter)
    return found
