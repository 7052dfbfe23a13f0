"""Random ids from a private source: the application's `random` is left alone."""

from __future__ import annotations

import os
import random
import struct

#: span ids that are made at once, and trace ids
_BULK, _TRACES = 256, 32
_split = struct.Struct(f"{_BULK}Q").unpack


class Ids:
    """Makes trace and span ids, never zero."""

    def __init__(self) -> None:
        self._random = random.Random(os.urandom(32))
        self._spans: list[int] = []
        self._traces: list[int] = []

    def trace_id(self) -> int:
        """A new 128-bit id."""
        return self.traces().pop()

    def span_id(self) -> int:
        """A new 64-bit id."""
        return self.spans().pop()

    def traces(self) -> list[int]:
        """The next trace ids, which are taken from its end."""
        if not self._traces:
            self._traces.extend([self._random.getrandbits(128) or 1 for _ in range(_TRACES)])
        return self._traces

    def spans(self) -> list[int]:
        """The next span ids, which are taken from its end."""
        if not self._spans:
            self._spans.extend(_split(self._random.randbytes(8 * _BULK)))
            if 0 in self._spans:
                self._spans[:] = [number or 1 for number in self._spans]
        return self._spans
