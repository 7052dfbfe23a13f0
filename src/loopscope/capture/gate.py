"""The hooks on the loop classes: put on, taken off, and nothing left behind.

A hook that somebody wrapped since cannot be taken off: it stays as a pass-through of one flag test.
"""

from __future__ import annotations

import asyncio
import asyncio.base_events
import asyncio.events
import sys
from functools import wraps
from types import FunctionType, MethodType
from typing import Any

from loopscope.capture import awaits, births, creations, handoffs, mishaps, private, stacks
from loopscope.capture.core import Core
from loopscope.capture.coroutines import simple_name
from loopscope.capture.life import DUE, LIFE, PASSED_BY, enter, hang, hung_on
from loopscope.capture.patches import Patches
from loopscope.capture.stand_ins import wrappable
from loopscope.model import CALLBACK, THREAD, TIMER, clock

#: a timer that is further away (seconds), such as asyncio.sleep(math.inf)'s, has no due time; nor has one of NaN.
#: Nanoseconds of it are a number of 64 bits
_NEVER = 4e9


#: no argument was given
NOTHING: Any = object()


class Gate:
    """Puts a core's hooks on asyncio's loops, and on uvloop's once it is imported."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.patches = Patches()

    def install(self) -> None:
        """Put the hooks on asyncio's loop classes, and on uvloop's if it is there already."""
        core, put = self.core, self.patches.put
        loop = asyncio.base_events.BaseEventLoop
        put(loop, "call_soon", lambda original: core.guards(original, _call_soon(core, original, private.debugging)))
        put(loop, "call_soon_threadsafe", lambda original: _call_soon_threadsafe(core, original))
        put(loop, "call_at", lambda original: core.guards(original, _call_at(core, original), None))
        put(loop, "run_in_executor", lambda original: _run_in_executor(core, original))
        if private.EAGER:
            put(loop, "create_task", lambda original: core.spawns(original, _create_task(core, original)))
        core.watch_tasks(True)
        creations.install(core, self.patches)
        handoffs.install(core, self.patches)
        mishaps.install(core, self.patches)
        for module in (asyncio.events, asyncio):
            put(module, "_set_running_loop", lambda original: _set_running_loop(core, original))
        if "uvloop" in sys.modules:
            self.install_uvloop(sys.modules["uvloop"])

    def install_uvloop(self, uvloop: Any) -> None:
        """The same for `uvloop.Loop`. Its call_at calls its call_later; it took `_set_running_loop` at its import."""
        loop = getattr(uvloop, "Loop", None)
        if loop is None or not self.core.on or self.patches.covers(loop):
            return
        core, put = self.core, self.patches.put
        put(loop, "call_soon", lambda original: core.guards(original, _call_soon(core, original, loop.get_debug)))
        put(loop, "call_soon_threadsafe", lambda original: _call_soon_threadsafe(core, original))
        put(loop, "call_later", lambda original: core.guards(original, _call_later(core, original), loop.get_debug))
        put(loop, "run_forever", lambda original: _run_forever(core, original))
        mishaps.install_on(core, self.patches, loop)
        put(loop, "run_in_executor", lambda original: _run_in_executor(core, original))
        if private.EAGER:
            put(loop, "create_task", lambda original: core.spawns(original, _create_task(core, original)))

    def remove(self) -> None:
        """Take the hooks off."""
        self.core.watch_tasks(False)
        self.patches.undo()

    def blind(self) -> list[str]:
        """What this core cannot see, in sentences."""
        told = [
            f"{name} was replaced after loopscope wrapped it" for name in self.patches.replaced() if "call_soon" in name
        ]
        for state in list(self.core.running.values()):
            if not state.gated and not state.seen:
                told.append(f"the event loop {state.kind} has a call_soon of its own")
        return told


def _is_ours(loop: Any) -> bool:
    method = getattr(loop, "call_soon", None)
    return getattr(getattr(method, "__func__", None), "_loopscope_gate", False)


def _call_soon(core: Core, original: Any, debugging: Any) -> Any:
    """The gate. Written for speed: every scheduling of every task passes here.

    Naming the first argument lets the common calls avoid packing and unpacking; a task whose steps are not
    recorded costs little more than the call itself. Tasks of classes of the application's are not asked: see `hung_on`.
    """
    builtin, method, plain, tasks = private.BUILTIN, MethodType, private.Task, private.TASKS
    unasked = object.__getattribute__
    bind, show = core.bind, core.show
    runs_step, runs_wakeup = core.run_as(private.SHOWN_STEP), core.run_as(private.SHOWN_WAKEUP)
    step, wakeup = private.PY_STEP, private.PY_WAKEUP
    wrapper: type | None = None

    @wraps(original)
    def call_soon(self: Any, callback: Any, _first: Any = NOTHING, *rest: Any, context: Any = None) -> Any:
        nonlocal wrapper
        kind = type(callback)
        life = how = interrupt = None
        passes = first = False
        try:
            if kind is wrapper:
                task = callback.__self__
                try:
                    life = task._loopscope if type(task) is plain else unasked(task, LIFE)
                except AttributeError:
                    life = _adopt(core, self, task, context, False) if core.on else PASSED_BY
                index = life.index
                if index >= life.hush:
                    life.index = index + 1
                    passes = True
                elif core.on:
                    how = core.yields(life)
            elif core.on:
                if kind is builtin:
                    task = callback.__self__
                    if type(task) is plain:
                        life = getattr(task, "_loopscope", None)
                    elif issubclass(type(task), tasks):
                        life = hung_on(task, LIFE)
                    if life is None:
                        if issubclass(type(task), tasks) and callback.__name__ == "task_wakeup":
                            life = _adopt(core, self, task, context, True)
                    elif callback.__name__ != "task_wakeup" and _first is not private.own(task)._fut_waiter:
                        life = None
                elif kind is method:
                    function = callback.__func__
                    if function is step or function is wakeup:
                        task = callback.__self__
                        life = hung_on(task, LIFE) or _adopt(core, self, task, context, function is wakeup)
                elif wrapper is None and simple_name(kind) == private.STEP_WRAPPER:
                    wrapper = kind
                    first = True
                if life is not None:
                    if life.index >= life.hush:
                        life.index += 1
                    elif kind is method and function is step:
                        how = core.yields(life)
                    else:
                        how = core.wakes(self, task, life, _first)
                elif issubclass(type(_first), tasks):
                    callback = _after_task(core, callback, _first)
        except BaseException as error:
            interrupt = core.spoilt(error)
        if interrupt is None:
            if passes:
                return original(self, callback, context=context)
            if first:
                return call_soon(self, callback, context=context)
        if how is not None:
            try:
                if kind is method or debugging(self):
                    callback = show(core.run, (task, callback, how))
                else:
                    callback = bind(runs_step if _first is NOTHING else runs_wakeup, (task, callback, how))
            except Exception as error:
                core.stumbled(error)
        try:
            if _first is NOTHING:
                handle = original(self, callback, context=context)
            elif rest:
                handle = original(self, callback, _first, *rest, context=context)
            else:
                handle = original(self, callback, _first, context=context)
        except BaseException:
            if life is not None:
                life.ready = 0
            raise
        if interrupt is not None:
            try:
                raise interrupt
            finally:
                del interrupt  # its traceback holds this frame
        if handle._source_traceback is not None:
            private.trim(handle)
        return handle

    call_soon._loopscope_gate = True  # type: ignore[attr-defined]
    return call_soon


def _adopt(core: Core, loop: Any, task: Any, context: Any, waking: bool) -> Any:
    """The Life of a task seen for the first time; one that is passed by where that fails."""
    try:
        if private.own(task)._source_traceback is not None:
            private.trim(task)
        return births.adopt(core, loop, task, context, waking, clock())
    except Exception:
        core.fail()
        return PASSED_BY


def _after_task(core: Core, callback: Any, task: Any) -> Any:
    """A done callback of a task that has ended: whom it wakes was woken through the task's last step."""
    try:
        life = hung_on(task, LIFE) if private.own(task).done() else None
        if life is None or not (life.started or life.muted) or not wrappable(core, callback):  # it ended long ago
            return callback
        last = life.index if life.started else max(life.index - 1, 0)
        return core.callback(core, callback, CALLBACK, clock(), life.id, last)
    except Exception as error:
        core.stumbled(error)
        return callback


