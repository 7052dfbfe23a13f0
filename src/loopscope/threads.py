"""What the threads of our own have in common."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from _thread import allocate_lock
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from os import stat
from time import monotonic, sleep

from loopscope.log import logger

# Both may be called on a loop's thread, before a fork: as they were, for tools that look for calls which hold up a loop
# replace them in their modules.


#: a thread that the system refused is asked for again after so long, and it is said after so long (seconds)
_REFUSED, _SAID = 1.0, 3.0


def lacking() -> str:
    """Why there are no threads for us here, empty where there are.

    gevent and eventlet put greenlets in their place: ours would keep the application from running. An isolated
    interpreter (3.12) has no daemon threads.
    """
    module = getattr(_thread.start_new_thread, "__module__", None) or ""
    package = module.partition(".")[0]
    if package in ("gevent", "eventlet"):
        return f"{package} made greenlets of threads"
    allowed = getattr(_thread, "daemon_threads_allowed", None)
    return "" if allowed is None or allowed() else "this interpreter allows no daemon threads"


class Lacking(Exception):
    """There are no threads for us here any more; says why."""


class Bell:
    """Wakes a thread of our own."""

    def __init__(self) -> None:
        #: held while it is silent
        self._lock = allocate_lock()
        self._lock.acquire()

    def ring(self) -> None:
        """Wake who waits, or who waits next."""
        with suppress(RuntimeError):  # it rings already
            self._lock.release()

    def wait(self, timeout: float = -1) -> None:
        """Wait until it rings, or for so many seconds."""
        self._lock.acquire(timeout=timeout)


class Starter:
    """Starts daemon threads, one that the system refused not again at once."""

    def __init__(self) -> None:
        self._again = 0.0
        #: since when it is refused; what is to be said of it, and whether that was
        self._since = 0.0
        self._news = ""
        self._said = False

    def start(self, target: Callable[[], None], name: str) -> threading.Thread | None:
        """A thread that runs it; None where the system refuses one, as it does at the very end of a process.

        Raises Lacking where there are none for us any more.
        """
        if monotonic() < self._again:
            return None
        if why := lacking():
            raise Lacking(why)
        try:
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
        except (RuntimeError, MemoryError) as error:
            self._refused(name, error)
            return None
        except KeyError as error:  # threading's own, as it tidies up after what a signal handler raised in it
            raise error.__context__ or error from None
        self._since = 0.0
        return thread

    def _refused(self, name: str, error: Exception) -> None:
        now = monotonic()
        self._again = now + _REFUSED
        self._since = self._since or now
        if now - self._since >= _SAID:
            self._news = f"loopscope cannot start its thread {name!r}, and goes on asking for it: {error}"

    def tell(self) -> None:
        """Say once that a thread is refused. What handles the logger's lines may ask for it again."""
        if self._news and not self._said:
            self._said = True
            logger.warning("%s", self._news)


#: what a write raises to a pipe or a connection that nobody reads, and to a file that may not grow; their default
#: action, which a program may have set again, ends the program
_BROKEN = {getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name)}


def _ending() -> set[signal.Signals]:
    """Those of them that end the program."""
    return {one for one in _BROKEN if signal.getsignal(one) == signal.SIG_DFL}


def keep_from_signals() -> None:
    """From now on, a write that fails is an error in this thread, and never the program's end.

    Nothing is changed where it is an error already: what an exporter starts would have it from this thread.
    """
    if ending := _ending():
        signal.pthread_sigmask(signal.SIG_BLOCK, ending)


@contextmanager
def kept_from_signals() -> Iterator[None]:
    """The same within the block, in a thread of the application's."""
    ending = _ending()
    if ending:
        ending -= signal.pthread_sigmask(signal.SIG_BLOCK, ())
    if not ending:
        yield
        return
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, ending)
        yield
    finally:
        try:
            for one in signal.sigpending() & ending:  # it would come with the mask's end
                signal.sigwait({one})
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ending)


def is_for_host(error: BaseException) -> bool:
    """Whether what was raised from the application's own code, an exporter's say, is meant to end the program."""
    return isinstance(error, (KeyboardInterrupt, SystemExit)) and threading.current_thread() is threading.main_thread()


def await_exit(thread: threading.Thread) -> None:
    """Wait until the system has forgotten a joined thread: a fork warns of every thread that it still counts.

    A join returns a moment too early, before 3.13 even before the thread has left Python.
    """
    if not sys.platform.startswith("linux") or thread is threading.current_thread():
        return
    with suppress(Exception):  # it is forgotten; or `os` was another one when this module was loaded: a test's
        for _ in range(200):
            stat(f"/proc/self/task/{thread.native_id}")
            sleep(0.0002)
