"""What a suspended task waits for, and where in the application's own code it does."""

from __future__ import annotations

import asyncio
import gc
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from loopscope.capture import chains, coroutines, private, waits
from loopscope.capture.chains import Chain
from loopscope.capture.interrupts import is_interrupt
from loopscope.capture.life import LIFE, hung_on
from loopscope.model import APPLICATION, STANDARD, Place, Wait

#: attribute of a future that run_in_executor() gave: what it runs
LABEL = "_loopscope_label"

_WITH_DEFAULT = "anext_awaitable"
#: awaitables that hide what they await: `async for` over a generator, a coroutine's `__await__`, `anext` with a default
_HIDING = frozenset({_WITH_DEFAULT, "async_generator_asend", "async_generator_athrow", "coroutine_wrapper"})

#: the most common end of a chain of awaits
_SLEEP = asyncio.sleep.__code__

_THREADED = "asyncio.to_thread"

_READERS = waits.READERS
#: a named tuple without its own `__new__`
_new: Any = tuple.__new__

_places = coroutines._places
place_of = coroutines.place_of


def point(task: Any, waiter: Any, root: Place) -> tuple[str | Place | Wait | None, Place | None, int]:
    """(awaiting, await point, index of its instruction) of a task that has just suspended.

    `waiter` is the future it waits for, None after a bare yield; `root` the task's own place. The await point is the
    innermost function of the application; where there is none, the innermost of an installed package, else of all.
    """
    item = task.get_coro()
    found: Place | None = None
    frame: Any = None
    #: the innermost public function of asyncio, its coroutine, and the one around it
    inner: Place | None = None
    held: Any = None
    around: Any = None
    #: the innermost coroutine that may hold a timeout
    timed: Any = None
    chain: Chain | None = None
    while item is not None:
        kind = type(item)
        if kind is CoroutineType:
            code = item.cr_code
            if code is _SLEEP and found is not None:
                inner, held, around = place_of(item, code), item, held
                break
            place = root if code is root.code else _places.get(id(code)) or place_of(item, code)
            if place.timed:
                timed = item
            if found is None or place.origin >= found.origin:
                if found is not None and found.origin == APPLICATION and waiter is not None:
                    if chain is None:
                        chain = found.chain or chains.begin(found)
                    chain = chain.further.get(place) or chains.extend(chain, place)
                found, frame = place, item.cr_frame
                if place.origin != STANDARD:
                    inner = None
                elif place.public:
                    inner, held, around = place, item, held
            elif place.public:
                inner, held, around = place, item, held
                if place.leaf:
                    break
            item = item.cr_await
        elif kind is GeneratorType:
            code = item.gi_code
            place = _places.get(id(code)) or place_of(item, code)
            if found is None or place.origin >= found.origin:
                found, frame = place, item.gi_frame
                if place.origin != STANDARD:
                    inner = None
            elif place.public:
                inner, held = place, None
            item = item.gi_yieldfrom
        elif kind is AsyncGeneratorType:
            code = item.ag_code
            place = _places.get(id(code)) or place_of(item, code)
            if found is None or place.origin >= found.origin:
                if found is not None and found.origin == APPLICATION and waiter is not None:
                    if chain is None:
                        chain = found.chain or chains.begin(found)
                    chain = chain.further.get(place) or chains.extend(chain, place)
                found, frame = place, item.ag_frame
                if place.origin != STANDARD:
                    inner = None
            item = item.ag_await
        elif coroutines.simple_name(kind) in _HIDING:
            item = _hidden(item)
        else:
            break
    awaiting = None if waiter is None else told(waiter, inner, held, around, timed, chain)
    return awaiting, found, -1 if frame is None else frame.f_lasti


def told(
    waiter: Any, inner: Place | None, held: Any, around: Any, timed: Any, chain: Chain | None
) -> str | Place | Wait | None:
    """What a task that waits for this future awaits, with what matters of it: see the names in `point`."""
    awaiting: Any = _awaiting(waiter, inner)
    details: waits.Details = ()
    if awaiting is inner:
        reader = _READERS.get(inner.public) if inner is not None and held is not None else None
        if reader is not None:
            try:
                details = reader(held, waiter, around)
            except Exception as error:  # of the application's own: a subclass, a transport, a numeric type
                if is_interrupt(error):
                    raise
                details = ()
    elif type(waiter) is private.GatheringFuture:
        details = waits.gathered(waiter)
    if chain is not None and not details:
        awaiting = chain.waits.get(awaiting) or chains.wait(awaiting, chain)
        if timed is not None:
            awaiting = Wait(awaiting.name, awaiting.details + waits.deadline(timed, waiter))
    else:
        if timed is not None:
            details += waits.deadline(timed, waiter)
        if details:
            awaiting = _new(Wait, (awaiting, details))
    return awaiting  # type: ignore[no-any-return]


def _hidden(item: Any) -> Any:
    referents = gc.get_referents(item)
    if coroutines.simple_name(type(item)) == _WITH_DEFAULT:  # which is the other one
        del referents[1:]
    for referent in referents:
        kind = type(referent)
        if kind in (AsyncGeneratorType, CoroutineType, GeneratorType) or coroutines.simple_name(kind) in _HIDING:
            return referent
    return None


def _awaiting(waiter: Any, inner: Place | None) -> str | Place:
    if private.is_task(waiter):
        return f"task {title(waiter)}"
    if inner is None or inner.public == _THREADED:
        label = hung_on(waiter, LABEL)
        if label is not None:
            return label  # type: ignore[no-any-return]
    if inner is not None:
        return inner
    return future_name(type(waiter))


def title(task: Any) -> str:
    """The qualname of a task's coroutine as its own span has it."""
    life = hung_on(task, LIFE)
    if life is not None:
        return life.place.qualname  # type: ignore[no-any-return]
    return coroutines.identify(private.own(task).get_coro()).qualname


def future_name(kind: type) -> str:
    """A future's type, as users know it."""
    if kind is asyncio.Future:
        return "asyncio.Future"
    if coroutines.simple_name(kind) == private.GATHERING:
        return "asyncio.gather"
    module, qualname = coroutines.names_of(kind)
    return f"{'asyncio' if module in ('_asyncio', 'asyncio.futures') else module}.{qualname}"


def function_name(function: Any) -> str:
    """The qualname of a callable, seen through partials and `Context.run`; its type's where it has none."""
    return coroutines.qualname_of(looked_through(function))


def looked_through(function: Any) -> Any:
    """The function behind partials and `Context.run`."""
    try:
        for _ in range(8):
            inner = getattr(function, "func", None)  # functools.partial
            if inner is None:
                break
            arguments = function.args
            function = arguments[0] if getattr(inner, "__name__", "") == "run" and arguments else inner
    except Exception:  # the application's own property
        pass
    return function
