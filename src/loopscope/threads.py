"""What the threads of our own have in common."""

from __future__ import annotations

import os
import sys
import threading
import time


def await_exit(thread: threading.Thread) -> None:
    """Wait until the system has forgotten a joined thread: a fork warns of every thread that it still counts.

    A join returns a moment too early, before 3.13 even before the thread has left Python.
    """
    if not sys.platform.startswith("linux") or thread is threading.current_thread():
        return
    for _ in range(200):
        if not os.path.exists(f"/proc/self/task/{thread.native_id}"):
            return
        time.sleep(0.0002)
