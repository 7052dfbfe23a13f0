"""Random ids from a private source: the application's `random` is left alone."""

from __future__ import annotations

import os
import random
import struct

#: span ids that are made at once
_BULK = 256
_split = struct.Struct(f"{_BULK}Q").unpack


class Ids:
    """Makes trace and span ids, never zero."""

    def __init__(self) -> None:
        self._random = random.Random(os.urandom(32))
        self._spare: list[int] = []

    def trace_id(self) -> int:
        """A new 128-bit id."""
        return self._random.getrandbits(128) or 1

    def span_id(self) -> int:
        """A new 64-bit id."""
        return self.spare().pop()

    def spare(self) -> list[int]:
        """The next span ids, which are taken from its end."""
        if not self._spare:
            self._spare.extend(_split(self._random.randbytes(8 * _BULK)))
            if 0 in self._spare:
                self._spare[:] = [number or 1 for number in self._spare]
        return self._spare
