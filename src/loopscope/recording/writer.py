"""Writes OTLP JSON lines: one ExportTraceServiceRequest a line, appended whole, by many processes at once."""

from __future__ import annotations

import base64
import math
import os
import select
import stat
from contextlib import suppress
from json import dumps  # this, `write` and its like as they were: an application's tests replace them
from os import lseek, read, write
from typing import Any

#: how long a pipe's reader may keep a writer waiting (seconds)
PATIENCE = 2.0

_INT64 = range(-(1 << 63), 1 << 63)


def text(value: str) -> str:
    """The text; what has no UTF-8 (a lone surrogate) is replaced."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


_NOT_FINITE = {math.inf: "Infinity", -math.inf: "-Infinity"}


def value(item: Any) -> dict[str, Any]:
    """An attribute's value in OTLP JSON: 64-bit integers are strings, and so are NaN and the infinities."""
    if isinstance(item, bool):
        return {"boolValue": item}
    if isinstance(item, int) and item in _INT64:
        return {"intValue": str(item)}
    if isinstance(item, float):
        return {"doubleValue": item if math.isfinite(item) else _NOT_FINITE.get(item, "NaN")}
    if isinstance(item, bytes):
        return {"bytesValue": base64.b64encode(item).decode()}
    if isinstance(item, (list, tuple)):
        return {"arrayValue": {"values": [value(part) for part in item]}}
    return {"stringValue": text(str(item))}


def attributes(pairs: Any) -> list[dict[str, Any]]:
    """Pairs as OTLP JSON key-values."""
    return [{"key": text(key), "value": value(item)} for key, item in pairs]


class TraceFile:
    """A trace file open for appending. Raises OSError where it cannot be opened or written."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = -1
        #: the last line was not written to its end
        self._torn = False
        #: whether it can be looked at what others wrote
        self._readable = False
        self._open()

    def _open(self) -> None:
        # a pipe that nobody reads is an error at once
        flags = os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0)
        self._file = os.open(self.path, flags | os.O_WRONLY, 0o644)
        self._readable = False
        if stat.S_ISREG(os.fstat(self._file).st_mode):
            with suppress(OSError):
                both = os.open(self.path, flags | os.O_RDWR, 0o644)
                self._readable = stat.S_ISREG(os.fstat(both).st_mode)  # it may be another one by now
                if self._readable:
                    self._file, both = both, self._file
                os.close(both)

    def _ends_well(self) -> bool:
        """Whether the last line is whole: who wrote it may have been killed, or found no room.

        One that is being written is not yet, and then there may be an empty line.
        """
        if self._torn or not self._readable:
            return not self._torn
        try:
            size = lseek(self._file, 0, os.SEEK_END)
            lseek(self._file, max(size - 1, 0), os.SEEK_SET)
            return read(self._file, 1) in (b"\n", b"")
        except OSError:  # nobody can tell
            return True

    def write(self, resource: Any, scope: tuple[str, str, str], spans: list[str]) -> None:
        """Append a line with these spans, each already OTLP JSON."""
        if self._file < 0:
            self._open()
        name, version, schema = scope
        head = dumps({"attributes": attributes(resource)})
        about = dumps({"name": name, "version": version})
        line = (
            f'{{"resourceSpans":[{{"resource":{head},"scopeSpans":[{{"scope":{about},'
            f'"spans":[{",".join(spans)}],"schemaUrl":{dumps(schema)}}}]}}]}}\n'
        ).encode()
        if not self._ends_well():
            line = b"\n" + line
        while line:
            try:
                written = write(self._file, line)
            except BlockingIOError:
                if select.select([], [self._file], [], PATIENCE)[1]:
                    continue
                raise
            self._torn, line = True, line[written:]
        self._torn = False

    def close(self) -> None:
        """Close the file; a later `write` opens it anew."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
