"""Where to look at what was exported, as far as that is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from loopscope.recording import addresses, http
from loopscope.recording.errors import SourceError
from loopscope.settings import Backends, Standard

#: the ports that OTLP is received on, and that of Jaeger's page
_OTLP_PORTS, _PAGE_PORT = (4317, 4318), 16686

#: links to single traces at most
TRACES = 5


class Ran(NamedTuple):
    """A run: from when to when (Unix nanoseconds), and which traces are known of it."""

    start: int
    end: int
    trace_ids: Sequence[str] = ()


def where(standard: Standard, known: Backends, ran: Ran) -> Iterator[str]:
    """Lines for people."""
    if not standard.address:
        return
    yield f"the exporter's endpoint is {http.without_secrets(standard.address)} ({standard.protocol})"
    base, sure = _page(standard.address, known)
    if not base:
        return
    of_traces = [f"{base}/trace/{trace_id}" for trace_id in ran.trace_ids[:TRACES]]
    found = of_traces or [f"{base}/search{_search(standard.service, ran)}"]
    yield f"look at {found[0]}" if sure else f"if that is Jaeger, look at {found[0]}"
    yield from (f"        {address}" for address in found[1:])
    if len(ran.trace_ids) > TRACES:
        yield f"        ... and {len(ran.trace_ids) - TRACES} more traces"


def _page(address: str, known: Backends) -> tuple[str, bool]:
    """The base of Jaeger's page, and whether somebody said so."""
    try:
        if known.jaeger:
            return http.without_secrets(addresses.base(known.jaeger)), True
        parts = urlsplit(address if "://" in address else f"//{address}")
        if parts.port not in _OTLP_PORTS or not parts.hostname:
            return "", False
    except (SourceError, ValueError):
        return "", False
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"http://{host}:{_PAGE_PORT}", False


def _search(service: str, ran: Ran) -> str:
    """The service's traces of the time of the run; without a name there is no search."""
    if not service:
        return ""
    span = {"start": ran.start // 1000, "end": ran.end // 1000}
    return "?" + urlencode({"service": service, "lookback": "custom", **span, "limit": 20})
