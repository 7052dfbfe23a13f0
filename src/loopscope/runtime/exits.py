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

    wrap(signal, "raise_signal", _before_raise)
    wrap(os, "kill", _before_kill)
    if hasattr(os, "killpg"):
        wrap(os, "killpg", _before_killpg)
    if hasattr(signal, "pthread_kill"):
        wrap(signal, "pthread_kill", _before_pthread_kill)
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
        try:
            runtime.finish()
        except Exception:
            runtime.core.fail()


def _before_raise(wrapped: Any, instance: Any, args: Any, options: Any) -> Any:
    if args and _fatal(args[0]):
        _flush()
    return wrapped(*args, **options)


def _before_kill(wrapped: Any, instance: Any, args: Any, options: Any) -> Any:
    if len(args) == 2 and args[0] in (os.getpid(), 0) and _fatal(args[1]):  # 0: to its process group
        _flush()
    return wrapped(*args, **options)


def _before_killpg(wrapped: Any, instance: Any, args: Any, options: Any) -> Any:
    if len(args) == 2 and args[0] in (os.getpgrp(), 0) and _fatal(args[1]):
        _flush()
    return wrapped(*args, **options)


def _before_pthread_kill(wrapped: Any, instance: Any, args: Any, options: Any) -> Any:
    if len(args) == 2 and _fatal(args[1]):  # the action is the whole process's
        _flush()
    return wrapped(*args, **options)


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
