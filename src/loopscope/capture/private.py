"""Every touch of asyncio's and CPython's insides, by name. A test for each fails when a version moves it."""

from __future__ import annotations

import asyncio
import asyncio.base_events
import asyncio.events
import asyncio.tasks
import gc
import operator
import os
import sys
import types
from contextlib import suppress
from typing import Any

#: the class that tasks are instances of; the C one where there is one
Task: type = asyncio.tasks.Task
PyTask: type = getattr(asyncio.tasks, "_PyTask", Task)
TASKS: tuple[type, ...] = (Task, PyTask) if Task is not PyTask else (Task,)
FUTURES: tuple[type, ...] = (asyncio.Future, getattr(asyncio.futures, "_PyFuture", asyncio.Future))

#: a C task's wakes are builtin methods of this name; so are `task.cancel` and the like
BUILTIN = types.BuiltinMethodType
WAKEUP = "task_wakeup"
#: type name of what a C task passes for a step that is not a wake
STEP_WRAPPER = "TaskStepMethWrapper"
#: how handles show the two
SHOWN_WAKEUP, SHOWN_STEP = f"{Task.__name__}.{WAKEUP}", f"<{STEP_WRAPPER} object at {id(Task):#x}>"
#: the functions that a pure-Python task schedules as bound methods
PY_STEP = getattr(PyTask, "_Task__step", None)
PY_WAKEUP = getattr(PyTask, "_Task__wakeup", None)
#: asyncio.timeout()'s expiry
ON_TIMEOUT = "_on_timeout"
GATHERING = "_GatheringFuture"

#: files whose frames are ours
_OURS = os.path.join(os.path.dirname(__file__), "")

CANCELLING = sys.version_info >= (3, 11)
#: asyncio.Task takes eager_start
EAGER = sys.version_info >= (3, 12)
#: reading `frame.f_locals` leaves a snapshot in the frame that keeps its values alive
LOCALS_SNAPSHOT = sys.version_info < (3, 13)

current_task = asyncio.current_task
all_tasks = asyncio.all_tasks
running_loop = asyncio._get_running_loop
#: whether one of asyncio's loops is in debug mode
debugging = operator.attrgetter("_debug")


def awaited(task: Any) -> Any:
    """The future that a suspended task waits for, else None."""
    return task._fut_waiter


def failure(task: Any) -> BaseException | None:
    """The exception of a done task, without marking it as retrieved as `task.exception()` would."""
    return task._exception  # type: ignore[no-any-return]


def was_cancelled(args: tuple[Any, ...]) -> bool:
    """Whether a step that is called with these arguments throws a cancellation into the coroutine.

    gather() sets a CancelledError as an exception where one cancels it.
    """
    if not args or not isinstance(args[0], FUTURES):
        return False
    future: Any = args[0]
    return future.cancelled() or isinstance(future._exception, asyncio.CancelledError)


def thread_name(ident: int) -> str:
    """The name of a thread, without making a dummy object for one that threading did not start."""
    import threading

    for thread in threading.enumerate():
        if thread.ident == ident:
            return thread.name
    return f"thread-{ident}"


def before_threads_end(call: Any) -> None:
    """Have `call` called as soon as the main program is over, while threads and thread pools still work.

    `atexit` comes too late for that. The hooks run latest first: the thread pools' own must stand below ours.
    """
    import threading

    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        try:
            import concurrent.futures.thread  # noqa: F401  (registers its own hook)

            register(call)
        except RuntimeError:  # it is over already
            pass


def restore_interrupt() -> None:
    """After an unhandled KeyboardInterrupt a process dies of SIGINT at its very end: see that it still does.

    CPython's flag for it is cleared by any `exec` of a text, such as an import of ours at exit may do.
    """
    interactive = sys.flags.interactive or hasattr(sys, "ps1")
    if getattr(sys, "last_type", None) is KeyboardInterrupt and not interactive:
        with suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")


def trim(holder: Any) -> None:
    """Take our frames out of a debug-mode source traceback, and out of uvloop's timer, which hides its own."""
    stack = getattr(holder, "_source_traceback", None)
    if stack is None:
        for referent in gc.get_referents(holder):
            if type(referent) is tuple and referent and isinstance(referent[-1], list):
                stack = referent[-1]
    if stack is not None:
        stack[:] = [frame for frame in stack if not frame.filename.startswith(_OURS)]
