"""What the threads of our own have in common."""

from __future__ import annotations

import sys
import threading
from os import stat
from time import sleep

#: one that the system refused is asked for again after so long (nanoseconds)
REFUSED = 1_000_000_000

# Both may be called on a loop's thread, before a fork: as they were, for tools that look for calls which hold up a loop
# replace them in their modules.


def is_for_host(error: BaseException) -> bool:
    """Whether what was raised from the application's own code, an exporter's say, is meant to end the program."""
    return isinstance(error, (KeyboardInterrupt, SystemExit)) and threading.current_thread() is threading.main_thread()


def await_exit(thread: threading.Thread) -> None:
    """Wait until the system has forgotten a joined thread: a fork warns of every thread that it still counts.

    A join returns a moment too early, before 3.13 even before the thread has left Python.
    """
    if not sys.platform.startswith("linux") or thread is threading.current_thread():
        return
    for _ in range(200):
        try:
            stat(f"/proc/self/task/{thread.native_id}")
        except OSError:
            return
        sleep(0.0002)
