"""What dies, dies as early as without loopscope and on the same thread; nothing becomes garbage; nothing grows."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import sys
import threading
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from loopscope import LoopscopeInstrumentor, runtime
from tests.noninterference.both import Log, both, handler, uncollected
from tests.scenarios.tasks import quick, sleeper
from tests.support import LOOPS, new_event_loop, recording

loops = pytest.mark.parametrize("loop", LOOPS)


class Oops(Exception):
    """Takes weak references, unlike the built-in ones."""


class Thing:
    """Writes its death into a log, and whether that was on another thread."""

    def __init__(self, log: Log, name: str) -> None:
        self._log, self.name, self._thread = log, name, threading.get_ident()

    def __del__(self) -> None:
        self._log.append(f"{self.name} dies{'' if threading.get_ident() == self._thread else ' elsewhere'}")

    def method(self, *_: object) -> None:
        """A callback."""
        self._log.append(f"{self.name} is called")


def tell(log: Log, thing: object, name: str) -> None:
    """Have the death of any other object written."""
    weakref.finalize(thing, log.append, f"{name} dies").atexit = False


@loops
def test_locals_of_a_task(loop: str) -> None:
    async def program(log: Log) -> None:
        async def child() -> None:
            first = Thing(log, "first")
            await asyncio.sleep(0)
            del first
            second = Thing(log, "second")
            await asyncio.sleep(0.001)
            log.append(f"{second.name} ends")

        task = asyncio.create_task(child())
        task.add_done_callback(lambda _: log.append("done"))
        await task
        log.append("awaited")

    assert both(program, loop, steps=5) == ["first dies", "second ends", "second dies", "done", "awaited"]


@loops
def test_tasks_and_coroutines(loop: str) -> None:
    async def program(log: Log) -> None:
        coroutine = sleeper()
        task = asyncio.create_task(coroutine)
        tell(log, coroutine, "coroutine")
        tell(log, task, "task")
        del coroutine
        await task
        log.append("awaited")
        await asyncio.sleep(0)
        log.append("a turn later")
        del task
        log.append("let go")

        task = asyncio.create_task(quick())
        tell(log, task, "forgotten")
        asyncio.get_running_loop().call_soon(log.append, "next callback")
        del task
        await asyncio.sleep(0)
        log.append("end")

    assert both(program, loop, steps=6) == [
        "awaited", "a turn later", "task dies", "coroutine dies", "let go", "forgotten dies", "next callback", "end",
    ]  # fmt: skip


@loops
def test_results_and_exceptions(loop: str) -> None:
    async def program(log: Log) -> None:
        async def gives() -> Thing:
            return Thing(log, "result")

        async def fails() -> None:
            thing = Thing(log, "local of the failing")
            await asyncio.sleep(0)
            raise Oops(thing.name)

        task: asyncio.Task[Any] = asyncio.create_task(gives())
        await task
        log.append("awaited")
        await asyncio.sleep(0)  # the handle of the step that it woke holds it
        del task
        log.append("let go")
        task = asyncio.create_task(fails())
        await asyncio.wait([task])
        error = task.exception()
        assert error is not None
        tell(log, error, "exception")
        await asyncio.sleep(0)
        del task
        log.append("task let go")
        del error
        log.append("end")

    assert both(program, loop, steps=5) == [
        "awaited", "result dies", "let go",
        "task let go", "exception dies", "local of the failing dies", "end",
    ]  # fmt: skip


@loops
def test_cancelled(loop: str) -> None:
    async def program(log: Log) -> None:
        async def waits() -> None:
            thing = Thing(log, "local")
            await asyncio.get_running_loop().create_future()
            del thing

        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        task.cancel()
        log.append("cancelled")
        await asyncio.wait([task])
        await asyncio.sleep(0)
        log.append("over")
        tell(log, task, "task")
        del task
        log.append("end")

    assert both(program, loop, steps=4) == ["cancelled", "over", "task dies", "local dies", "end"]


@loops
def test_context_of_a_task(loop: str) -> None:
    variable: contextvars.ContextVar[Thing] = contextvars.ContextVar("variable")

    async def program(log: Log) -> None:
        async def child() -> None:
            variable.set(Thing(log, "value"))
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)

        task = asyncio.create_task(child())
        await task
        log.append("awaited")
        await asyncio.sleep(0)
        del task
        log.append("let go")

    assert both(program, loop, steps=5) == ["awaited", "value dies", "let go"]


@loops
def test_opentelemetry_context(loop: str) -> None:
    """Values and spans that only a task's OpenTelemetry context holds; no processor keeps a span."""
    tracer = TracerProvider().get_tracer("app")

    async def program(log: Log) -> None:
        async def holds() -> None:
            otel.attach(otel.set_value("key", Thing(log, "value")))
            await asyncio.sleep(0)
            otel.attach(otel.set_value("key", Thing(log, "another value")))
            await asyncio.sleep(0.001)

        async def works() -> None:
            with tracer.start_as_current_span("inner") as span:
                tell(log, span, "inner")
                del span
                await asyncio.sleep(0)
            log.append("left inner")
            otel.attach(trace.set_span_in_context(made := tracer.start_span("kept")))
            tell(log, made, "kept")
            made.end()
            del made
            await asyncio.sleep(0)

        for function in (holds, works):
            task = asyncio.create_task(function())
            await task
            log.append("awaited")
            await asyncio.sleep(0)
            del task
            log.append("let go")

    assert both(program, loop, steps=5) == [
        "value dies", "awaited", "another value dies", "let go",
        "inner dies", "left inner", "awaited", "kept dies", "let go",
    ]  # fmt: skip


