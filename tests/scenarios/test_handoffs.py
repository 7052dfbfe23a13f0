"""Executor hand-offs: queue time apart from run time, the thread, the error, and whose span holds them."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from tests.ground.spans import Span
from tests.support import LOOPS, Story, checked, plain, recording

loops = pytest.mark.parametrize("loop", LOOPS)


def work(seconds: float = 0.0) -> int:
    """Runs in a thread, and tells which."""
    time.sleep(seconds)
    return threading.get_ident()


def pid() -> int:
    """Runs in a process, and tells which."""
    return os.getpid()


def fails() -> None:
    """Raises in a thread."""
    raise ValueError("no")


def handed(story: Story) -> list[Span]:
    """The executor spans, by start."""
    return [span for span in story.spans if span.name.startswith("executor ")]


def queued(span: Span) -> float:
    """Seconds that a function waited for a thread."""
    return float(span.attributes["asyncio.executor.queue.duration"])


def ran(span: Span) -> float:
    """Seconds that it ran."""
    return float(span.attributes["asyncio.executor.running.duration"])


@loops
@pytest.mark.parametrize("way", ["to_thread", "default pool", "own pool", "submit"])
def test_thread_pools(loop: str, way: str) -> None:
    async def main() -> int:
        running = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "own") as pool:
            if way == "to_thread":
                return await asyncio.to_thread(work)
            if way == "default pool":
                return await running.run_in_executor(None, functools.partial(work, 0.001))
            if way == "own pool":
                return await running.run_in_executor(pool, contextvars.copy_context().run, work)
            return await asyncio.wrap_future(pool.submit(work))

    story = checked(main, loop)
    (span,) = handed(story)
    main_span = story.task("main")
    assert (span.name, span.parent_id, span.trace_id) == ("executor work", main_span.span_id, main_span.trace_id)
    assert span.attributes["thread.id"] == story.result  # type: ignore[attr-defined]
    assert span.attributes["thread.name"].startswith(
        "own" if way in ("own pool", "submit") else ("asyncio_", "uvloop_")
    )
    assert span.attributes["code.function.name"] == f"{__name__}.work"
    assert span.attributes["asyncio.step.index"] == 0
    assert abs(queued(span) + ran(span) - (span.end - span.start) / 1e9) < 1e-6
    assert story.steps[0].start <= span.start <= story.steps[0].end
    assert span.status_code == "UNSET"


@loops
def test_an_exhausted_pool(loop: str) -> None:
    """The second function waits for the first: time in the queue, not at work."""

    async def main() -> None:
        running = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            await asyncio.gather(*[running.run_in_executor(pool, work, 0.03) for _ in range(2)])

    first, second = sorted(handed(checked(main, loop)), key=queued)
    assert ran(first) >= 0.03 and ran(second) >= 0.03
    assert queued(second) - queued(first) >= 0.025, "the time that the first one ran"


@loops
def test_one_that_raises(loop: str) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="no"):
            await asyncio.to_thread(fails)

    (span,) = handed(checked(main, loop))
    assert (span.status_code, span.attributes["error.type"]) == ("ERROR", "ValueError")


@loops
def test_the_step_s_record_comes_first_or_last(loop: str) -> None:
    """A function that ends while its step still runs, and one that outlives its task."""

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(work).result()

            async def submits() -> None:
                pool.submit(work, 0.02)

            await asyncio.create_task(submits())
            await asyncio.sleep(0.01)

    story = checked(main, loop)
    assert [story.by_id(span.parent_id).name.split(".")[-1] for span in handed(story)] == ["main", "submits"]


@loops
def test_in_the_request_s_trace(loop: str) -> None:
    """Under the task span of the visit that submitted; the function's own span stays where it is without loopscope."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("app")

    def opens_a_span() -> None:
        with tracer.start_as_current_span("inside"):
            pass

    async def main() -> None:
        with tracer.start_as_current_span("request"):
            await asyncio.to_thread(opens_a_span)
            await asyncio.get_running_loop().run_in_executor(None, opens_a_span)

    story = checked(main, loop)
    theirs = {
        span.name: span
        for span in map(plain, exporter.get_finished_spans())
        if span.parent_id or span.name == "request"
    }
    first, second = handed(story)
    request = theirs["request"]
    assert {first.trace_id, second.trace_id} == {request.trace_id}
    assert story.by_id(first.parent_id).name.endswith("main") and first.parent_id == second.parent_id
    assert theirs["inside"].parent_id == request.span_id, "to_thread took the context along"
    loose = [s for s in exporter.get_finished_spans() if s.name == "inside" and s.parent is None]
    assert len(loose) == 1, "run_in_executor did not"


