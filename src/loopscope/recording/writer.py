"""Writes OTLP JSON lines: one ExportTraceServiceRequest a line, appended whole, by many processes at once."""

from __future__ import annotations

import json
import os
from typing import Any


def value(item: Any) -> dict[str, Any]:
    """An attribute's value in OTLP JSON: 64-bit integers are strings."""
    if isinstance(item, bool):
        return {"boolValue": item}
    if isinstance(item, int):
        return {"intValue": str(item)}
    if isinstance(item, float):
        return {"doubleValue": item}
    if isinstance(item, (list, tuple)):
        return {"arrayValue": {"values": [value(part) for part in item]}}
    return {"stringValue": str(item).encode("utf-8", "replace").decode()}


def attributes(pairs: Any) -> list[dict[str, Any]]:
    """Pairs as OTLP JSON key-values."""
    return [{"key": key, "value": value(item)} for key, item in pairs]


class TraceFile:
    """A trace file open for appending. Raises OSError where it cannot be opened or written."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = -1
        self._open()

    def _open(self) -> None:
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, resource: Any, scope: tuple[str, str, str], spans: list[str]) -> None:
        """Append a line with these spans, each already OTLP JSON."""
        if self._file < 0:
            self._open()
        name, version, schema = scope
        head = json.dumps({"attributes": attributes(resource)})
        about = json.dumps({"name": name, "version": version})
        line = (
            f'{{"resourceSpans":[{{"resource":{head},"scopeSpans":[{{"scope":{about},'
            f'"spans":[{",".join(spans)}],"schemaUrl":{json.dumps(schema)}}}]}}]}}\n'
        ).encode()
        while line:
            line = line[os.write(self._file, line) :]

    def close(self) -> None:
        """Close the file; a later `write` opens it anew."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