@loops
def test_callbacks(loop: str) -> None:
    """The callable of a handle dies with its call, or with its cancellation."""

    async def program(log: Log) -> None:
        running = asyncio.get_running_loop()
        done = asyncio.create_task(quick())
        await done
        handles = [
            running.call_later(1000, Thing(log, "timer").method),
            running.call_at(running.time() + 1000, functools.partial(print, Thing(log, "timer's argument"))),
            running.call_soon(Thing(log, "soon").method),
            running.call_soon(Thing(log, "after a task").method, done),
        ]
        for handle in handles:
            handle.cancel()
        del handle, handles
        log.append("cancelled")
        running.call_soon(Thing(log, "soon").method)
        running.call_soon(Thing(log, "after a task").method, done)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        log.append("called")
        running.call_later(0.001, Thing(log, "timer").method)
        await asyncio.sleep(0.02)
        log.append("called")

    log = both(program, loop, steps=4)
    assert [line for line in log if "argument" not in line] == [
        "timer dies", "soon dies", "after a task dies", "cancelled",
        "soon is called", "soon dies", "after a task is called", "after a task dies", "called",
        "timer is called", "timer dies", "called",
    ]  # fmt: skip


@loops
def test_callback_that_raises(loop: str) -> None:
    """Somebody keeps its exception: the traceback holds no more than without us."""

    async def program(log: Log) -> None:
        kept: list[BaseException] = []
        running = asyncio.get_running_loop()
        running.set_exception_handler(lambda _, context: kept.append(context["exception"]))

        def raises(*_: object) -> None:
            raise ValueError("no")

        for name, schedule in (("timer", functools.partial(running.call_later, 0.001)), ("soon", running.call_soon)):
            callback = functools.partial(raises)
            tell(log, callback, f"{name}'s callback")
            schedule(callback)
            del callback
            await asyncio.sleep(0.02)
            log.append(f"{len(kept)} kept")

    # asyncio's own frame in that traceback holds the handle until a collection
    of_asyncio = ["1 kept", "2 kept"]
    of_uvloop = ["timer's callback dies", "1 kept", "soon's callback dies", "2 kept"]
    assert both(program, loop, steps=3) == (of_asyncio if loop == "asyncio" else of_uvloop)


