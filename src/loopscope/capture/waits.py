"""What matters of a wait: read as the task suspends, from the asyncio object that it waits for.

An object is found among what its coroutine refers to. Each reader gets that coroutine, the future that the task waits
for, and the public asyncio coroutine around it, if any.
"""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import math
from collections.abc import Callable
from contextlib import suppress
from types import MethodType
from typing import Any

from loopscope import conventions as c
from loopscope.capture import private
from loopscope.capture.interrupts import is_interrupt
from loopscope.capture.life import PEER, PLACE, hang, hung_on

Details = tuple[tuple[str, Any], ...]
Reader = Callable[[Any, Any, Any], Details]

#: by delay
_sleeps: dict[float, Details] = {}
_SLEEPS = 1024

_JOIN = asyncio.Queue.join.__code__
#: a peer or host is told up to this length
_LONGEST = 200


def gathered(waiter: Any) -> Details:
    """What matters of waiting for a gather()'s future."""
    return ((c.WAIT_COUNT, private.children(waiter)),)


def deadline(coroutine: Any, waiter: Any) -> Details:
    """Seconds until the first asyncio timeout expires that is entered in this coroutine's frame."""
    try:
        if coroutine.cr_code is _WAIT_FOR and not private.WAIT_FOR_INLINE:
            return _seconds(c.WAIT_TIMEOUT, private.argument(coroutine, 1))
        first: float | None = None
        for thing in private.locals_of(coroutine):
            if type(thing) is MethodType:  # `__aexit__`, which `async with` keeps
                thing = thing.__self__
            if type(thing) is private.Timeout:
                when = private.expiry(thing)
                if when is not None and (first is None or when < first):
                    first = when
        if first is not None:
            return _seconds(c.WAIT_TIMEOUT, first - waiter.get_loop().time())
    except Exception as error:
        if is_interrupt(error):
            raise
    return ()


_WAIT_FOR = asyncio.wait_for.__code__


def _seconds(name: str, value: Any) -> Details:
    seconds = 0.0 if value is None else float(value)
    return ((name, seconds),) if value is not None and math.isfinite(seconds) else ()


def _first(coroutine: Any, kind: Any) -> Any:
    """The first argument, which must be of this class."""
    thing = private.argument(coroutine)
    if not issubclass(type(thing), kind):
        raise LookupError
    return thing


def _guard(kind: Any) -> Reader:
    """For what tasks queue up for."""

    def read(coroutine: Any, waiter: Any, around: Any) -> Details:
        guard = _first(coroutine, kind)
        place = hung_on(guard, PLACE)
        count = private.waiters(guard)
        waiters = () if count is None else ((c.WAIT_WAITERS, count),)
        return waiters if place is None else (*waiters, (c.WAIT_PLACE, place))

    return read


_any_event = _guard(asyncio.Event)


def _event(coroutine: Any, waiter: Any, around: Any) -> Details:
    if around is not None and getattr(around, "cr_code", None) is _JOIN:
        return _queue(around, waiter, None)
    return _any_event(coroutine, waiter, around)


def _queue(coroutine: Any, waiter: Any, around: Any) -> Details:
    queue = _first(coroutine, asyncio.Queue)
    size, bound = private.queue_size(queue)
    place = hung_on(queue, PLACE)
    told = (c.WAIT_QUEUE_SIZE, size), (c.WAIT_QUEUE_BOUND, bound)
    return told if place is None else (*told, (c.WAIT_PLACE, place))


def _sleep(coroutine: Any, waiter: Any, around: Any) -> Details:
    delay = private.argument(coroutine)
    if type(delay) is not float and type(delay) is not int:
        return _seconds(c.WAIT_SLEEP, delay)
    known = _sleeps.get(delay)
    if known is None:
        if len(_sleeps) >= _SLEEPS:
            _sleeps.clear()
        known = _sleeps[delay] = _seconds(c.WAIT_SLEEP, delay)
    return known


def _wait(coroutine: Any, waiter: Any, around: Any) -> Details:
    count = (c.WAIT_COUNT, len(private.argument(coroutine)))
    return (count, *_seconds(c.WAIT_TIMEOUT, private.argument(coroutine, 1)))


def _stream(coroutine: Any, waiter: Any, around: Any) -> Details:
    stream = _first(coroutine, (asyncio.StreamReader, asyncio.StreamWriter))
    peer = hung_on(stream, PEER)
    if peer is None:
        peer = ""
        with suppress(Exception):
            peer = _text(private.transport(stream).get_extra_info("peername"))
        with suppress(Exception):
            hang(stream, PEER, peer)
    return ((c.WAIT_PEER, peer),) if peer else ()


def _text(peer: Any) -> str:
    if isinstance(peer, (tuple, list)):
        host, port = peer[:2]
        return f"[{host}]:{port}"[:_LONGEST] if ":" in host else f"{host}:{port}"[:_LONGEST]
    return peer[:_LONGEST] if type(peer) is str else ""


def _process(coroutine: Any, waiter: Any, around: Any) -> Details:
    return ((c.WAIT_PID, _first(coroutine, asyncio.subprocess.Process).pid),)


def _resolver(coroutine: Any, waiter: Any, around: Any) -> Details:
    host = private.argument(coroutine, 1)
    if type(host) is tuple:  # getnameinfo's sockaddr
        host = host[0]
    if type(host) is bytes:
        host = host.decode(errors="replace")
    return ((c.WAIT_HOST, host[:_LONGEST]),) if type(host) is str else ()


#: by public name
READERS: dict[str, Reader] = {
    "asyncio.sleep": _sleep,
    "asyncio.Lock.acquire": _guard(asyncio.Lock),
    "asyncio.Semaphore.acquire": _guard(asyncio.Semaphore),
    "asyncio.Condition.wait": _guard(asyncio.Condition),
    "asyncio.Event.wait": _event,
    "asyncio.Queue.get": _queue,
    "asyncio.Queue.put": _queue,
    "asyncio.wait": _wait,
    **{f"asyncio.StreamReader.{name}": _stream for name in ("read", "readline", "readuntil", "readexactly")},
    **{f"asyncio.StreamWriter.{name}": _stream for name in ("drain", "wait_closed")},
    "asyncio.subprocess.Process.wait": _process,
    "asyncio.subprocess.Process.communicate": _process,
    "asyncio.getaddrinfo": _resolver,
    "asyncio.getnameinfo": _resolver,
}