def _call_soon_threadsafe(core: Core, original: Any) -> Any:
    @wraps(original)
    def call_soon_threadsafe(self: Any, callback: Any, *args: Any, context: Any = None) -> Any:
        interrupt = None
        try:
            if core.on and type(callback) is FunctionType and callback.__code__ is private.SET_STATE:
                handoffs.passed_on(core, *args)
            if core.on and private.running_loop() is not self and wrappable(core, callback):
                by = enter().life
                waker = () if by is None else (by.id, by.index)
                callback = core.callback(core, callback, THREAD, clock(), *waker)
        except BaseException as error:
            interrupt = core.spoilt(error)
        handle = original(self, callback, *args, context=context)
        if interrupt is not None:
            try:
                raise interrupt
            finally:
                del interrupt  # its traceback holds this frame
        if getattr(handle, "_source_traceback", None) is not None:
            private.trim(handle)
        return handle

    return call_soon_threadsafe


def _timed(core: Core, callback: Any, args: tuple[Any, ...], due: int) -> Any:
    """What to schedule for a timer: its due time is noted with the callback, or at the future that it alone sets."""
    if callback is private.END_OF_SLEEP and args and private.is_future(args[0]):
        hang(args[0], DUE, due)
        return callback
    return core.callback(core, callback, TIMER, due) if wrappable(core, callback) else callback


