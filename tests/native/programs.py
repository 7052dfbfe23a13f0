"""Programs whose steps come in one order: each construct that the walk along the awaits or the gate tells apart."""

from __future__ import annotations

import asyncio
import collections.abc
import contextvars
import functools
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

_tracer = TracerProvider().get_tracer("test")


async def yielding() -> None:
    """Bare yields, alone and side by side."""

    async def spin(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    await asyncio.gather(spin(3), spin(5))


async def waiting_for_futures() -> None:
    """Plain futures, at the end of a chain of functions and not."""
    future = asyncio.get_running_loop().create_future()

    async def inner() -> None:
        await future

    async def outer() -> None:
        await inner()

    async def direct() -> None:
        await future

    tasks = [asyncio.create_task(outer()), asyncio.create_task(direct()), asyncio.create_task(outer())]
    await asyncio.sleep(0)
    future.set_result(None)
    await asyncio.gather(*tasks)


async def synchronising() -> None:
    """Lock, Event, Semaphore, Condition, Queue."""
    lock, event, semaphore = asyncio.Lock(), asyncio.Event(), asyncio.Semaphore(1)
    condition, queue = asyncio.Condition(), asyncio.Queue[int](1)

    async def use(number: int) -> None:
        async with lock:
            await asyncio.sleep(0)
        async with semaphore:
            await asyncio.sleep(0)
        await queue.put(number)
        await event.wait()
        async with condition:
            await condition.wait_for(lambda: True)

    tasks = [asyncio.create_task(use(number)) for number in range(3)]
    for _ in tasks:
        await queue.get()
    event.set()
    await asyncio.gather(*tasks)


async def sleeping() -> None:
    """Timers, within a timeout and not."""

    async def nap() -> None:
        await asyncio.sleep(0.001)

    await nap()
    await asyncio.wait_for(nap(), 5)
    await asyncio.wait([asyncio.create_task(nap())])
    try:
        await asyncio.wait_for(asyncio.sleep(5), 0.001)
    except asyncio.TimeoutError:
        pass


class Awaitable:
    """Awaits in a generator."""

    def __await__(self) -> Generator[Any, None, None]:
        yield
        yield from asyncio.get_running_loop().create_task(asyncio.sleep(0)).__await__()


async def generating() -> None:
    """Asynchronous generators, and awaitables of generators."""

    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    async def consume() -> list[int]:
        return [number async for number in numbers()]

    await asyncio.create_task(consume())
    await Awaitable()


async def ending() -> None:
    """Every way to end, awaited or not."""

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def stuck() -> None:
        await asyncio.get_running_loop().create_future()

    async def stubborn() -> str:
        try:
            await stuck()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return "stayed"

    tasks = [asyncio.create_task(each()) for each in (fails, stuck, stubborn, stuck)]
    tasks[3].cancel("before its first step")
    await asyncio.sleep(0)
    tasks[1].cancel("by main")
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    asyncio.current_task().cancel()  # type: ignore[union-attr]
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        if sys.version_info >= (3, 11):
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
    await asyncio.sleep(0)


class Subclass(asyncio.Task[Any]):
    """A custom task, with methods of its own."""

    def get_name(self) -> str:
        return "own name"

    def done(self) -> bool:
        return super().done()


async def customs() -> None:
    """A task factory, a subclass, CPython's own task in Python, and a future of one's own."""

    class Future(asyncio.Future):  # type: ignore[type-arg]
        pass

    loop = asyncio.get_running_loop()

    async def work() -> None:
        future = Future()
        loop.call_soon(future.set_result, None)
        await future
        await asyncio.sleep(0)

    loop.set_task_factory(lambda loop, coro, **options: Subclass(coro, loop=loop, **options))
    await loop.create_task(work())
    loop.set_task_factory(None)
    await asyncio.tasks._PyTask(work(), loop=loop)  # type: ignore[attr-defined]


async def excluding() -> None:
    """A task whose steps are passed by, and one that it wakes."""
    future = asyncio.get_running_loop().create_future()

    async def excluded() -> None:
        for _ in range(70):
            await asyncio.sleep(0)
        future.set_result(None)
        await asyncio.sleep(0.001)

    async def waits() -> None:
        await future

    await asyncio.gather(excluded(), waits())


async def tracing() -> None:
    """Current spans: inherited, and left; activated in a first step, in a last one, and within one."""

    def activate(number: int) -> Any:
        span = trace.NonRecordingSpan(trace.SpanContext(1, number, False, trace.TraceFlags(1)))
        return otel.attach(trace.set_span_in_context(span))

    async def child() -> None:
        await asyncio.sleep(0)
        activate(3)

    async def handler() -> None:
        outer = activate(4)
        otel.detach(activate(5))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        otel.detach(outer)

    token = activate(2)
    task = asyncio.create_task(child())
    await asyncio.sleep(0)
    otel.detach(token)
    await asyncio.sleep(0)
    await task
    await asyncio.create_task(handler())


async def calling_back() -> None:
    """Wakes by callbacks, by a task's end, and by another thread."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    async def quick() -> None:
        await asyncio.sleep(0)

    task = asyncio.create_task(quick())
    task.add_done_callback(lambda _: future.set_result(None))
    await future
    other = loop.create_future()
    loop.call_soon(other.set_result, None)
    await other
    await asyncio.shield(asyncio.create_task(quick()))
    await loop.run_in_executor(None, int)


async def hearing() -> None:
    """Wakes by timers' callbacks, by threads, and by I/O, within a protocol's methods and not; cancelled and not."""
    loop = asyncio.get_running_loop()

    def done() -> asyncio.Future[None]:
        return loop.create_future()

    def finish(future: asyncio.Future[None]) -> None:
        future.set_result(None)

    class Protocol(asyncio.Protocol):
        def __init__(self) -> None:
            self.heard = done()

        def data_received(self, data: bytes) -> None:
            finish(self.heard)

    later, timed, other = done(), done(), done()
    loop.call_later(0.001, finish, later)
    await later
    loop.call_at(loop.time() + 0.001, lambda: finish(timed))
    await timed
    for far in (10**8, 10**10):  # more nanoseconds than 64 bits hold
        early = done()
        timer = loop.call_later(far, finish, early)
        loop.call_soon(finish, early)
        await early
        timer.cancel()
    for when in (0, 0.000001, -1, -(10**8), -(10**10)):  # due long ago, before a clock's zero
        for past in (loop.call_at, loop.call_later):
            due, called = done(), done()
            past(when, finish, due)
            await due
            past(when, lambda called=called: finish(called))
            await called
    threading.Timer(0.001, loop.call_soon_threadsafe, (functools.partial(finish, other),)).start()
    await other
    ours, theirs = socket.socketpair()
    _, protocol = await loop.create_connection(Protocol, sock=theirs)
    ours.send(b"a")
    await protocol.heard
    ready = done()
    loop.add_writer(ours, lambda: ready.done() or finish(ready))
    await ready
    loop.remove_writer(ours)
    ours.close()
    cancelled = done()
    loop.call_soon(cancelled.cancel)
    try:
        await cancelled
    except asyncio.CancelledError:
        pass
    task = asyncio.create_task(asyncio.sleep(5))
    loop.call_later(0.001, task.cancel)
    await asyncio.gather(task, return_exceptions=True)


class Coroutine(collections.abc.Coroutine[Any, Any, None]):
    """One that only behaves so."""

    def __init__(self) -> None:
        self.inner = asyncio.sleep(0)

    def send(self, value: Any) -> Any:
        return self.inner.send(value)

    def throw(self, *error: Any) -> Any:
        return self.inner.throw(*error)

    def close(self) -> None:
        self.inner.close()

    def __await__(self) -> Generator[Any, Any, None]:
        return self.inner.__await__()


async def being_born() -> None:
    """Tasks of many functions with one code, of what is no coroutine, in contexts, by callbacks, and never run."""
    loop = asyncio.get_running_loop()

    def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def call(*args: Any) -> Any:
            return await function(*args)

        return call

    async def first() -> None:
        await asyncio.sleep(0)

    async def second() -> None:
        await asyncio.create_task(first(), name="inner")

    async def excluded() -> None:
        await asyncio.create_task(first())

    coroutine = first()
    coroutine.__qualname__ = "renamed"
    made = [
        wrapped(first)(),
        wrapped(second)(),
        wrapped(first)(),
        first(),
        coroutine,
        Coroutine(),
        excluded(),
        excluded(),
    ]
    await asyncio.gather(*[asyncio.ensure_future(each) for each in made])
    by_callback = loop.create_future()
    loop.call_soon(lambda: by_callback.set_result(loop.create_task(second())))
    await (await by_callback)
    span = trace.NonRecordingSpan(trace.SpanContext(1, 6, False, trace.TraceFlags(1)))
    context = contextvars.copy_context()
    context.run(otel.attach, trace.set_span_in_context(span))
    await context.run(loop.create_task, first())
    if sys.version_info >= (3, 11):
        await loop.create_task(first(), context=context)
    loop.create_task(first()).cancel()
    await asyncio.sleep(0)


PROGRAMS = [
    yielding, waiting_for_futures, synchronising, sleeping, generating, ending, customs, excluding, tracing,
    calling_back, hearing, being_born,
]  # fmt: skip
