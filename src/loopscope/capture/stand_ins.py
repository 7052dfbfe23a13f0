"""What stands in a handle in a callback's place, so that its call is seen.

A `Scheduled` is made per scheduling and strong on the task until its handle goes, as CPython's own callback is. One
per task would be a cycle, and would delay "exception was never retrieved" until a collection. Who woke the task hangs
on it: by a step's end the task may be scheduled anew. Their `__self__`, names and repr are the callback's own.
"""

from __future__ import annotations

from types import FunctionType, MethodType
from typing import Any

from loopscope.capture.life import Life, enter, local
from loopscope.model import clock

#: (ready since, waker kind, waking task, index of its step, waker's name)
How = tuple[int, str, int, int, str | None]

_COROUTINE = 0x80 | 0x200  # CO_COROUTINE, CO_ASYNC_GENERATOR


class Scheduled:
    """Stands for the task's own callback in a handle; its call is one step."""

    __slots__ = ("__self__", "callback", "how", "life")

    def __init__(self, task: Any, callback: Any, life: Life, how: How) -> None:
        self.__self__ = task
        self.callback = callback
        self.life = life
        self.how = how

    def __call__(self, *args: Any) -> Any:
        life = self.life
        core = life.core
        if not core.on:
            return self.callback(*args)
        try:
            here = local.here
        except AttributeError:
            here = enter()
        task = self.__self__
        outer = here.life
        doomed = task._must_cancel
        try:
            here.life = life
            life.ready = 0
            try:
                context = core.current()
                if life.cell() is not context:
                    core.look(life, context)
                del context  # it may be left, and be freed, in this step
            except Exception:
                core.fail()
            life.started = start = clock()
            return self.callback(*args)
        finally:
            end = clock()
            here.life = outer
            if life.started:
                life.started = 0
                try:
                    core.stepped(self.how, task, life, here, start, end, args, doomed)
                except Exception:
                    core.fail()
            # The traceback of the task's exception may hold this frame: no cycle through it, as in Handle._run.
            self = task = args = None  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.callback, name)

    def __repr__(self) -> str:
        return repr(self.callback)


class Callback:
    """Stands for a callback of the loop that may wake tasks, so that their waker is known."""

    __slots__ = ("__wrapped__", "kind", "since", "waker", "waker_step")

    def __init__(self, callback: Any, kind: str, since: int, waker: int = 0, waker_step: int = 0) -> None:
        self.__wrapped__ = callback
        self.kind = kind
        #: when it could run: a timer's due time, the moment another thread submitted it; 0 for now
        self.since = since
        self.waker = waker
        self.waker_step = waker_step

    def __call__(self, *args: Any) -> Any:
        here = enter()
        outer = here.callback, here.life
        try:
            here.callback, here.life = self, None
            return self.__wrapped__(*args)
        finally:
            here.callback, here.life = outer
            del self, args, outer  # as in a Scheduled

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # asyncio asks whether it is a partial, a coroutine function
        return type(self.__wrapped__)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __eq__(self, other: object) -> bool:  # timers compare their callbacks
        theirs = other.__wrapped__ if type(other) is Callback else other
        return bool(self.__wrapped__ == theirs)

    def __hash__(self) -> int:
        return hash(self.__wrapped__)


def wrappable(callback: Any) -> bool:
    """Whether a callback can be stood for: callable, and none that debug mode would refuse."""
    function = callback.__func__ if type(callback) is MethodType else callback
    if type(function) is FunctionType:
        return not function.__code__.co_flags & _COROUTINE
    return callable(callback) and type(callback) is not Callback
