"""The processor time of the thread that asks: its own, whole, and nobody else's."""

from __future__ import annotations

import threading
import time

from loopscope.pipeline.computed import Computed


def burn(seconds: float) -> None:
    """Compute for so long."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_from_one_asking_to_the_next() -> None:
    computed = Computed()
    assert computed.since() == 0
    burn(0.02)
    assert 0.02e9 <= computed.since() < 0.04e9
    other = threading.Thread(target=burn, args=(0.05,))
    other.start()
    other.join()
    assert computed.since() < 0.02e9, "what another thread computes is not ours"


def test_another_thread_begins_anew() -> None:
    """As at exit, where the main thread does what is left."""
    computed, told = Computed(), []
    computed.since()
    burn(0.02)
    other = threading.Thread(target=lambda: told.append(computed.since()))
    other.start()
    other.join()
    assert told == [0] and computed.since() == 0
