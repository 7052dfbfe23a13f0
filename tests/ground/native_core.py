"""The native core, built in this checkout for each interpreter that runs tests."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.ground.pythons import Interpreter

ROOT = Path(__file__).parents[2]


def build(interpreter: Interpreter) -> None:
    """Have it in `src`, as an editable install builds it, unless what is there is newer than the sources."""
    suffix = interpreter.version.replace(".", "")
    sources = max(path.stat().st_mtime for path in (ROOT / "src" / "native").glob("*.*"))
    if any(path.stat().st_mtime > sources for path in (ROOT / "src" / "loopscope").glob(f"_native.cpython-{suffix}-*")):
        return
    with tempfile.TemporaryDirectory(prefix="loopscope-native-") as folder:
        install = ["pip", "install", "-q", "--python", str(interpreter.executable), "--no-deps", "--target", folder]
        subprocess.run([sys.executable, "-m", "uv", *install, "--editable", str(ROOT)], check=True)
