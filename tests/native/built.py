"""The native core, built as an install builds it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from tests.processes.program import ROOT


def build(into: Path, scratch: Path, flags: Sequence[str] = ()) -> None:
    """Have the extension in the folder `into`, compiled with these flags more."""
    found = importlib.util.spec_from_file_location("loopscope_build", ROOT / "src" / "native" / "build.py")
    assert found is not None and found.loader is not None
    builder = importlib.util.module_from_spec(found)
    found.loader.exec_module(builder)
    builder.build(into, scratch, [*flags])
