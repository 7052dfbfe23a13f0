"""A line on a terminal about what takes long."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: seconds that something may take without a word
PATIENCE = 1.0
_CLEAR = "\r\x1b[K"


@contextmanager
def working(on: str) -> Iterator[None]:
    """Say on standard error what is being done, from a second on and only on a terminal; the line goes at the end."""
    if not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    teller = threading.Thread(target=_tell, args=(on, over), daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _tell(on: str, over: threading.Event) -> None:
    seconds = 0
    while not over.wait(PATIENCE):
        seconds += 1
        sys.stderr.write(f"{_CLEAR}{on}, {seconds} s")
        sys.stderr.flush()
    if seconds:
        sys.stderr.write(_CLEAR)
        sys.stderr.flush()
