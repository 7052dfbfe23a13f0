"""Tells the JSON documents apart that hold traces: OTLP's, Jaeger's, Tempo's, a Collector's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from loopscope.recording import jaegerjson, otlpjson
from loopscope.recording.spans import Spans

#: what reading a broken document raises
BROKEN = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)


class Unknown(ValueError):
    """JSON, but of something else than traces."""


def read(document: Any) -> Spans:
    """The spans of one document. Raises Unknown where it holds no traces, others of BROKEN where it is broken."""
    if isinstance(document, dict):
        if "resourceSpans" in document or "batches" in document:
            return Spans(list(otlpjson.spans(document)))
        if isinstance(document.get("data"), list):
            return Spans(list(jaegerjson.spans(document)))
        if isinstance(document.get("result"), dict):  # Jaeger's API, version 3
            return read(document["result"])
        if isinstance(document.get("trace"), dict):  # Tempo's API, version 2
            return _tempo(document)
        if "resourceMetrics" in document or "resourceLogs" in document:  # a Collector's file may hold these too
            return Spans()
    raise Unknown("it holds no traces")


def _tempo(document: dict[str, Any]) -> Spans:
    found = read(document["trace"]) if document["trace"] else Spans()
    if document.get("status") == "PARTIAL" or document.get("message"):
        why = str(document.get("message") or "no reason given")
        found.missing.append(f"Tempo gave only a part of the trace: {why}")
    return found


def several(content: str) -> Iterator[Any]:
    """The JSON documents that stand one after the other in a text. Raises ValueError at what is no JSON."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(content):
        if content[at].isspace():
            at += 1
            continue
        document, at = decoder.raw_decode(content, at)
        yield document
