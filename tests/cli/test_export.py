"""`loopscope export`: every format, to files and pipes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loopscope.recording import jaegerjson
from loopscope.recording.assembly import assemble
from loopscope.recording.load import load
from loopscope.recording.spans import Spans
from loopscope.views.page import render
from loopscope.views.perfetto import trace_events
from tests.cli.calling import Caller, trace_file
from tests.views.seed import seed

SEED = assemble(Spans(seed()))


def test_formats(call: Caller, tmp_path: Path) -> None:
    path = trace_file(tmp_path, seed())
    assert json.loads(call("export", path, "--to", "perfetto", "-o", "-")[1]) == json.loads(
        json.dumps(trace_events(SEED))
    )
    assert json.loads(call("export", path, "--to", "jaeger", "-o", "-")[1]) == jaegerjson.write(seed())
    assert call("export", path, "--to", "html", "-o", "-")[1] == render(SEED, f"{path} - loopscope")


@pytest.mark.parametrize("form", ["perfetto", "jaeger", "html"])
def test_to_a_file(call: Caller, tmp_path: Path, form: str) -> None:
    path, made = trace_file(tmp_path, seed()), tmp_path / "made"
    assert call("export", path, "--to", form, "-o", str(made)) == (0, "", f"loopscope: wrote {made}\n")
    assert made.read_text() == call("export", path, "--to", form, "-o", "-")[1]


def test_what_was_exported_for_jaeger_is_a_source(call: Caller, tmp_path: Path) -> None:
    path, made = trace_file(tmp_path, seed()), str(tmp_path / "made.json")
    assert call("export", path, "--to", "jaeger", "-o", made)[0] == 0
    assert load([made]) == SEED


def test_called_wrongly(call: Caller, tmp_path: Path) -> None:
    path = trace_file(tmp_path, seed())
    assert "--to" in call.refused(2, "export", path, "-o", "x")
    assert "--to" in call.refused(2, "export", path, "-o", "x", "--to", "pdf")
    assert "-o" in call.refused(2, "export", path, "--to", "html")
    assert "is a source" in call.refused(2, "export", path, "--to", "jaeger", "-o", path)
    assert "cannot write /nowhere/x" in call.refused(1, "export", path, "--to", "jaeger", "-o", "/nowhere/x")
    assert load([path]) == SEED
