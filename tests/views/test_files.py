"""Trace files of every writer give the same Timeline; a cut one gives what is there; a bad one a clear line."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from loopscope.recording.assembly import assemble
from loopscope.recording.errors import SourceError
from loopscope.recording.load import load
from loopscope.recording.spans import Spans
from loopscope.recording.timeline import Timeline
from tests.views.made import WRITTEN, otlp, span
from tests.views.seed import seed

EXPECTED = assemble(Spans(seed()))


def lines(count: int = 4) -> list[str]:
    """The seed's trace as lines of a trace file, some spans each."""
    spans = seed()
    return [json.dumps(otlp(spans[at::count])) + "\n" for at in range(count)]


def written(path: Path, content: str | bytes) -> str:
    """A file."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("form", WRITTEN)
def test_every_form_is_the_same_timeline(form: str, indent: int | None, packed: bool, tmp_path: Path) -> None:
    content = json.dumps(WRITTEN[form](seed()), indent=indent).encode()
    path = written(tmp_path / "trace", gzip.compress(content) if packed else content)
    assert load([path]) == EXPECTED


def test_lines_and_members(tmp_path: Path) -> None:
    """Lines one by one; compressed as members that follow each other; documents over many lines, one after the other."""
    assert load([written(tmp_path / "a", "\n".join(lines()))]) == EXPECTED
    assert load([written(tmp_path / "b", b"".join(gzip.compress(line.encode()) for line in lines()))]) == EXPECTED
    many = "\n".join(json.dumps(json.loads(line), indent=1) for line in lines())
    assert load([written(tmp_path / "c", many)]) == EXPECTED
    assert load([str(tmp_path / "a"), str(tmp_path / "b")]) == EXPECTED


@pytest.mark.parametrize("packed", [False, True])
def test_still_being_written(packed: bool, tmp_path: Path) -> None:
    """Cut anywhere, what stands whole before the cut is read, and the cut is told."""
    first, second = "".join(lines(2)[:1]), lines(2)[1]
    whole = (first + second).encode()
    content = gzip.compress(whole) if packed else whole
    found = load([written(tmp_path / "trace.jsonl", content[: len(content) - 40])])
    assert "1 line of trace.jsonl could not be read" in found.missing
    assert len(found.steps) == len(assemble(Spans(seed()[0::2])).steps)


def test_what_a_collector_writes_beside(tmp_path: Path) -> None:
    other = '{"resourceMetrics":[]}\n{"resourceLogs":[]}\n'
    assert load([written(tmp_path / "all.jsonl", other + "".join(lines()))]) == EXPECTED


def test_a_broken_line_in_the_middle(tmp_path: Path) -> None:
    content = lines()
    for broken in ("nonsense\n", '{"resourceSpans": 3}\n', '{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}\n'):
        found = load([written(tmp_path / "x.jsonl", content[0] + broken + "".join(content[1:]))])
        assert (found.steps, found.missing) == (EXPECTED.steps, ["1 line of x.jsonl could not be read"])


@pytest.mark.parametrize(
    ("content", "told", "usage"),
    [
        (None, "no such file: {path}", True),
        ("", "{path} is empty", False),
        ("\n\n", "{path} is empty", False),
        ("not JSON", "{path} is not JSON", False),
        ('{"resourceSpans":[{"reso', "{path} is not JSON, or cut within its first line", False),
        (b"\x1f\x8b broken", "{path} is empty", False),
        (b"\xff\xfe\x00\x01", "{path} is not JSON", False),
        ('{"some": "thing"}', "{path} is JSON, but holds no traces", False),
        ("[1, 2]", "{path} is JSON, but holds no traces", False),
        ('{"resourceSpans": []}', "{path} is empty", False),
        (json.dumps(otlp([span("GET /", 0, 5, scope="asgi")])), "{path}: none of the 1 spans is loopscope's", False),
        ("[" * 100_000, "{path} is not JSON", False),
    ],
)
def test_bad_files(content: str | bytes | None, told: str, usage: bool, tmp_path: Path) -> None:
    path = str(tmp_path / "trace")
    if content is not None:
        written(tmp_path / "trace", content)
    with pytest.raises(SourceError, match=re.escape(told.format(path=path))) as raised:
        load([path])
    assert raised.value.usage is usage and "\n" not in str(raised.value)


def test_other_bad_sources(tmp_path: Path) -> None:
    for sources, told in (
        ([str(tmp_path)], "is a folder"),
        ([], "name a trace file"),
        (["ab" * 16], "OTEL_PYTHON_LOOPSCOPE_JAEGER_URL"),
        (["ab" * 13], "no such file"),
    ):
        with pytest.raises(SourceError, match=told) as raised:
            load(sources)
        assert raised.value.usage


def test_a_timeline_of_nothing() -> None:
    assert assemble(Spans()) == Timeline()
