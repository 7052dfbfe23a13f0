"""What stands in a handle in a callback's place, so that its call is seen.

For a C task's own callback that is a method: `Core.run` bound to (task, callback, how it became ready), under the
callback's name; for others, and in debug mode, a `Scheduled` around it. Both are made per scheduling and strong on the
task until the handle goes, as CPython's own callback is. One per task would be a cycle, and would delay "exception was
never retrieved" until a collection. Who woke the task hangs on it: by a step's end the task may be scheduled anew.
"""

from __future__ import annotations

from operator import attrgetter
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from loopscope.capture.life import enter
from loopscope.model import CancelRequest

if TYPE_CHECKING:
    from loopscope.capture.core import Core

#: (ready since, waker kind, waking task, index of its step, waker's name)
How = tuple[int, str, int, int, str | CancelRequest | None]

_COROUTINE = 0x80 | 0x200  # CO_COROUTINE, CO_ASYNC_GENERATOR


class Scheduled:
    """Stands for the task's own callback where it is looked at: its `__self__`, names and repr are the callback's.

    Its call is that of the method, without a frame of its own between.
    """

    __slots__ = ("__self__", "_method", "callback")

    __call__ = property(attrgetter("_method"))

    def __init__(self, run: Any, subject: tuple[Any, Any, How]) -> None:
        self.__self__, self.callback, _ = subject
        self._method = MethodType(run, subject)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.callback, name)

    def __repr__(self) -> str:
        return repr(self.callback)


class Callback:
    """Stands for a callback of the loop that may wake tasks, so that their waker is known."""

    __slots__ = ("__wrapped__", "core", "kind", "since", "waker", "waker_step")

    def __init__(self, core: Core, callback: Any, kind: str, since: int, waker: int = 0, waker_step: int = 0) -> None:
        self.core = core
        self.__wrapped__ = callback
        self.kind = kind
        #: when it could run: a timer's due time, the moment another thread submitted it; 0 for now
        self.since = since
        self.waker = waker
        self.waker_step = waker_step

    def __call__(self, *args: Any) -> Any:
        if self.core.dozing:
            self.core.rouse()
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


def named(run: FunctionType, name: str) -> FunctionType:
    """The same function under another name."""
    made = FunctionType(run.__code__, run.__globals__, name, run.__defaults__, run.__closure__)
    made.__qualname__ = name
    return made


def wrappable(core: Core, callback: Any) -> bool:
    """Whether a callback can be stood for: callable, and none that debug mode would refuse."""
    function = callback.__func__ if type(callback) is MethodType else callback
    if type(function) is FunctionType:
        return not function.__code__.co_flags & _COROUTINE
    return callable(callback) and type(callback) is not core.callback