@loops
def test_submitted_from_a_thread(loop: str) -> None:
    async def program(log: Log) -> None:
        running, called = asyncio.get_running_loop(), asyncio.Event()
        thing = Thing(log, "thing")
        todo = [thing.method]
        del thing
        handles: list[asyncio.Handle] = []

        def submit() -> None:
            handles.append(running.call_soon_threadsafe(todo.pop()))
            running.call_soon_threadsafe(called.set)

        thread = threading.Thread(target=submit)
        thread.start()
        thread.join()
        await called.wait()
        log.append("called")
        handles.clear()
        log.append("end")

    assert both(program, loop, steps=2)[-1] == "end"


@loops
def test_awaited_futures(loop: str) -> None:
    async def program(log: Log) -> None:
        running = asyncio.get_running_loop()
        future = running.create_future()
        tell(log, future, "future")

        async def waits(future: asyncio.Future[Thing]) -> None:
            await future
            log.append("woken")

        task = asyncio.create_task(waits(future))
        await asyncio.sleep(0)
        future.set_result(Thing(log, "result"))
        del future
        await task
        log.append("awaited")

    assert both(program, loop, steps=4) == ["woken", "future dies", "result dies", "awaited"]


@loops
@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in 3.12")
def test_eager_tasks(loop: str) -> None:
    if loop == "uvloop" and sys.version_info >= (3, 13):
        pytest.skip("uvloop makes no eager task there")

    async def program(log: Log) -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        asyncio.get_running_loop().set_exception_handler(handler(log, without=("future", "task", "source_traceback")))

        async def child(steps: int, fails: bool) -> None:
            thing = Thing(log, "local")
            for _ in range(steps):
                await asyncio.sleep(0)
            if fails:
                raise ValueError(thing.name)

        for steps in (0, 1):
            for fails in (False, True):
                task = asyncio.create_task(child(steps, fails))
                tell(log, task, f"task of {steps}")
                log.append("created")
                for _ in range(3):
                    await asyncio.sleep(0)
                log.append("slept")
                del task
                log.append("let go")

    told = ["exception: local", "message: Task exception was never retrieved"]
    # up to 3.13 the traceback of an eager first step holds asyncio's own frame, and that the task
    at_once = [*told, "task of 0 dies", "local dies"] if sys.version_info >= (3, 14) else []
    assert both(program, loop, steps=6) == [
        "local dies", "created", "slept", "task of 0 dies", "let go",
        "created", "slept", *at_once, "let go",
        "created", "local dies", "slept", "task of 1 dies", "let go",
        "created", "slept", *told, "task of 1 dies", "local dies", "let go",
    ]  # fmt: skip


async def busy(count: int) -> None:
    """Tasks of every end, and steps of many kinds."""
    running = asyncio.get_running_loop()

    async def one(number: int) -> None:
        await asyncio.sleep(0)
        if number % 16 == 0:
            await asyncio.sleep(0.0001)
        if number % 64 == 1:
            await running.run_in_executor(None, int)
        if number % 4 == 2:
            raise ValueError(number)
        if number % 4 == 3:
            await running.create_future()

    for start in range(0, count, 100):
        tasks = [asyncio.create_task(one(number)) for number in range(start, start + 100)]
        await asyncio.sleep(0.001)
        for task in tasks[3::4]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@loops
def test_no_garbage(loop: str) -> None:
    """A collection finds no more of many tasks than of few, nor than without us."""

    def garbage(count: int) -> int:
        with uncollected():
            LOOPS[loop](busy(count))
            return gc.collect()

    garbage(200)
    without = [garbage(200), garbage(800)]
    with recording() as story:
        garbage(200)
        with_it = [garbage(200), garbage(800)]
        runtime.flush()
    assert len(story.steps) > 2000
    assert with_it == without


