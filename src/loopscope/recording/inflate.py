"""Reads gzip as far as it is written: a file that is cut, or broken in the middle, ends there."""

from __future__ import annotations

import io
import zlib
from typing import IO

MAGIC = b"\x1f\x8b"
_GZIP = 31
_CHUNK = 1 << 16


class Inflated(io.RawIOBase):
    """What a gzip file holds; members that follow each other are one text."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._stream = zlib.decompressobj(_GZIP)
        self._ready = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """See io.RawIOBase."""
        while not self._ready:
            if not self._inflate():
                return 0
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count

    def _inflate(self) -> bool:
        """Inflate another piece; False at the end."""
        packed = self._stream.unused_data if self._stream.eof else b""
        packed = packed or self._file.read(_CHUNK)
        if not packed:
            return False
        if self._stream.eof:
            self._stream = zlib.decompressobj(_GZIP)
        try:
            self._ready = self._stream.decompress(packed)
        except zlib.error:
            return False
        return True