@loops
def test_sampled_out(loop: str) -> None:
    tracer = TracerProvider(sampler=ALWAYS_OFF).get_tracer("app")

    async def main() -> None:
        with tracer.start_as_current_span("request"):
            await asyncio.to_thread(work)

    assert handed(checked(main, loop)) == []


@loops
def test_without_step_spans(loop: str) -> None:
    async def main() -> None:
        await asyncio.to_thread(work)

    story = checked(main, loop, detail="tasks")
    assert [span.name.split(".")[-1] for span in story.spans if not span.name.endswith("main")] == ["executor work"]


@loops
def test_a_process_pool(loop: str) -> None:
    """Timed from submission to done; nothing of it is looked into."""

    async def main() -> int:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return await asyncio.get_running_loop().run_in_executor(pool, pid)

    story = checked(main, loop)
    assert story.result != os.getpid()  # type: ignore[attr-defined]
    (span,) = handed(story)
    assert (span.name, span.parent_id) == ("executor pid", story.task("main").span_id)
    assert not {"thread.id", "asyncio.executor.queue.duration"} & span.attributes.keys()
    assert story.steps[0].start <= span.start < span.end <= story.steps[-1].start


@loops
def test_cancelled_in_the_queue(loop: str) -> None:
    """It never runs: there is no span."""

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            busy = pool.submit(work, 0.02)
            assert pool.submit(fails).cancel()
            await asyncio.wrap_future(busy)

    assert [span.name for span in handed(checked(main, loop))] == ["executor work"]


def test_not_from_a_step() -> None:
    """What is submitted from elsewhere belongs to nobody."""

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            asyncio.get_running_loop().call_soon(pool.submit, work)
            await asyncio.sleep(0.001)

    with recording() as story, ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()
        asyncio.run(main())
    assert handed(story) == []


class Nameless:
    """A callable whose name cannot be asked for."""

    def __init__(self, name: Any) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name not in ("__qualname__", "func"):
            raise AttributeError(name)
        if self._name is RuntimeError:
            raise RuntimeError("no name")
        return self._name

    def __call__(self) -> str:
        return "called"


@pytest.mark.parametrize("name", [RuntimeError, 7, None, b"bytes"])
@loops
def test_names_that_raise_or_are_not_text(loop: str, name: Any) -> None:
    async def main() -> str:
        return await asyncio.get_running_loop().run_in_executor(None, Nameless(name))

    story = checked(main, loop)
    assert story.result == "called"  # type: ignore[attr-defined]
    assert [span.name.startswith("executor ") for span in handed(story)] == [True]
    assert story.task("main").attributes["asyncio.task.state"] == "returned", "and it is still on"


def test_a_foreign_executor() -> None:
    """Not a pool of the standard library's."""

    class Executor(ThreadPoolExecutor):
        def submit(self, function: Any, /, *args: Any, **options: Any) -> Any:
            future: Future[Any] = Future()
            threading.Timer(0.01, lambda: future.set_result(function(*args))).start()
            return future

    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(Executor(), work)

    (span,) = handed(checked(main, "asyncio"))
    assert (span.end - span.start) / 1e9 >= 0.01 and "thread.id" not in span.attributes
    assert trace.get_current_span() is trace.INVALID_SPAN
