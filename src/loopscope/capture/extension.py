"""The file of the native core: Linux's loader does not refuse one that was cut short, but kills the process over it."""

from __future__ import annotations

import os
import struct
import sys
from importlib.util import find_spec

_NAME = "loopscope._native"

#: of a 64-bit ELF file's header: what it is, the byte order, where the table that ends the file begins, and its size
_HEADER = "4sBB34xQ10xHH2x"


def check() -> None:
    """Raise ImportError where it was cut short; what else is wrong with it, the loader tells."""
    if _NAME in sys.modules:
        return
    found = find_spec(_NAME)
    if found is not None and found.origin is not None and not _is_whole(found.origin):
        raise ImportError(f"{os.path.basename(found.origin)} was cut short")


def _is_whole(path: str) -> bool:
    size = struct.calcsize("<" + _HEADER)
    with open(path, "rb") as file:
        head = file.read(size)
    if len(head) < size:
        return False
    magic, bits, order, *_ = struct.unpack("<" + _HEADER, head)
    if magic != b"\x7fELF" or bits != 2:
        return True
    *_, begins, each, entries = struct.unpack("<>"[order == 2] + _HEADER, head)
    return bool(os.path.getsize(path) >= begins + each * entries)
