"""How the tests call the command, and what they call it with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loopscope.activation.cli import main
from loopscope.recording.spans import Span
from tests.outside import without
from tests.views.made import otlp

BARE = without("OTEL_")


def loopscope(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "loopscope.activation.cli", *arguments],
        capture_output=True, text=True, timeout=60, cwd=cwd, env={**BARE, "PYTHONIOENCODING": "utf-8", **environment},
    )  # fmt: skip


class Caller:
    """Calls the command in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        code = main(arguments)
        out, err = self._capture.readouterr()
        return code, out, err

    def refused(self, code: int, *arguments: str) -> str:
        """The one line on standard error of a call that must end with this code."""
        ended, out, err = self(*arguments)
        assert (ended, out, err.count("\n")) == (code, "", 1), (ended, out, err)
        return err.rstrip("\n")


def program(folder: Path, text: str) -> str:
    """A script in a folder."""
    path = folder / "program.py"
    path.write_text(text)
    return str(path)


def trace_file(folder: Path, spans: list[Span], name: str = "trace.jsonl") -> str:
    """A trace file in a folder."""
    path = folder / name
    path.write_text(json.dumps(otlp(spans)) + "\n")
    return str(path)
