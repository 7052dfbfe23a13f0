"""Whose code a task runs: names, modules, and the wrappers that are looked through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any

from loopscope.capture import private
from loopscope.capture.interrupts import is_interrupt
from loopscope.model import LIBRARY, STANDARD, Place
from loopscope.origin import folder_of, origin_of

_ASYNCIO = folder_of(asyncio.AbstractEventLoop.close.__code__)

#: code objects remembered at most: a program that makes code without end must not fill memory
_LIMIT = 8192
#: by the code's id: hashing a code object hashes all that is in it. A Place keeps its code alive.
_places: dict[int, Place] = {}
#: those of tasks whose coroutine is called otherwise than its code, by that, the module and the qualname
_renamed: dict[tuple[int, str, str], Place] = {}

#: known wrappers: (module, qualname) -> the local variable, or its attribute, that holds the coroutine (or function)
#: they wrap
WRAPPERS: dict[tuple[str, str], str] = {
    ("uvloop", "run.<locals>.wrapper"): "main",
    ("asyncio.tasks", "_wrap_awaitable"): "awaitable",
    ("asyncio.tasks", "ensure_future.<locals>._wrap_awaitable"): "awaitable",
    ("asyncio.tasks", "_ensure_future.<locals>._wrap_awaitable"): "awaitable",
    ("anyio._backends._asyncio", "AsyncIOBackend.run.<locals>.wrapper"): "func",
    ("anyio._backends._asyncio", "AsyncIOBackend.run_async_from_thread.<locals>.task_wrapper"): "func",
    ("anyio._backends._asyncio", "BlockingPortal._spawn_task_from_thread.<locals>.run_func"): "func",
    ("anyio.from_thread", "BlockingPortal._call_func"): "func",
    ("anyio._backends._asyncio", "TaskGroup._run_wrapped_task"): "coro",
    ("anyio._core._tasks", "TaskHandle._run_coro"): "self._coro",
    ("asgiref.sync", "AsyncToSync.__call__.<locals>.new_loop_wrap"): "awaitable",
    ("asgiref.sync", "AsyncToSync.main_wrap"): "awaitable",
    ("opentelemetry.instrumentation.asyncio", "AsyncioInstrumentor.trace_coroutine"): "coro",
    ("sentry_sdk.integrations.asyncio", "patch_asyncio.<locals>._sentry_task_factory.<locals>._task_with_sentry_span_creation"): "coro",
    ("sentry_sdk.integrations.asyncio", "patch_asyncio.<locals>._sentry_task_factory.<locals>._coro_creating_hub_and_span"): "coro",
    ("ddtrace.contrib.internal.asyncio.patch", "_wrapped_create_task.<locals>.traced_coro"): "coro",
    ("ddtrace.contrib.internal.asyncio.patch", "_wrapped_create_task_py37.<locals>.traced_coro"): "coro",
}  # fmt: skip
_wrappers: dict[int, tuple[CodeType, str | None]] = {}

#: functions of asyncio that await nothing of the application's: the chain needs no further look
_LEAVES = frozenset(
    {"asyncio.sleep", "asyncio.Queue.get", "asyncio.Queue.put", "asyncio.Lock.acquire", "asyncio.Event.wait",
     "asyncio.Semaphore.acquire"}
)  # fmt: skip

#: methods of loops that are named without their class
_RESOLVING = frozenset({"getaddrinfo", "getnameinfo"})

#: the loop's own housekeeping, not shown
HOUSEKEEPING = frozenset({"shutdown_asyncgens", "shutdown_default_executor"})


def ask(thing: Any, name: str) -> Any:
    """An attribute of something of the application's; None where it has none, or its own property fails."""
    try:
        return getattr(thing, name, None)
    except Exception as error:
        if is_interrupt(error):
            raise
        return None


def code_of(awaitable: Any) -> CodeType | None:
    """The code that a coroutine-like object runs, None where it has none."""
    kind = type(awaitable)
    if kind is CoroutineType:
        return awaitable.cr_code  # type: ignore[no-any-return]
    if kind is GeneratorType:
        return awaitable.gi_code  # type: ignore[no-any-return]
    if kind is AsyncGeneratorType:
        return awaitable.ag_code  # type: ignore[no-any-return]
    code = ask(awaitable, "cr_code")
    return code if type(code) is CodeType else None


def frame_of(awaitable: Any) -> FrameType | None:
    """The frame of a coroutine-like object, None once it has ended."""
    for name in ("cr_frame", "gi_frame", "ag_frame"):
        frame = ask(awaitable, name)
        if type(frame) is FrameType:
            return frame
    return None


def _text(said: Any) -> str:
    """A name as it is told, empty where it is none."""
    return private.cut(said) if issubclass(type(said), str) else ""


def qualname_of(awaitable: Any) -> str:
    """The `__qualname__`, else `__name__`, else the type's name."""
    for name in ("__qualname__", "__name__"):
        if text := _text(ask(awaitable, name)):
            return text
    return private.cut(names_of(type(awaitable))[1])


