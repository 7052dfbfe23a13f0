"""To read other threads' frames must neither lock the interpreter up (CPython 3.11's own `sys._current_frames` may), nor
have it write to frames that have ended (as its own `f_back` may).
"""

from __future__ import annotations

import gc
import subprocess
import sys
import threading

import pytest

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

#: A thread calls functions of different sizes to different depths; another reads its frames, with a collection due at
#: any moment, whose callback lets the GIL go.
ENDING = """
import gc, random, threading, time
from loopscope.capture import private, stacks

def small(depth):
    return random.choice(functions)(depth - 1) if depth else 1
def middling(depth, x=1, y=2):
    a = b = [x]
    return [random.choice(functions)(depth - 1), a, b] if depth else 2
def large(depth, x=1, y=2):
    a = b = c = d = e = f = g = h = i = {}
    return (a, random.choice(functions)(depth - 1), h, i) if depth else 3
functions = [small, middling, large]

def work():
    while not over:
        small(random.randrange(60))

def slow(phase, info):
    if threading.current_thread() is not worker:
        time.sleep(0.0002)

over = False
worker = threading.Thread(target=work)
worker.start()
gc.callbacks.append(slow)
gc.set_threshold(5, 1000, 1000)
until, turn = time.monotonic() + 3, 0
while time.monotonic() < until:
    turn += 1
    stacks.read(private.current_frames().get(worker.ident))
    if turn % 3 == 0:
        time.sleep(0)
over = True
worker.join()
print("ended")
"""


@pytest.mark.parametrize("source", [SOURCE, ENDING], ids=["locked", "ending"])
def test_no_collection_while_frames_are_made(source: str) -> None:
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


def test_callers() -> None:
    """Innermost first, to the last."""
    frame, expected = sys._getframe(), []
    while frame is not None:
        expected.append(frame)
        frame = frame.f_back
    found = list(private.callers(sys._getframe(), 4096))
    assert found == expected and len(found) > 9
    assert list(private.callers(sys._getframe(), 3)) == expected[:3]
    assert list(private.callers(None, 3)) == []


def test_the_collector_stays_as_it_is() -> None:
    """On or off, and this thread is among those whose frames are read."""
    for switch, on in ((gc.disable, False), (gc.enable, True)):
        switch()
        assert threading.get_ident() in private.current_frames()
        assert gc.isenabled() is on