def _call_at(core: Core, original: Any) -> Any:
    @wraps(original)
    def call_at(self: Any, when: Any, callback: Any, *args: Any, context: Any = None) -> Any:
        interrupt = None
        try:
            due = private.seconds_of(when) if core.on else None
            if due is not None and -_NEVER < due < _NEVER:
                callback = _timed(core, callback, args, clock() + int((due - self.time()) * 1e9))
        except BaseException as error:
            interrupt = core.spoilt(error)
        handle = original(self, when, callback, *args, context=context)
        if interrupt is not None:
            try:
                raise interrupt
            finally:
                del interrupt  # its traceback holds this frame
        if getattr(handle, "_source_traceback", None) is not None:
            private.trim(handle)
        return handle

    return call_at


def _call_later(core: Core, original: Any) -> Any:
    @wraps(original)
    def call_later(self: Any, delay: Any, callback: Any, *args: Any, context: Any = None) -> Any:
        interrupt = None
        try:
            seconds = private.seconds_of(delay) if core.on else None
            if seconds is not None and -_NEVER < seconds < _NEVER:
                callback = _timed(core, callback, args, clock() + int(seconds * 1e9))
        except BaseException as error:
            interrupt = core.spoilt(error)
        handle = original(self, delay, callback, *args, context=context)
        if interrupt is not None:
            try:
                raise interrupt
            finally:
                del interrupt  # its traceback holds this frame
        if self.get_debug():
            private.trim(handle)
        return handle

    return call_later


def _run_in_executor(core: Core, original: Any) -> Any:
    @wraps(original)
    def run_in_executor(self: Any, executor: Any, func: Any, *args: Any) -> Any:
        items = -1
        try:
            submitted, items = clock(), enter().items
        except Exception:
            core.fail()
        future = original(self, executor, func, *args)
        if core.on and items >= 0 and private.is_future(future):
            try:
                hang(future, awaits.LABEL, handoffs.label(func, args))
                if enter().items == items:
                    handoffs.foreign(core, future, func, args, submitted)
                if future._source_traceback is not None:
                    private.trim(future)
            except Exception:
                core.fail()
        return future

    return run_in_executor


def _create_task(core: Core, original: Any) -> Any:
    @wraps(original)
    def create_task(self: Any, coro: Any, **options: Any) -> Any:
        eager = False
        try:
            eager = core.on and (private.task_factory(self) is not None or bool(options.get("eager_start")))
        except Exception:
            core.fail()
        if eager:
            task = births.create(core, original, self, coro, options, private.name_to_come(1))
        else:
            task = original(self, coro, **options)
        try:
            if self.get_debug() and getattr(task, "_source_traceback", None):
                private.trim(task)
            return task
        finally:
            del task, coro  # the traceback of an eager task's exception may hold this frame

    return create_task


def _run_forever(core: Core, original: Any) -> Any:
    @wraps(original)
    def run_forever(self: Any) -> Any:
        if core.on:
            try:
                core.runs(self, _is_ours(self))
            except Exception:
                core.fail()
        try:
            return original(self)
        finally:
            if core.on:
                try:
                    core.runs(None, True)
                except Exception:
                    core.fail()

    stacks.around(run_forever)
    return run_forever


def _set_running_loop(core: Core, original: Any) -> Any:
    @wraps(original)
    def _set_running_loop(loop: Any, /) -> Any:
        if core.on:
            try:
                core.runs(loop, loop is None or _is_ours(loop))
            except Exception:
                core.fail()
        return original(loop)

    return _set_running_loop
