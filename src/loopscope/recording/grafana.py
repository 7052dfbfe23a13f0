"""Finds the trace that a page of Grafana's shows, from its address alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, parse_qsl

from loopscope.recording.spans import TRACE_ID

#: parameters that hold a page's state as JSON: Explore's, now and formerly
_STATES = ("panes", "left", "right")
#: names under which a trace id stands, in the state or as parameter or variable
_NAMES = frozenset({"query", "traceid", "trace_id", "trace", "id"})


def trace_ids(parts: SplitResult) -> list[str]:
    """The ids of the traces that the page shows, each once."""
    found: dict[str, None] = {}
    for name, value in parse_qsl(parts.query):
        for one in _state(value) if name in _STATES else _variable(name, value):
            found[one.lower().zfill(32)] = None
    return list(found)


def advice(parts: SplitResult, base: str) -> str:
    """What to do, because a page of Grafana's does not say where its Tempo is."""
    uid = next((uid for name, value in parse_qsl(parts.query) if name in _STATES for uid in _sources(value)), "<uid>")
    return (
        "this page of Grafana's does not say where its Tempo is: give Tempo's address, "
        "in OTEL_PYTHON_LOOPSCOPE_TEMPO_URL for one; "
        f"{base}/api/datasources/proxy/uid/{uid} with a header Authorization reaches it through Grafana"
    )


def _variable(name: str, value: str) -> Iterator[str]:
    if name.lower().removeprefix("var-") in _NAMES and TRACE_ID.fullmatch(value.strip()):
        yield value.strip()


def _state(value: str) -> Iterator[str]:
    for name, item in _leaves(_json(value)):
        if name.lower() in _NAMES and TRACE_ID.fullmatch(item.strip()):
            yield item.strip()


def _sources(value: str) -> Iterator[str]:
    """The uids of data sources, Tempo's first."""
    for kind in ("tempo", ""):
        yield from _uids(_json(value), kind)


def _uids(node: Any, kind: str) -> Iterator[str]:
    if isinstance(node, dict):
        source = node.get("datasource")
        if isinstance(source, dict) and kind in (source.get("type"), "") and isinstance(source.get("uid"), str):
            yield source["uid"]
    for child in _children(node):
        yield from _uids(child, kind)


def _json(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _leaves(node: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, str):
        yield name, node
    elif isinstance(node, dict):
        for key, child in node.items():
            yield from _leaves(child, key)
    else:
        for child in _children(node):
            yield from _leaves(child, name)


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        yield from node.values()
    elif isinstance(node, list):
        yield from node
