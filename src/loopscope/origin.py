"""Whose code a file is: the application's, an installed package's, Python's own."""

from __future__ import annotations

import os
import sysconfig

from loopscope.model import APPLICATION, LIBRARY, STANDARD

_STANDARD = tuple({os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib")})
_LIBRARIES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def origin_of(file: str) -> int:
    """Whose code a file is: APPLICATION, LIBRARY (installed packages) or STANDARD (Python's own)."""
    if any(part in file for part in _LIBRARIES):
        return LIBRARY
    if file.startswith(_STANDARD) or file.startswith("<frozen "):
        return STANDARD
    return APPLICATION
