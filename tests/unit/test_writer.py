"""A trace file that takes a line in part, or that nobody reads."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from loopscope.capture import private
from loopscope.recording import writer
from loopscope.recording.writer import TraceFile

SCOPE = ("loopscope", "1", "")


def _spans(line: str) -> list[Any]:
    (resource,) = json.loads(line)["resourceSpans"]
    return list(resource["scopeSpans"][0]["spans"])


def test_a_torn_line_takes_no_other_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, original = tmp_path / "traces", os.write
    left = [30]

    def write(file: int, line: bytes) -> int:  # a disk that has so many bytes left
        if not left[0]:
            raise OSError(28, "No space left on device")
        written = original(file, line[: left[0]])
        left[0] -= written
        return written

    file = TraceFile(str(path))
    monkeypatch.setattr(writer, "write", write)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            file.write((), SCOPE, ['"lost"'])
    left[0] = 1 << 20
    file.write((), SCOPE, ['"first"'])
    file.write((), SCOPE, ['"second"'])
    file.close()
    torn, *lines = path.read_text().splitlines()
    assert len(torn) == 30 and [_spans(line) for line in lines] == [["first"], ["second"]]


def test_it_needs_nothing_that_tests_replace(tmp_path: Path) -> None:
    """An application's tests, which assert that `json.dumps`, say, was not called."""
    file = TraceFile(str(tmp_path / "traces"))
    with mock.patch("json.dumps") as dumps, mock.patch("builtins.open") as opens, mock.patch("os.write") as writes:
        file.write((("a", 1),), SCOPE, ['"first"'])
        file.close()
        file.write((), SCOPE, ['"second"'])
        private.run_delay(threading.get_native_id())
    assert not (dumps.called or opens.called or writes.called)
    assert [_spans(line) for line in (tmp_path / "traces").read_text().splitlines()] == [["first"], ["second"]]
    file.close()


@pytest.mark.parametrize("before, starts", [("", 0), ('{"whole": 1}\n', 1), ('{"torn": ', 1)])
def test_a_line_that_another_left_torn(tmp_path: Path, before: str, starts: int) -> None:
    """A process that was killed in mid-write, or found the disk full."""
    path = tmp_path / "traces"
    path.write_text(before)
    file = TraceFile(str(path))
    file.write((), SCOPE, ['"first"'])
    file.close()
    file.write((), SCOPE, ['"second"'])
    file.close()
    lines = path.read_text().splitlines()
    assert lines[:starts] == before.splitlines() and [_spans(line) for line in lines[starts:]] == [
        ["first"],
        ["second"],
    ]


def test_a_line_that_another_leaves_torn_meanwhile(tmp_path: Path) -> None:
    """Two processes write to one file, and the disk is full for a moment."""
    path = tmp_path / "traces"
    file = TraceFile(str(path))
    file.write((), SCOPE, ['"first"'])
    with path.open("a") as other:
        other.write('{"torn": ')
    file.write((), SCOPE, ['"second"'])
    file.close()
    first, torn, second = path.read_text().splitlines()
    assert (_spans(first), torn, _spans(second)) == (["first"], '{"torn": ', ["second"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that nobody reads is an error at once; a reader that stops keeps nobody for long."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="No such device"):
        TraceFile(str(path))
    monkeypatch.setattr(writer, "PATIENCE", 0.05)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        file = TraceFile(str(path))
        file.write((), SCOPE, ['"read"'])
        assert _spans(os.read(reader, 1 << 16).decode()) == ["read"]
        with pytest.raises(BlockingIOError):
            file.write((), SCOPE, [json.dumps("x" * (1 << 20))])
        file.close()
    finally:
        os.close(reader)
