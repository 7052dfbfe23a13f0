"""Asks the OTLP endpoint that the variables name whether it takes spans: one empty request, without any retry."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from loopscope.pipeline.export.identity import check_identity
from loopscope.recording.http import authorization, without_secrets
from loopscope.settings import Standard

#: HTTP's statuses and gRPC's codes that say who asks, or for what
_NOT_LET_IN = (401, 403, "UNAUTHENTICATED", "PERMISSION_DENIED")
_NOT_THERE = (404, 405, 415, "UNIMPLEMENTED")

#: in what gRPC says of a server that does not speak HTTP/2
_NO_GRPC = ("HTTP/2", "http1", "SETTINGS", "Trying to connect an http")

_HEADERS = "set OTEL_EXPORTER_OTLP_HEADERS to what it wants, or correct it"
_TO_GRPC = "it speaks no HTTP: set OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or name its port for HTTP, 4318 as a rule"
_TO_HTTP = "it speaks no gRPC: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or name its port for gRPC, 4317 as a rule"
_RUNNING = "start it, or set OTEL_EXPORTER_OTLP_ENDPOINT to where it is"
_ADDRESS = "set OTEL_EXPORTER_OTLP_ENDPOINT to the address of an OTLP receiver, such as http://localhost:4317"
_TLS = "begin the endpoint with http:// if it has no TLS, else set OTEL_EXPORTER_OTLP_CERTIFICATE"
_TROUBLE = "look into its log"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of it: where it was sent; what went wrong, empty for nothing; and what to do about that."""

    where: str
    wrong: str = ""
    advice: str = ""


def check(standard: Standard, timeout: float) -> Answer:
    """Send an empty request by the protocol that is set; no answer within `timeout` seconds counts as none."""
    try:
        if standard.protocol.startswith("http"):
            return _http(timeout)
        check_identity(standard.identity)
        return _grpc(standard, timeout)
    except Exception as error:  # the stock exporter's own, of bad certificates and the like
        return Answer(standard.address, f"cannot be used: {type(error).__name__}: {error}", _ADDRESS)


# ---------------------------------------------------------------- HTTP


def _http(timeout: float) -> Answer:
    from loopscope.pipeline.export import old_http, otlp_http

    read = otlp_http.settings_of if otlp_http.takes_bytes() else old_http.settings_of
    exporter = otlp_http.Stock()
    settings = read(exporter)
    exporter.shutdown()  # type: ignore[no-untyped-call]
    endpoint = settings["endpoint"]
    where = without_secrets(endpoint)
    request = urllib.request.Request(where, data=b"", headers={**settings["headers"], **authorization(endpoint)})
    request.add_header("Content-Type", "application/x-protobuf")
    try:
        with urllib.request.urlopen(request, timeout=timeout, context=_tls(where, settings)):
            return Answer(where)
    except urllib.error.HTTPError as error:
        with error:
            return _refused(where, error.code, f"answers {error.code} {error.reason}".rstrip())
    except urllib.error.URLError as error:
        return _silent(where, error.reason, timeout)
    except (OSError, http.client.HTTPException) as error:
        return _silent(where, error, timeout)


def _tls(where: str, settings: dict[str, Any]) -> ssl.SSLContext | None:
    if not where.startswith("https"):
        return None
    context = ssl.create_default_context(cafile=settings["certificate_file"])
    if settings["client_certificate_file"]:
        context.load_cert_chain(settings["client_certificate_file"], settings["client_key_file"])
    return context


def _silent(where: str, error: object, timeout: float) -> Answer:
    if isinstance(error, ConnectionRefusedError):
        return Answer(where, "connection refused", _RUNNING)
    if isinstance(error, TimeoutError):
        return Answer(where, f"no answer within {timeout:g} s", _RUNNING)
    if isinstance(error, ssl.SSLError):
        return Answer(where, f"TLS failed ({error.reason or error})", _TLS)
    if isinstance(error, (http.client.HTTPException, ConnectionResetError)):
        return Answer(where, "answers, but not in HTTP", _TO_GRPC)
    return Answer(where, str(getattr(error, "strerror", None) or error), _ADDRESS)


# ---------------------------------------------------------------- gRPC


def _grpc(standard: Standard, timeout: float) -> Answer:
    import grpc

    from loopscope.pipeline.export import otlp_grpc

    exporter = otlp_grpc.RawExporter(**otlp_grpc.standard_settings(standard.endpoint))
    where = str(exporter._endpoint)
    if not otlp_grpc.takes_bytes():
        return Answer(where, "cannot be checked with this version of the exporter")
    try:
        exporter._client.Export(b"", metadata=exporter._headers, timeout=timeout)
    except grpc.RpcError as error:
        return _failed(where, error, timeout)
    finally:
        exporter.shutdown()
    return Answer(where)


def _failed(where: str, error: Any, timeout: float) -> Answer:
    code, details = error.code().name, str(error.details() or "")
    if code == "DEADLINE_EXCEEDED":
        return Answer(where, f"no answer within {timeout:g} s", _RUNNING)
    if code == "UNAVAILABLE":
        if any(sign in details for sign in _NO_GRPC):
            return Answer(where, "answers, but not in gRPC", _TO_HTTP)
        if "refused" in details and "connect" in details:
            return Answer(where, "connection refused", _RUNNING)
        if "resolving" in details:
            return Answer(where, "no such host", _ADDRESS)
        if "handshake" in details or "SSL" in details:
            return Answer(where, "TLS failed", _TLS)
    return _refused(where, code, f"answers {code} ({details[:120]})")


def _refused(where: str, code: object, said: str) -> Answer:
    advice = _HEADERS if code in _NOT_LET_IN else _ADDRESS if code in _NOT_THERE else _TROUBLE
    return Answer(where, said, advice)
