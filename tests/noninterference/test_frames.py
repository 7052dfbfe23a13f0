"""To read other threads' frames must not lock the interpreter up (CPython 3.11's own `sys._current_frames` may)."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading

from loopscope.capture import private

#: A thread reads frames, with a collection due at any moment, whose callback lets the GIL go; another starts threads.
SOURCE = """
import gc, threading, time
from loopscope.capture import private

def slow(phase, info):
    if threading.current_thread() is reader:
        until = time.perf_counter() + 0.012
        while time.perf_counter() < until:
            pass

def read():
    turn = 0
    while True:
        turn += 1
        gc.disable()
        kept = [[] for _ in range(turn % 12)]
        gc.enable()
        private.current_frames()

def start(depth):
    if depth:
        return start(depth - 1)
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()

reader = threading.Thread(target=read, daemon=True)
gc.callbacks.append(slow)
gc.set_threshold(10)
reader.start()
until, turn = time.monotonic() + 3, 0
while time.monotonic() < until:
    start(turn % 9)
    turn += 1
print("ended")
"""


def test_no_collection_while_the_interpreter_is_locked() -> None:
    done = subprocess.run([sys.executable, "-c", SOURCE], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "ended\n", done.stderr


def test_the_collector_stays_as_it_is() -> None:
    """On or off, and this thread is among those whose frames are read."""
    for switch, on in ((gc.disable, False), (gc.enable, True)):
        switch()
        assert threading.get_ident() in private.current_frames()
        assert gc.isenabled() is on
