"""Runs what the pages and examples show, in a shell, as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.processes.program import ROOT, clean


def run(command: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """From the repository's folder, with the commands of this Python's environment; both streams in one."""
    path = f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"
    bare = {name: value for name, value in clean().items() if not name.endswith("_CA_BUNDLE")}
    environment = {**bare, "PATH": path, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=environment, text=True, timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
    )  # fmt: skip