#: a class's name; like what follows, past its metaclass, which may answer anything
simple_name: Callable[[type], str] = type.__dict__["__name__"].__get__
_module, _qualname = type.__dict__["__module__"].__get__, type.__dict__["__qualname__"].__get__


def names_of(kind: type) -> tuple[str, str]:
    """A class's module, empty where it has none, and its qualname."""
    try:
        module = _module(kind)
    except AttributeError:
        module = ""
    return module if type(module) is str else "", str.__str__(_qualname(kind))


def type_name(kind: type) -> str:
    """A class as `error.type` names it."""
    module, qualname = names_of(kind)
    return qualname if module in ("builtins", "") else f"{module}.{qualname}"


def place_of(awaitable: Any, code: CodeType) -> Place:
    """The Place of a running coroutine-like object, remembered by its code."""
    place = _places.get(id(code))
    if place is None:
        frame = frame_of(awaitable)
        module = frame.f_globals.get("__name__", "") if frame is not None else ""
        qualname = private.cut(getattr(code, "co_qualname", None) or qualname_of(awaitable))
        place = make_place(code, _text(module), qualname)
        if len(_places) >= _LIMIT:
            _places.clear()
        _places[id(code)] = place
    return place


def make_place(code: CodeType | None, module: str, qualname: str) -> Place:
    """A Place with its public name: asyncio's functions as users write them, private helpers none."""
    origin = origin_of(code.co_filename) if code is not None else LIBRARY
    public = f"{module}.{qualname}" if module else qualname
    if code is not None and code.co_filename.startswith(_ASYNCIO):
        public = _asyncio_name(module, qualname)
    timed = public == "asyncio.wait_for" if origin == STANDARD else code is not None and _may_time(code)
    return Place(code, module, qualname, origin, public, public in _LEAVES, timed)


def _may_time(code: CodeType) -> bool:
    return "timeout" in code.co_names or "timeout_at" in code.co_names


def _asyncio_name(module: str, qualname: str) -> str:
    if qualname == "_wait":
        return "asyncio.wait"
    parts = qualname.split(".")
    if any((part.startswith("_") and not part.startswith("__")) or part == "<locals>" for part in parts):
        return ""
    if qualname.startswith("__sleep0"):
        return ""
    if parts[0] == "BaseEventLoop" and parts[-1] in _RESOLVING:
        return f"asyncio.{parts[-1]}"
    if getattr(asyncio, parts[0], None) is not None:
        return f"asyncio.{qualname}"
    return f"{module}.{qualname}"


def identify(coroutine: Any) -> Place:
    """The Place of a task's coroutine, seen through known wrappers. Call it before its first step."""
    for _ in range(4):
        code = code_of(coroutine)
        if code is None:
            break
        variable = _wrapped_by(code, coroutine)
        if variable is None:
            break
        inner = _local(coroutine, variable)
        if inner is None:
            break
        coroutine = inner
    return place_of_root(coroutine)


def is_housekeeping(coroutine: Any) -> bool:
    """Whether this is the runner's own clean-up of a loop."""
    name = ask(coroutine, "__name__")
    if type(name) is not str or name not in HOUSEKEEPING:
        return False
    code = code_of(coroutine)
    return code is None or code.co_filename.startswith(_ASYNCIO) or "uvloop" in code.co_filename


def place_of_root(coroutine: Any) -> Place:
    """The Place of a task that runs this coroutine, remembered by its code and what it is called."""
    code, module = code_of(coroutine), ""
    qualname = qualname_of(coroutine)
    if code is not None:
        place = place_of(coroutine, code)
        if place.qualname == qualname:
            return place
        module = place.module  # functools.wraps: many functions, one code
    else:
        function = ask(coroutine, "__code__")  # a wrapped function, looked through
        code = function if type(function) is CodeType else None
        module = _text(ask(coroutine, "__module__"))
    known = _renamed.get((id(code), module, qualname))
    if known is None:
        if len(_renamed) >= _LIMIT:
            _renamed.clear()
        known = _renamed[id(code), module, qualname] = make_place(code, module, qualname)
    return known


def is_wrapper(code: CodeType, coroutine: Any) -> bool:
    """Whether this coroutine of this code is a known wrapper's."""
    return _wrapped_by(code, coroutine) is not None


def _wrapped_by(code: CodeType, coroutine: Any) -> str | None:
    known = _wrappers.get(id(code))
    if known is None:
        place = place_of(coroutine, code)
        if len(_wrappers) >= _LIMIT:
            _wrappers.clear()
        known = _wrappers[id(code)] = code, WRAPPERS.get((place.module, place.qualname))
    return known[1]


def _local(coroutine: Any, variable: str) -> Any:
    frame = frame_of(coroutine)
    if frame is None:
        return None
    name, _, attribute = variable.partition(".")
    found = frame.f_locals.get(name)
    if attribute:
        found = ask(found, attribute)
    if private.LOCALS_SNAPSHOT:
        frame.f_locals.clear()
    return found
