"""Whose code a file is: the application's, an installed package's, Python's own."""

from __future__ import annotations

import os
import sysconfig

from loopscope.model import APPLICATION, LIBRARY, STANDARD

_STANDARD = tuple({os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib")})
_OURS = os.path.join(os.path.dirname(__file__), "capture", "")
_LIBRARIES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def is_ours(file: str) -> bool:
    """Whether frames of this file are our hooks'."""
    return file.startswith(_OURS)


def origin_of(file: str) -> int:
    """Whose code a file is: APPLICATION, LIBRARY (installed packages, our hooks) or STANDARD (Python's own)."""
    if any(part in file for part in _LIBRARIES) or is_ours(file):
        return LIBRARY
    if file.startswith(_STANDARD) or file.startswith("<frozen "):
        return STANDARD
    return APPLICATION
