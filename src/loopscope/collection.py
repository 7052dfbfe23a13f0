"""Keeps the garbage collector off a thread of ours: what it frees is the application's, to be freed on its own threads.

CPython has one switch for all threads. So it is off only while a thread of ours computes, which keeps the GIL all that
time, and on again around whatever may wait or is the application's own code.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: we switched it off
_off = False


def stop() -> None:
    """No collection from here on. Not nested."""
    global _off
    if gc.isenabled():
        gc.disable()
        _off = True


def go_on() -> None:
    """As before."""
    global _off
    if _off:
        _off = False
        gc.enable()


@contextmanager
def running() -> Iterator[None]:
    """Within, all is as before."""
    global _off
    if not _off:
        yield
        return
    go_on()
    try:
        yield
    finally:
        if gc.isenabled():  # nobody switched it off meanwhile
            stop()
