"""The buffer's limit and reserve, and what does not fit is counted."""

from __future__ import annotations

import threading

from loopscope.capture.buffer import Buffer


def test_first_in_first_out() -> None:
    """And None once it is empty."""
    buffer = Buffer(64)
    assert buffer.take() is None
    assert [buffer.put((n,)) for n in range(3)] == [True] * 3
    assert [buffer.take() for _ in range(4)] == [(0,), (1,), (2,), None]
    assert buffer.dropped == 0


def test_steps_stop_at_the_limit_births_and_ends_at_the_reserve() -> None:
    """An eighth more; each that does not fit is counted."""
    buffer = Buffer(64)
    assert [buffer.put((n,)) for n in range(70)] == [True] * 64 + [False] * 6
    assert buffer.dropped == 6
    assert [buffer.put_vital((n,)) for n in range(10)] == [True] * 8 + [False] * 2
    assert (buffer.dropped, len(buffer.queue)) == (8, 72)
    for _ in range(9):
        buffer.take()
    assert [buffer.put((1,)), buffer.put((2,)), buffer.put_vital((3,))] == [True, False, True]


def test_many_writers() -> None:
    """Nothing is lost between threads, and each thread's records keep their order."""
    buffer = Buffer(100_000)

    def write(thread: int) -> None:
        for number in range(5_000):
            buffer.put((thread, number))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [record for record in iter(buffer.take, None)]
    assert [[n for t, n in taken if t == thread] for thread in range(4)] == [list(range(5_000))] * 4
    assert buffer.dropped == 0
