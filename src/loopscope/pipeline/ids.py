"""Random ids from a private source: the application's `random` is left alone."""

from __future__ import annotations

import os
import random


class Ids:
    """Makes trace and span ids, never zero."""

    def __init__(self) -> None:
        self._random = random.Random(os.urandom(32))

    def trace_id(self) -> int:
        """A new 128-bit id."""
        return self._random.getrandbits(128) or 1

    def span_id(self) -> int:
        """A new 64-bit id."""
        return self._random.getrandbits(64) or 1
