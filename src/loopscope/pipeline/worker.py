"""The background thread: takes records, makes spans, sends them, in slices that let the application run.

A slice holds the GIL for less than half a millisecond; then the thread sleeps for real, because letting the
GIL go for no time at all is usually not enough for another thread to get it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from loopscope import uncollected
from loopscope.model import clock
from loopscope.threads import Bell, Starter, await_exit, keep_from_signals, kept_from_signals

#: nanoseconds of work, then seconds of sleep
SLICE = 300_000
PAUSE = 0.0003
#: seconds between two looks at the buffer: the first after a round with work, the last after many without
SOON, LATE = 0.05, 0.2


class Worker:
    """Runs `work` again and again in a daemon thread; `work` yields wherever it may be paused.

    `glance` is called whenever the thread is about to sleep, or has slept; `pause` is how it sleeps between slices, a
    `bell` wakes it between rounds.
    """

    def __init__(
        self,
        work: Callable[[], Iterator[None]],
        failed: Callable[[], None],
        glance: Callable[[], None],
        pause: Callable[[float], None] = time.sleep,
        bell: Callable[[], Any] = Bell,
    ) -> None:
        self._work = work
        self._glance = glance
        self._failed = failed
        self._pause = pause
        self._thread: threading.Thread | None = None
        self._make_bell = bell
        self._bell = bell()
        self._stopping = False
        #: somebody waits: no pauses
        self._urgent = False
        #: the thread has seen that it is to stop, and does nothing more
        self._left = False
        self._starter = Starter()
        #: what is to be done between two rounds, or once it has stopped
        self._jobs: deque[Callable[[], None]] = deque()
        #: others do its work now, and it is not to be started
        self._barred = 0
        self._lock = threading.Lock()
        #: how many were begun by the thread
        self.rounds = 0

    @property
    def running(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> bool:
        """Start the thread. False where the system refuses it: ask again.

        While it is barred, nothing happens.
        """
        with self._lock:
            if self._barred:
                return True
            self._stopping = self._urgent = False
            if self.running and not self._left:
                return True
            self._left = False
            thread = self._starter.start(self._run, "loopscope")
            if thread is not None:
                self._thread = thread
                return True
        self._starter.tell()
        return False

    def stop(self, timeout: float) -> bool:
        """Stop and join the thread after its current round, within `timeout` seconds."""
        thread = self._thread
        if thread is None:
            return True
        self._stopping = self._urgent = True
        self._bell.ring()
        if thread is not threading.current_thread():
            thread.join(timeout)
        if thread.is_alive():
            uncollected.release()  # it may hang, and nothing be recorded any more
            return False
        self._thread = None
        await_exit(thread)
        return True

    def end(self, job: Callable[[], None], timeout: float) -> bool:
        """Stop, and have the thread do `job` last: one that hangs can be left behind. Without a thread it is done here.

        Whether all that took less than `timeout` seconds; if not, `stop` may wait for longer.
        """
        self._jobs.append(job)
        stopped = self.stop(timeout)
        if stopped:
            self._rest()
        return stopped

    def do(self, job: Callable[[], None], timeout: float) -> bool:
        """Have the thread do `job` between two rounds, and go on. Without a thread it is done here.

        Whether that took less than `timeout` seconds; if not, it may be done later, or never.
        """
        done = threading.Event()

        def whole() -> None:
            job()
            done.set()

        self._jobs.append(whole)
        until = clock() + int(timeout * 1e9)
        self._urgent = True
        self._bell.ring()
        while self.running and not done.wait(0.02) and clock() < until:
            pass
        self._urgent = self._stopping
        if not self.running:
            self._rest()
        self.forget(whole)
        return done.is_set()

    def forget(self, job: Callable[[], None]) -> None:
        """It is not to be done any more, if it was not begun."""
        with suppress(ValueError):
            self._jobs.remove(job)

    def _rest(self) -> None:
        while True:
            try:
                job = self._jobs.popleft()
            except IndexError:
                return
            with kept_from_signals():
                job()

    @contextmanager
    def barred(self) -> Iterator[None]:
        """Within, nobody starts the thread: a task of another thread may be about to. Who asked must ask again."""
        with self._lock:
            self._barred += 1
        try:
            yield
        finally:
            with self._lock:
                self._barred -= 1

    def round(self) -> None:
        """One round of work in the calling thread, unpaused."""
        with kept_from_signals():
            for _ in self._work():
                pass

    def forked(self) -> None:
        """In a forked child there is no thread."""
        self._thread = None
        self._jobs.clear()
        self._barred = 0
        self._lock = threading.Lock()
        self._bell = self._make_bell()

    def hurry(self) -> None:
        """Do the next round now."""
        self._bell.ring()

    def _goes_on(self) -> bool:
        with self._lock:
            self._left = self._stopping
            return not self._left

    def _run(self) -> None:
        self._thread = threading.current_thread()  # whoever starts it may be interrupted before it knows the thread
        self._rounds()
        self._rest()

    def _rounds(self) -> None:
        interval = SOON
        while self._goes_on():
            self._bell.wait(interval)
            interval = min(2 * interval, LATE)
            try:
                uncollected.begin()
                keep_from_signals()
                self._glance()
                self.rounds += 1
                if self._jobs:
                    with uncollected.paused():
                        self._rest()
                until = clock() + SLICE
                for _ in self._work():
                    interval = SOON
                    if clock() >= until and not self._urgent:
                        self._glance()
                        uncollected.end()
                        self._pause(PAUSE)
                        uncollected.begin()
                        self._glance()
                        until = clock() + SLICE
                    elif not uncollected.off:  # a record had the collector on again
                        uncollected.begin()
                self._glance()
            except BaseException:  # an exporter's or a sampler's SystemExit is nobody's here
                with suppress(Exception):  # there may be no memory even for that
                    self._failed()
                return
            finally:
                uncollected.end()
