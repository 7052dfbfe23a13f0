"""Every touch of asyncio's and CPython's insides, by name. A test for each fails when a version moves it."""

from __future__ import annotations

import asyncio
import asyncio.base_events
import asyncio.events
import asyncio.tasks
import functools
import gc
import itertools
import operator
import os
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from loopscope.origin import is_ours

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

#: the class that tasks are instances of; the C one where there is one
Task: Any = asyncio.tasks.Task
PyTask: type = getattr(asyncio.tasks, "_PyTask", Task)
TASKS: tuple[type, ...] = (Task, PyTask) if Task is not PyTask else (Task,)
FUTURES: tuple[type, ...] = (asyncio.Future, getattr(asyncio.futures, "_PyFuture", asyncio.Future))


def is_task(thing: Any) -> bool:
    """Whether it is a task. It is not asked itself: it may stand for something else."""
    return issubclass(type(thing), TASKS)


def is_future(thing: Any) -> bool:
    """Whether it is a future, or a task."""
    return issubclass(type(thing), FUTURES)


class Own:
    """What a task or a future is by asyncio's own class, whatever one derived of it says, or does when it is asked."""

    __slots__ = ("_base", "_thing")

    def __init__(self, thing: Any, base: type) -> None:
        self._thing = thing
        self._base = base

    def __getattr__(self, name: str) -> Any:
        found: Any = getattr(self._base, name, None)
        if hasattr(found, "__get__"):
            return found.__get__(self._thing, type(self._thing))
        return object.__getattribute__(self._thing, name)


def own(thing: Any) -> Any:
    """What is to be asked in the place of a task or a future: itself, but where its class is none of asyncio's."""
    kind = type(thing)
    if kind in TASKS or kind in FUTURES:
        return thing
    for base in (*TASKS, *FUTURES):
        if issubclass(kind, base):
            return Own(thing, base)
    return thing


def task_factory(loop: Any) -> Any:
    """A loop's task factory, None for none. What a subclass of asyncio's loops says instead is not asked."""
    try:
        return loop._task_factory
    except AttributeError:  # uvloop's
        return loop.get_task_factory()


#: a task's name is told up to this length: what is remembered of tasks is bounded by their number
LONGEST_NAME = 1_000


def name_of(task: Any) -> str:
    """A task's name, as it is told. `task`: as `own` gives it."""
    name: str = task.get_name()
    return name if type(name) is str and len(name) <= LONGEST_NAME else cut(name)


def cut(name: str) -> str:
    """A name as it is told: a plain text, whatever class of the application's it is of."""
    return str.__getitem__(name, slice(LONGEST_NAME))


def name_given(name: Any) -> str:
    """How a task will be called that was given this as its name; empty where the application's code is to tell."""
    if issubclass(type(name), str):
        return cut(name)
    return str(name) if type(name) is int else ""


def seconds_of(value: Any) -> float | None:
    """A number of seconds without asking a class of the application's; None for what is none."""
    kind = type(value)
    if kind is float or kind is int:
        return value  # type: ignore[no-any-return]
    if issubclass(kind, float):
        return float.__add__(value, 0.0)
    return int.__add__(value, 0) if issubclass(kind, int) else None


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
#: what a timer calls with the future on which asyncio.sleep() waits
END_OF_SLEEP: Any = asyncio.futures._set_result_unless_cancelled  # type: ignore[attr-defined]
#: asyncio.timeout()'s expiry
ON_TIMEOUT = "_on_timeout"
GATHERING = "_GatheringFuture"
GatheringFuture: type | None = getattr(asyncio.tasks, GATHERING, None)


def _inner(function: Any, name: str) -> types.CodeType | None:
    """The code of the function of this name that another one makes."""
    codes = (thing for thing in function.__code__.co_consts if isinstance(thing, types.CodeType))
    return next((code for code in codes if code.co_name == name), None)


#: the code of what passes an executor's result on to the loop's future
SET_STATE = _inner(asyncio.futures._chain_future, "_set_state")  # type: ignore[attr-defined]
#: the code of what gather() is told with that a child is done
GATHERED = _inner(asyncio.tasks.gather, "_done_callback")
#: functions that name a task only once the loop made it: an eager one may have ended by then (3.12)
_NAMING = frozenset(
    function.__code__
    for function in (asyncio.create_task, getattr(getattr(asyncio, "TaskGroup", None), "create_task", None))
    if function is not None and "_set_task_name" in function.__code__.co_names
)


def name_to_come(depth: int) -> Any:
    """The name that a task is given after its creation by what calls, `depth` frames up; None for none."""
    if not _NAMING:
        return None
    frame = sys._getframe(depth + 1)
    return frame.f_locals.get("name") if frame.f_code in _NAMING else None


#: wait_for() before 3.12 cancels its task in this helper
CANCEL_AND_WAIT = "_cancel_and_wait"
#: asyncio.timeout()'s class, and the value of its state while it is entered
Timeout: type | None = getattr(asyncio, "Timeout", None)
ENTERED = "active"

