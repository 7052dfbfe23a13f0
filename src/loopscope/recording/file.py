"""Reads trace files: OTLP JSON lines, ours and the Collector's, whole documents of any backend, gzip or not."""

from __future__ import annotations

import io
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from loopscope.recording import documents
from loopscope.recording.errors import SourceError
from loopscope.recording.inflate import MAGIC, Inflated
from loopscope.recording.spans import Spans

_EXPECTED = "expected OTLP JSON lines, or Jaeger's or Tempo's JSON"


def read(path: str) -> Spans:
    """The spans of a file; lines that cannot be read, such as one cut short, are counted. Raises SourceError."""
    try:
        with _opened(path) as file:
            found = _by_lines(path, file)
        if found is None:
            with _opened(path) as file:
                found = _whole(path, file.read().decode("utf-8", "replace"))
    except FileNotFoundError:
        raise SourceError(f"no such file: {path}", usage=True) from None
    except IsADirectoryError:
        raise SourceError(f"{path} is a folder: name a trace file", usage=True) from None
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from None
    except MemoryError:
        raise SourceError(f"cannot read {path}: there is not enough memory for it") from None
    return found


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    with open(path, "rb") as file:
        if _is_device(file):
            raise SourceError(f"{path} is a device: name a trace file", usage=True)
        packed = file.read(len(MAGIC)) == MAGIC
        file.seek(0)
        yield io.BufferedReader(Inflated(file)) if packed else file


def _is_device(file: IO[bytes]) -> bool:
    """Whether it may be read without end, as /dev/zero may: a device, but for the empty one and terminals."""
    kind = os.fstat(file.fileno())
    return stat.S_ISCHR(kind.st_mode) and not file.isatty() and not os.path.samestat(kind, os.stat(os.devnull))


def _by_lines(path: str, file: IO[bytes]) -> Spans | None:
    """The spans of a file of one document a line; None where no line is one."""
    found = Spans()
    unreadable = lines = 0
    for line in file:
        if not line.strip():
            continue
        lines += 1
        try:
            found.add(documents.read(json.loads(line)))
        except documents.BROKEN:
            unreadable += 1
    if unreadable and unreadable == lines:
        return None
    if unreadable:
        count = "1 line" if unreadable == 1 else f"{unreadable} lines"
        found.missing.append(f"{count} of {os.path.basename(path)} could not be read")
    return found


def _whole(path: str, content: str) -> Spans:
    """The file may be one document over many lines, or several one after the other."""
    found = Spans()
    seen = read = 0
    for document in _documents(path, content):
        seen += 1
        try:
            found.add(documents.read(document))
            read += 1
        except documents.BROKEN:
            continue
    if not read:
        raise SourceError(f"{path} is JSON, but holds no traces: {_EXPECTED}")
    if read < seen:
        found.missing.append(f"{seen - read} documents of {os.path.basename(path)} could not be read")
    return found


def _documents(path: str, content: str) -> Iterator[object]:
    count = 0
    try:
        for document in documents.several(content):
            count += 1
            yield document
    except (ValueError, RecursionError):
        if not count:
            raise SourceError(f"{path} is not JSON, or cut within its first line: {_EXPECTED}") from None
