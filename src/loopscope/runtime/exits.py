"""How a process ends or forks: flush at exit, before a fatal signal that it raises on itself, around a fork."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from loopscope.capture import private
from loopscope.capture.life import nothing
from loopscope.capture.patches import Patches

_once = False
_runtime: Callable[[], Any] = nothing
_stop: Callable[[], None] = nothing

#: signals whose default action lets the process live
_HARMLESS = frozenset(
    number
    for name in ("SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGINFO")
    if (number := getattr(signal, name, None)) is not None
)


def install(patches: Patches, current: Callable[[], Any], stop: Callable[[], None]) -> None:
    """Put the hooks of this process in place; those that cannot be taken off are installed once.

    `current` gives the runtime or None, `stop` ends it.
    """
    global _once, _runtime, _stop
    _runtime, _stop = current, stop
    from loopscope.runtime.wrapped import Wrapped

    def wrap(owner: Any, name: str, wrapper: Any) -> None:
        patches.put(owner, name, lambda original: Wrapped(owner, name, wrapper))

    wrap(signal, "raise_signal", _flushing(lambda number: number))
    wrap(os, "kill", _flushing(lambda to, number: number if to in (os.getpid(), 0) else 0))  # 0: to its process group
    if hasattr(os, "killpg"):
        wrap(os, "killpg", _flushing(lambda to, number: number if to in (os.getpgrp(), 0) else 0))
    if hasattr(signal, "pthread_kill"):  # the action is the whole process's
        wrap(signal, "pthread_kill", _flushing(lambda thread, number: number))
    if _once:
        return
    _once = True
    private.before_threads_end(_main_is_over)
    # weakref's exit hook closes urllib3's connections for good. It must run after ours, so it must be there before:
    # the first finalizer registers it.
    weakref.finalize(_Finalizing(), int)
    atexit.register(_at_exit)
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        _finalize_at_exit()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before_fork, after_in_parent=_after_parent, after_in_child=_after_child)


def _fatal(number: Any) -> bool:
    try:
        return number not in _HARMLESS and number > 0 and signal.getsignal(number) == signal.SIG_DFL
    except (ValueError, TypeError):
        return False


def _flush() -> None:
    runtime = _runtime()
    if runtime is not None:
        runtime.finish()


def _flushing(signal_of: Callable[..., Any]) -> Any:
    """What flushes before a fatal signal: of a call's arguments, the one that this process gets, 0 for none."""

    def call(wrapped: Any, instance: Any, args: Any, options: Any) -> Any:
        try:
            fatal = _fatal(signal_of(*args))
        except TypeError:  # it is called wrongly, and will say so
            fatal = False
        if fatal:
            _flush()
        return wrapped(*args, **options)

    return call


def _main_is_over() -> None:
    runtime = _runtime()
    if runtime is not None:
        runtime.prepare()
        private.restore_interrupt()


def _at_exit() -> None:
    if _runtime() is not None:
        with suppress(KeyboardInterrupt):  # the program is over: it is meant for our wait alone
            _stop()
        private.restore_interrupt()


def _before_fork() -> None:
    runtime = _runtime()
    if runtime is not None:
        try:
            runtime.before_fork()
        except Exception:
            runtime.core.fail()


def _after_parent() -> None:
    runtime = _runtime()
    if runtime is not None:
        runtime.after_fork_in_parent()


def _after_child() -> None:
    runtime = _runtime()
    if runtime is None:
        return
    try:
        runtime.after_fork_in_child()
    except Exception:
        runtime.core.fail()
    util = sys.modules.get("multiprocessing.util")
    if util is not None:  # it forgets all finalizers before it calls this
        util.register_after_fork(_Finalizing, _finalize_at_exit)


class _Finalizing:
    """What multiprocessing registers its after-fork call for; it holds it weakly."""


def _finalize_at_exit(_: Any = None) -> None:
    """Children of multiprocessing end by os._exit: they run its finalizers, and atexit's hooks since 3.13 only."""
    import multiprocessing.util

    multiprocessing.util.Finalize(None, _flush, exitpriority=0)