CANCELLING = sys.version_info >= (3, 11)
#: asyncio.Task takes eager_start
EAGER = sys.version_info >= (3, 12)
#: reading `frame.f_locals` leaves a snapshot in the frame that keeps its values alive
LOCALS_SNAPSHOT = sys.version_info < (3, 13)
#: a coroutine's locals hang on its frame object, which it always has
FRAME_APART = sys.version_info < (3, 11)
#: wait_for() waits under an asyncio.timeout(), in the calling task
WAIT_FOR_INLINE = sys.version_info >= (3, 12)
#: a thread pool's work item has `task` for `fn`, `args` and `kwargs`
ITEM_TASK = sys.version_info >= (3, 14)

current_task = asyncio.current_task
all_tasks = asyncio.all_tasks
running_loop = asyncio._get_running_loop
#: whether one of asyncio's loops is in debug mode
debugging = operator.attrgetter("_debug")


def awaited(task: Any) -> Any:
    """The future that a suspended task waits for, else None."""
    return task._fut_waiter


def waiting_for(future: Any) -> Iterator[Any]:
    """The tasks that wait for a future, a task, or what gather() made, and what gather() made that does."""
    for callback, *_ in own(future)._callbacks or ():
        kind = type(callback)
        if kind is BUILTIN:
            wakes = is_task(callback.__self__) and callback.__name__ == WAKEUP
        else:
            wakes = kind is types.MethodType and callback.__func__ is PY_WAKEUP
        if wakes:
            yield callback.__self__
        elif GATHERED is not None and kind is types.FunctionType and callback.__code__ is GATHERED:
            gathered = callback.__closure__[GATHERED.co_freevars.index("outer")].cell_contents
            if gathered is not None:  # else it is still in the making
                yield gathered


def failure(task: Any) -> BaseException | None:
    """The exception of a done task, without marking it as retrieved as `task.exception()` would."""
    return task._exception  # type: ignore[no-any-return]


def raised_cancelled(task: Any) -> bool:
    """Whether the coroutine of a cancelled task, which has just ended, raised a CancelledError: the task keeps it.

    Another one returned, and the task was cancelled all the same: it had been asked to, and nothing had been thrown.
    """
    if PyTask is not Task and issubclass(type(task), PyTask):
        return task._cancelled_exc is not None
    return any(
        thing is asyncio.CancelledError or issubclass(type(thing), asyncio.CancelledError)
        for thing in gc.get_referents(task)
    )


def locals_of(coroutine: Any) -> list[Any]:
    """What a suspended coroutine refers to: names, function, code; its locals in order; its stack.

    No frame object and no snapshot of the locals is made, as reading `cr_frame.f_locals` would.
    """
    return gc.get_referents(coroutine.cr_frame if FRAME_APART else coroutine)


def argument(coroutine: Any, position: int = 0) -> Any:
    """An argument of a suspended coroutine; the first one must not be a dictionary."""
    if FRAME_APART:
        found = gc.get_referents(coroutine.cr_frame)
        place = found.index(coroutine.cr_code) + 1
        while type(found[place]) is dict:  # its namespaces
            place += 1
        return found[place + position]
    found = gc.get_referents(coroutine)
    return found[found.index(coroutine.cr_code, 2) + 1 + position]


#: so many are looked at of those that do not wait any more
_RELEASED = 100


def waiters(lock: Any) -> int | None:
    """How many tasks wait for a Lock, Semaphore, Condition or Event, or did until they were cancelled.

    Those that were released stay the first until they run. None where they are very many.
    """
    waiting = lock._waiters or ()
    for released, future in enumerate(itertools.islice(waiting, _RELEASED)):
        if not own(future).done():
            return len(waiting) - released
    return None if len(waiting) > _RELEASED else 0


def queue_size(queue: Any) -> tuple[int, int]:
    """How many items an asyncio.Queue holds, and may hold. Its public methods may be the application's own."""
    return len(queue._queue), queue._maxsize


def expiry(timeout: Any) -> float | None:
    """The loop's time at which an asyncio.Timeout that is entered expires, None for never."""
    return timeout._when if timeout._state.value == ENTERED else None


def transport(stream: Any) -> Any:
    """The transport of a StreamReader or StreamWriter."""
    return stream._transport


def children(gathering: Any) -> int:
    """How many futures a gather() waits for."""
    return len(gathering._children)


def cancel_message(future: Any) -> Any:
    """What a cancelled future's cancellation was told."""
    return future._cancel_message


def raised(future: Any) -> BaseException | None:
    """The exception of a done concurrent.futures.Future, which may be a foreign executor's own."""
    return getattr(future, "_exception", None)


def work(item: Any) -> tuple[Any, tuple[Any, ...]]:
    """The function of a thread pool's work item, and its positional arguments."""
    return item.task[:2] if ITEM_TASK else (item.fn, item.args)


