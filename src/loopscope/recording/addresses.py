"""Which trace a pasted address means, and where to ask for it: pages and APIs of Jaeger, Tempo and Grafana."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit, urlunsplit

from loopscope.recording import api, grafana
from loopscope.recording.errors import SourceError
from loopscope.recording.spans import TRACE_ID

#: Jaeger's page of a trace, or of two that it compares, beneath whatever base path
_PAGE = re.compile(r"(?P<base>.*)/trace/(?P<ids>[^/]+)/?")
_API = re.compile(r"(?P<base>.*)(?P<path>/api/(?:v[23]/)?traces/)(?P<ids>[^/]+)/?")


class Asked(NamedTuple):
    """Traces to ask for; `base` is empty where the address does not say where the API is."""

    base: str
    paths: Sequence[str]
    trace_ids: list[str]
    #: why there is no base, and what to do
    advice: str = ""


def is_trace_id(text: str) -> bool:
    """Whether it is a trace id in hex."""
    return TRACE_ID.fullmatch(text) is not None


def is_address(text: str) -> bool:
    """Whether it is the address of a page or an API."""
    return "://" in text


def parse(address: str) -> Asked:
    """Take a pasted address apart. Raises SourceError."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError as error:
        raise SourceError(f"{address} is no usable address: {error}", usage=True) from None
    if parts.scheme not in ("http", "https") or not host:
        raise SourceError(f"{address} is no address of a page: expected http:// or https://", usage=True)
    page, called = _PAGE.fullmatch(parts.path), _API.fullmatch(parts.path)
    if called:
        return Asked(_base(parts, called["base"]), _paths(called["path"], parts), _ids(called["ids"]))
    if page:
        return Asked(_base(parts, page["base"]), api.JAEGER, _ids(page["ids"]))
    ids = grafana.trace_ids(parts)
    if ids:
        return Asked("", api.TEMPO, ids, grafana.advice(parts, _base(parts, "")))
    raise SourceError(
        f"{_base(parts, parts.path)} names no trace: paste the address of Jaeger's page of a trace, or of Grafana's",
        usage=True,
    )


def base(address: str) -> str:
    """The base of an API as somebody gave it. Raises SourceError."""
    given = address.rstrip("/")
    if not given.startswith(("http://", "https://")):
        raise SourceError(f"{address} is no address of an API: expected http:// or https://", usage=True)
    return given


def _base(parts: SplitResult, path: str) -> str:
    return urlunsplit((parts.scheme, parts.netloc, path.rstrip("/"), "", ""))


def _paths(path: str, parts: SplitResult) -> Sequence[str]:
    if path == api.JAEGER[0] or parts.port == 16686:
        return api.JAEGER
    return api.TEMPO if path == api.TEMPO[0] or parts.port == 3200 else api.ANY


def _ids(text: str) -> list[str]:
    found = text.split("...")
    for one in found:
        if not is_trace_id(one):
            raise SourceError(f"{one[:100]!r} is no trace id: expected 32 hexadecimal digits", usage=True)
    return [one.lower().zfill(32) for one in found]