class Nowhere(SpanExporter):
    """Counts spans and keeps none."""

    count = 0

    def export(self, spans: Any) -> SpanExportResult:
        """See SpanExporter."""
        self.count += len(spans)
        return SpanExportResult.SUCCESS


def test_no_growth() -> None:
    """No more blocks of memory are in use after 120,000 tasks than after 60,000: a third of a block a task would show.

    What is remembered of ended tasks comes and goes by generations: so the least of three looks is compared.
    """
    from loopscope import LoopscopeInstrumentor

    exporter = Nowhere()
    LoopscopeInstrumentor().instrument(span_exporter=exporter)
    try:
        used = []
        for _ in range(6):
            asyncio.run(busy(20_000))
            assert runtime.flush(60)
            gc.collect()
            used.append(sys.getallocatedblocks())
        counts = runtime.statistics()
    finally:
        LoopscopeInstrumentor().uninstrument()
    assert counts["recording"] and not counts["errors"]
    assert exporter.count > 20_000
    assert min(used[3:]) - min(used[:3]) < 20_000, used


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
@loops
def test_a_step_that_ends_the_program(loop: str, kind: type[BaseException]) -> None:
    """The task, its coroutine and its locals die as early where a SystemExit went through the loop."""

    def ends(log: Log) -> None:
        async def leaves() -> None:
            thing = Thing(log, "local")
            await asyncio.sleep(0)
            raise kind(thing.name)

        running = new_event_loop(loop)
        task = running.create_task(leaves())
        tell(log, task, "task")
        tell(log, task.get_coro(), "coroutine")
        del task
        try:
            running.run_forever()
        except kind as error:
            log.append(f"caught {error}")
            error.__traceback__ = None
            log.append("traceback dropped")
        log.append("left")
        running.close()
        log.append("closed")

    without: Log = []
    with_it: Log = []
    with uncollected():
        ends(without)
    with uncollected(), recording() as story:
        ends(with_it)
    assert with_it == without
    assert len(story.steps) == 2


#: how many Cycles were freed, by thread
freed: Counter[str] = Counter()


class Cycle:
    """Garbage that only the collector frees."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        freed[threading.current_thread().name] += 1


def test_the_applications_garbage_is_collected_on_its_own_threads(tmp_path: Path) -> None:
    """While the background thread makes spans; for no more than some steps is the collector off for the application.

    It took a tenth of it before it kept from it. While it writes or imports it may still be the one, and one collection
    of a busy machine's may free hundreds: the best of some runs tells.
    """
    off = 0

    async def main() -> None:
        nonlocal off
        until = asyncio.get_running_loop().time() + 2
        while asyncio.get_running_loop().time() < until:
            Cycle()
            await asyncio.gather(*(quick() for _ in range(20)))
            await asyncio.sleep(0.001)
            for _ in range(20):  # our thread may be stopped in its midst again
                if gc.isenabled():
                    break
                off += 1
                await asyncio.sleep(0)
            assert gc.isenabled()

    def elsewhere() -> float:
        freed.clear()
        instrumentor = LoopscopeInstrumentor()
        instrumentor.instrument(trace_file=tmp_path / "trace.jsonl", max_spans_per_second=1_000_000)
        try:
            asyncio.run(main())
        finally:
            instrumentor.uninstrument()
        gc.collect()
        assert freed.total() > 200
        return 1 - freed[threading.current_thread().name] / freed.total()

    assert any(elsewhere() < 0.03 for _ in range(4))
    assert off < 50 and gc.isenabled()


def test_an_application_that_collects_nothing() -> None:
    """It has switched the collector off: it stays so."""

    async def main() -> None:
        gc.disable()
        for _ in range(100):
            await asyncio.sleep(0.005)
            assert not gc.isenabled()

    try:
        with recording():
            asyncio.run(main())
        assert not gc.isenabled()
    finally:
        gc.enable()
