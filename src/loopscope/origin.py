"""Whose code a file is: the application's, an installed package's, Python's own.

Files are meant as code objects name them: in a frozen program that is relative, and elsewhere it may be where they were
compiled.
"""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from types import CodeType

from loopscope.model import APPLICATION, LIBRARY, STANDARD


def folder_of(code: CodeType) -> str:
    """The folder of its file, with a separator at its end; empty where its name is relative, and has none."""
    return os.path.join(os.path.dirname(code.co_filename), "")


_PYTHON = folder_of(functools.wraps.__code__)
_STANDARD = tuple({os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib")} | {_PYTHON} - {""})
_HOME = folder_of(folder_of.__code__)
_OURS = os.path.join(_HOME, "capture", "")
_OURS_TOO = os.path.join(_HOME, "runtime", "")
_LIBRARIES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def is_ours(file: str) -> bool:
    """Whether frames of this file are our hooks'."""
    return file.startswith(_OURS)


def origin_of(file: str) -> int:
    """Whose code a file is: APPLICATION, LIBRARY (installed packages, our hooks) or STANDARD (Python's own)."""
    if any(part in file for part in _LIBRARIES) or file.startswith((_OURS, _OURS_TOO)):
        return LIBRARY
    if file.startswith(_STANDARD) or file.startswith("<frozen ") or (not _PYTHON and _is_module(file)):
        return STANDARD
    return APPLICATION


def _is_module(file: str) -> bool:
    """Whether a relative name is that of one of Python's own modules."""
    return file.split(os.sep, 1)[0].removesuffix(".py") in sys.stdlib_module_names
