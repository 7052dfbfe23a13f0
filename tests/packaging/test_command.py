"""The command as the wheel installs it: it brings the programs that it runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.packaging.distribution import HERE, with_uvloop
from tests.processes.program import clean


@pytest.mark.parametrize("command", ["demo", "doctor"])
def test_installed_command(command: str, tmp_path: Path) -> None:
    """No checkout is near, and `doctor` finds the start-up file that the wheel has installed."""
    executable = Path(with_uvloop(HERE.version)).parent / "loopscope"
    done = subprocess.run([executable, command], cwd=tmp_path, env=clean(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("parse_report" if command == "demo" else "loopscope_autostart") in done.stdout
