"""Objects of the application's that answer for every attribute, or allow none: nothing of ours asks them."""

from __future__ import annotations

import asyncio
import functools
import gc
import selectors
import sys
from types import MethodType
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from loopscope import LoopscopeInstrumentor
from tests.noninterference.both import Log, both
from tests.scenarios.tasks import quick
from tests.support import LOOPS, recording


class Delegating(asyncio.Task[Any]):
    def __getattr__(self, name: str) -> Any:
        return getattr("what it stands for", name, None)


class Answering(asyncio.Task[Any]):
    def __getattr__(self, name: str) -> Any:
        return 42


class Refusing(asyncio.Task[Any]):
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class Closed(asyncio.Task[Any]):
    def __setattr__(self, name: str, value: Any) -> None:
        if not hasattr(asyncio.Task, name):
            raise RuntimeError(name)
        super().__setattr__(name, value)


class Silent(asyncio.Task[Any]):
    def __getattribute__(self, name: str) -> Any:
        if name in ("_must_cancel", "_fut_waiter", "_source_traceback", "_exception", "_state"):
            raise RuntimeError(name)
        return super().__getattribute__(name)


@pytest.mark.parametrize("kind", [Delegating, Answering, Refusing, Closed, Silent])
@pytest.mark.parametrize("loop", LOOPS)
def test_tasks(loop: str, kind: type[asyncio.Task[Any]]) -> None:
    async def slow() -> str:
        await asyncio.sleep(0.001)
        return await kind(quick(), loop=asyncio.get_running_loop())

    async def program(log: Log) -> None:
        loop = asyncio.get_running_loop()
        task, woken = kind(slow(), loop=loop), loop.create_future()
        task.add_done_callback(lambda _: woken.set_result("called back"))
        log += [str(await task), await woken]
        doomed = kind(asyncio.sleep(9), loop=loop)
        await asyncio.sleep(0)
        doomed.cancel()
        log.append(str(await asyncio.gather(doomed, return_exceptions=True)))

    assert both(program, loop, steps=8) == ["quick", "called back", "[CancelledError('')]"]


class Asked(type):
    """Answers for its classes' names."""

    def __getattribute__(cls, name: str) -> Any:
        if name in ("__module__", "__qualname__", "__name__"):
            raise SystemExit(name)
        return super().__getattribute__(name)


class Failure(Exception, metaclass=Asked):
    pass


class Awaitable(metaclass=Asked):
    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        raise StopIteration("awaited")


@pytest.mark.parametrize("loop", LOOPS)
def test_classes_whose_class_answers_for_their_names(loop: str) -> None:
    """Of errors, of what is awaited, of a cancellation's message, of callbacks."""

    class Callback(metaclass=Asked):
        def __call__(self) -> None:
            called.set()

    class Message(metaclass=Asked):
        def __str__(self) -> str:
            raise ValueError

    def fail() -> None:
        raise Failure

    called = asyncio.Event()

    async def work() -> str:
        asyncio.get_running_loop().call_soon(Callback())
        await called.wait()
        return str(await Awaitable())

    async def doomed() -> None:
        await asyncio.sleep(9)

    async def raises() -> None:
        await asyncio.sleep(0)
        raise Failure

    async def program(log: Log) -> None:
        nonlocal called
        called = asyncio.Event()
        log.append(await work())
        task = asyncio.create_task(doomed())
        await asyncio.sleep(0)
        task.cancel(Message())  # type: ignore[arg-type]
        failed = await asyncio.gather(
            asyncio.create_task(raises()), asyncio.to_thread(fail), task, return_exceptions=True
        )
        log += [type.__dict__["__name__"].__get__(type(one)) for one in failed]

    assert both(program, loop, steps=6) == ["awaited", "Failure", "Failure", "CancelledError"]


class Future(asyncio.Future[Any]):
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_loopscope"):
            raise RuntimeError(name)
        super().__setattr__(name, value)


class Items(list[Any]):
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    __class__ = property(lambda self: 1 / 0)  # type: ignore[assignment]


@pytest.mark.parametrize("loop", LOOPS)
def test_futures_and_what_callbacks_belong_to(loop: str) -> None:
    async def program(log: Log) -> None:
        loop, items = asyncio.get_running_loop(), Items()
        for schedule in (loop.call_soon, lambda *call: loop.call_later(0.001, *call)):
            future = Future(loop=loop)
            schedule(items.append, 1)
            schedule(list.append, items, 2)
            schedule(future.set_result, "set")
            log.append(await future)
            timed = Future(loop=loop)
            schedule(asyncio.futures._set_result_unless_cancelled, timed, "by its argument")  # type: ignore[attr-defined]
            log.append(await timed)
        log.append(str(list(items)))

    assert both(program, loop, steps=4)[-1] == "[1, 2, 1, 2]"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_has_no_attribute_more(loop: str) -> None:
    """`uvloop.Loop` has none of its own: with one, all its methods would be slower."""

    async def main() -> None:
        attributes = vars(asyncio.get_running_loop())
        before = list(attributes)
        with recording() as story:
            assert await asyncio.create_task(quick()) == "quick"
            assert list(attributes) == before
        assert story.steps

    LOOPS[loop](main())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="a dict holds every object's attributes")
def test_a_selector_gets_no_dict_for_its_attributes() -> None:
    """They are slower in one: CPython makes it for who asks for `__dict__`."""

    async def main() -> None:
        selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
        with recording():
            await asyncio.create_task(quick())
            await asyncio.sleep(0)
            assert selector.select._loopscope_gate
            assert [held for held in gc.get_referents(selector) if type(held) is dict and "select" in held] == []

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["function", "method"])
def test_a_selector_with_a_select_of_its_own_keeps_it(kind: str) -> None:
    async def main() -> int:
        selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
        original, calls = selector.select, 0

        def select(*args: Any) -> Any:
            nonlocal calls
            calls += 1
            return original(*args[-1:])

        selector.select = own = MethodType(select, selector) if kind == "method" else select
        with recording() as story:
            assert await asyncio.create_task(quick()) == "quick"
            assert selector.select is own
        assert selector.select is own and story.steps
        del selector.select
        return calls

    assert asyncio.run(main()) > 0


class Looked(selectors.DefaultSelector):
    """Its class's `select` is another object each time that it is asked for."""

    select = functools.partialmethod(selectors.DefaultSelector.select)  # type: ignore[assignment]


def test_a_loop_that_ran_already_when_it_was_switched_on() -> None:
    """Its looks are seen, and no more once it has stopped."""
    selector = Looked()
    loop = asyncio.SelectorEventLoop(selector)
    instrumentor = LoopscopeInstrumentor()

    async def main() -> None:
        instrumentor.instrument(span_exporter=InMemorySpanExporter())
        await asyncio.create_task(quick())
        await asyncio.sleep(0)
        assert selector.select._loopscope_gate  # type: ignore[attr-defined]

    try:
        loop.run_until_complete(main())
        assert not hasattr(selector.select, "_loopscope_gate")
    finally:
        instrumentor.uninstrument()
        loop.close()