def processors() -> int:
    """Processors that this process may use, as far as the system says."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def thread_name(ident: int) -> str:
    """The name of a thread, without making a dummy object for one that threading did not start."""
    for thread in threading.enumerate():
        if thread.ident == ident:
            return thread.name
    return f"thread-{ident}"


def before_threads_end(call: Any) -> None:
    """Have `call` called as soon as the main program is over, while threads and thread pools still work.

    `atexit` comes too late for that. The hooks run latest first: the thread pools' own must stand below ours.
    """
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
        stack[:] = [frame for frame in stack if not is_ours(frame.filename)]


# ---------------------------------------------------------------- threads, seen from another one

_open_file = open  # as it was: an application's tests replace it

#: the system tells the CPU time of a thread
THREAD_CPU = hasattr(time, "pthread_getcpuclockid")
#: it tells how long a thread waited for a processor
RUN_DELAY = os.path.exists(f"/proc/self/task/{threading.get_native_id()}/schedstat")
#: it counts how often the calling thread gave its processor away; a thread that waits for the GIL does so once per
#: switch interval
SWITCHES = hasattr(resource, "RUSAGE_THREAD")


_CALL = operator.methodcaller("__call__")
_BACK = operator.attrgetter("f_back")


def _uncollected(call: Callable[[], Any]) -> Any:
    """Call something made in C while the collector is off.

    CPython 3.11 makes frame objects when they are asked for, and before 3.12 to make an object may start a collection,
    which may let the GIL go. The four calls are made in C at one go: no other thread ever sees the collector off.
    """
    if not gc.isenabled():
        return call()
    try:
        enabled, _, made, _ = tuple(map(_CALL, (gc.isenabled, gc.disable, call, gc.enable)))
    except BaseException:
        gc.enable()
        raise
    if not enabled:  # by another thread, just now
        gc.disable()
    return made


def _frames_uncollected() -> dict[int, types.FrameType]:
    """Another thread's collection would wait for the lock that `sys._current_frames` holds, for ever, with the GIL."""
    return _uncollected(sys._current_frames)  # type: ignore[no-any-return]


def _callers(frame: types.FrameType | None, most: int) -> Iterator[types.FrameType]:
    while frame is not None and most > 0:
        yield frame
        frame, most = frame.f_back, most - 1


def _callers_uncollected(frame: types.FrameType | None, most: int) -> Iterator[types.FrameType]:
    """All are made at once: while an object is made for a frame, the other thread could leave that frame.

    The interpreter would then write to memory that is another frame's by now. The list feeds on itself.
    """
    if frame is None:
        return
    chain = [frame]
    _uncollected(functools.partial(chain.extend, itertools.islice(filter(None, map(_BACK, chain)), most - 1)))
    chain.reverse()
    while chain:
        yield chain.pop()


#: no collection starts where an object is made
_COLLECTED_APART = sys.version_info >= (3, 12)

_frames = sys._current_frames if _COLLECTED_APART else _frames_uncollected


def current_frames() -> dict[int, types.FrameType]:
    """Frames of all threads by ident, as they are now; of none while there are several interpreters.

    CPython looks at the threads of all of them, and with a GIL of their own (3.12) these run meanwhile: a crash. Those
    that a program written in C makes by itself are not known here.
    """
    interpreters = sys.modules.get("_interpreters") or sys.modules.get("_xxsubinterpreters")
    if interpreters is not None and len(interpreters.list_all()) > 1:
        return {}
    return _frames()


#: a frame, of any thread, and those that called it, innermost first, so many at most
callers = _callers if _COLLECTED_APART else _callers_uncollected

#: asyncio's frame around a callback that a loop calls, and the loop's own frames
HANDLE_RUN = asyncio.events.Handle._run.__code__
LOOP_RUN = (
    asyncio.base_events.BaseEventLoop.run_forever.__code__,
    asyncio.base_events.BaseEventLoop._run_once.__code__,  # type: ignore[attr-defined]
)


def is_runner(code: types.CodeType) -> bool:
    """Whether this is the coroutine that `uvloop.run` puts around the application's."""
    return code.co_name == "wrapper" and code.co_filename.endswith(os.path.join("uvloop", "__init__.py"))


def cpu_clock(ident: int) -> int | None:
    """The clock of a living thread's CPU time, None where there is none. One of a dead thread only fails to tell."""
    if not THREAD_CPU:
        return None
    try:
        return time.pthread_getcpuclockid(ident)
    except OSError:
        return None


def cpu_time(cpu: int | None) -> int | None:
    """Nanoseconds of CPU time by such a clock."""
    if cpu is None:
        return None
    try:
        return time.clock_gettime_ns(cpu)
    except OSError:
        return None


def run_delay(native: int) -> int | None:
    """Nanoseconds that the thread of this native id waited for a processor, since it began; None for not known.

    A kernel that keeps no such account says that the thread never ran.
    """
    if not RUN_DELAY:
        return None
    try:
        with _open_file(f"/proc/self/task/{native}/schedstat", "rb") as file:
            ran, waited, _ = map(int, file.read().split())
            return waited if ran else None
    except (OSError, ValueError):
        return None


def switches() -> int | None:
    """How often the calling thread gave its processor away."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw if SWITCHES else None
