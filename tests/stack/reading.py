"""What several tests read out of the shop's traces."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterable
from typing import Any

from tests.ground.jaeger import Jaeger
from tests.ground.shop import Answered
from tests.ground.spans import Span

#: seconds after which all of a request's spans are in Jaeger
SETTLING = 1.5


def environment(service: str, jaeger: Jaeger) -> dict[str, str]:
    """The variables with which the shop is traced into this Jaeger."""
    return {
        "OTEL_PYTHON_LOOPSCOPE_ENABLED": "true",
        "OTEL_SERVICE_NAME": service,
        "OTEL_EXPORTER_OTLP_ENDPOINT": jaeger.http,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_METRICS_EXPORTER": "none",  # Jaeger takes none
    }


def spans_of(jaeger: Jaeger, answered: Iterable[Answered]) -> list[Span]:
    """All spans of these traces so far; each trace must have its server span by now."""
    traces = [jaeger.trace(each.trace_id) for each in answered]
    assert all(any(span.kind == "SERVER" for span in trace) for trace in traces)
    return [span for trace in traces for span in trace]


def listed(jaeger: Jaeger, search: str, **others: str) -> list[list[dict[str, Any]]]:
    """The spans of the traces that Jaeger's page lists for a search, by its address; `others` hold in its words' place."""
    asked = {**dict(urllib.parse.parse_qsl(search)), **others}
    with urllib.request.urlopen(f"{jaeger.query}/api/traces?{urllib.parse.urlencode(asked)}", timeout=10) as answer:
        return [trace["spans"] for trace in json.load(answer)["data"] or []]


def pool_waits(spans: list[Span]) -> list[float]:
    """Seconds that steps waited for a connection out of a pool's queue, less those until the loop came to them."""
    told = [span for span in spans if "asyncio.step.index" in span.attributes]
    steps = {(span.parent_id, span.attributes["asyncio.step.index"]): span for span in told}
    waits = []
    for (task, index), step in steps.items():
        after = steps.get((task, index + 1))
        if after is not None and "Queue.get" in step.attributes.get("asyncio.step.awaiting", ""):
            waits.append((after.start - step.end) / 1e9 - after.attributes["asyncio.step.ready.duration"])
    return waits
