"""Switching on and off while loops and tasks live, twice, and beneath another tool's wrapper: nothing is left, nothing is lost."""

from __future__ import annotations

import asyncio
import asyncio.base_events
import gc
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import uvloop
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from loopscope import LoopscopeInstrumentor, runtime
from loopscope.runtime import process
from loopscope.settings import Settings
from tests.conftest import WATCHED
from tests.scenarios.tasks import quick, sleeper, stuck
from tests.support import LOOPS, Story, plain, recording

loops = pytest.mark.parametrize("loop", LOOPS)

CLASSES: dict[str, type] = {"asyncio": asyncio.base_events.BaseEventLoop, "uvloop": uvloop.Loop}


def left(*things: Any) -> list[str]:
    """Our attributes on these objects."""
    names = ("_loopscope", "_loopscope_guard", "_loopscope_due", "_loopscope_label")
    return [f"{type(thing).__name__}.{name}" for thing in things for name in names if hasattr(thing, name)]


@loops
def test_nothing_is_left_on_a_living_loop_and_its_tasks(loop: str) -> None:
    async def main() -> None:
        running = asyncio.get_running_loop()
        early = asyncio.create_task(stuck())
        await asyncio.sleep(0)
        with recording() as story:
            waiting, queued = asyncio.create_task(stuck()), asyncio.create_task(sleeper())
            early.get_coro()
            await sleeper()
            ready = asyncio.create_task(quick())
            tasks = (early, waiting, queued, ready, asyncio.current_task())
            assert left(*tasks), "then there is nothing to remove"
        assert len(story.steps) >= 2
        assert left(running, *tasks) == []
        assert await queued == "slept"
        assert await ready == "quick"
        assert left(running, *tasks) == []
        early.cancel()
        waiting.cancel()

    LOOPS[loop](main())


def test_a_start_that_fails_half_way_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixture compares the attributes that it replaces; with it off, it can be started."""

    def refuse() -> None:
        raise ImportError("half way")

    heard = list(gc.callbacks)
    with monkeypatch.context() as patch, pytest.raises(ImportError, match="half way"):
        patch.setattr(process, "_watch_uvloop", refuse)
        runtime.start(Settings(), span_exporter=InMemorySpanExporter())
    assert runtime.current() is None and gc.callbacks == heard
    asyncio.run(quick())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("loopscope")]
    with recording() as story:
        asyncio.run(quick())
    assert len(story.steps) == 1


def test_nothing_is_left_in_the_process() -> None:
    """Attributes of classes and modules, import hooks, threads, modules' globals that name a runtime."""

    def state() -> list[Any]:
        places = [{name: vars(owner).get(name) for name in dir(owner)} for owner, _ in WATCHED]
        return [*places, list(sys.meta_path), {thread.name for thread in threading.enumerate()}]

    with recording():  # what is installed once for good: a hook on exits and one on imports
        asyncio.run(sleeper())
    before = state()
    with recording() as story:
        asyncio.run(sleeper())
        assert state() != before
    assert story.steps
    assert state() == before
    gc.collect()
    from loopscope.capture.core import Core
    from loopscope.runtime import Runtime

    assert [thing for thing in gc.get_objects() if type(thing) is Runtime] == []
    assert [thing for thing in gc.get_objects() if type(thing) is Core] == []


@loops
def test_off_while_tasks_are_queued(loop: str) -> None:
    """Each queued step runs once, in its order; what is queued when it is switched off passes through."""
    ran: list[str] = []

    async def step(name: str) -> None:
        ran.append(f"{name} 1")
        await asyncio.sleep(0)
        ran.append(f"{name} 2")

    async def main() -> None:
        running = asyncio.get_running_loop()
        task = asyncio.create_task(step("before"))
        with recording():
            tasks = [asyncio.create_task(step(name)) for name in "ab"]
            running.call_soon(ran.append, "callback")
            running.call_soon_threadsafe(ran.append, "threadsafe")
            running.call_later(0, ran.append, "timer")
        tasks.append(asyncio.create_task(step("after")))
        await asyncio.gather(task, *tasks)
        await asyncio.sleep(0.002)

    LOOPS[loop](main())
    ran.remove("timer")
    ran.remove("threadsafe")
    assert ran == [
        "before 1", "a 1", "b 1", "callback", "after 1", "before 2", "a 2", "b 2", "after 2",
    ]  # fmt: skip


@loops
def test_off_and_on_again_in_mid_life(loop: str) -> None:
    """The second time a task has a span as the first time, and another one."""

    async def main() -> tuple[Story, Story]:
        turn, done = asyncio.Event(), asyncio.Event()

        async def lives() -> None:
            while not done.is_set():
                await turn.wait()
                turn.clear()

        async def turns(count: int) -> None:
            for _ in range(count):
                turn.set()
                await asyncio.sleep(0)
                await asyncio.sleep(0)

        task = asyncio.create_task(lives())
        await asyncio.sleep(0)
        with recording() as first:
            await turns(2)
        await turns(3)
        with recording() as second:
            await turns(2)
            done.set()
            turn.set()
            await task
        return first, second

    first, second = LOOPS[loop](main())
    told = [
        (task.name.split(".")[-1], task.attributes["asyncio.task.state"], len(story.steps_of(task)))
        for story in (first, second)
        for task in story.tasks
    ]
    assert [line for line in told if line[0] == "lives"] == [("lives", "waiting", 2), ("lives", "returned", 3)]


@loops
def test_twice(loop: str) -> None:
    """The second `instrument` and the second `uninstrument` do nothing; after both a third works as the first."""
    original = vars(CLASSES[loop]).get("call_soon")
    instrumentor = LoopscopeInstrumentor()
    counts = []
    for _ in range(2):
        exporter = InMemorySpanExporter()
        instrumentor.instrument(span_exporter=exporter)
        installed = vars(CLASSES[loop])["call_soon"]
        assert installed is not original
        instrumentor.instrument(span_exporter=exporter)
        assert vars(CLASSES[loop])["call_soon"] is installed
        LOOPS[loop](sleeper())
        instrumentor.uninstrument()
        instrumentor.uninstrument()
        assert vars(CLASSES[loop]).get("call_soon") is original
        counts.append([plain(span).name for span in exporter.get_finished_spans()])
    assert sorted(counts[0]) == ["step sleeper", "step sleeper", "task sleeper"]
    assert counts[1] == counts[0]


def _wrapped(seen: list[Any], original: Callable[..., Any]) -> Callable[..., Any]:
    """What another tool puts around call_soon."""

    def call_soon(self: Any, callback: Any, *args: Any, context: Any = None) -> Any:
        handle = original(self, callback, *args, context=context)
        seen.append(handle)
        return handle

    return call_soon


@loops
def test_beneath_another_tool(loop: str) -> None:
    """Its wrapper stays where it is; ours, which it calls, passes everything through and records nothing."""
    kind = CLASSES[loop]
    original, seen = vars(kind).get("call_soon"), list[Any]()
    try:
        with recording() as story:
            ours = kind.call_soon  # type: ignore[attr-defined]
            theirs = _wrapped(seen, ours)
            kind.call_soon = theirs  # type: ignore[attr-defined]
            LOOPS[loop](sleeper())
        assert [step.name for step in story.steps] == ["step sleeper", "step sleeper"]
        assert vars(kind)["call_soon"] is theirs

        recorded = len(story.spans)
        seen.clear()
        tasks = list[Any]()

        async def main() -> str:
            tasks[:] = asyncio.current_task(), asyncio.create_task(sleeper())
            return await tasks[1]  # type: ignore[no-any-return]

        assert LOOPS[loop](main()) == "slept"
        assert len(seen) >= 4 and len(story.spans) == recorded
        assert left(*tasks) == []
        if loop == "asyncio":  # a uvloop handle shows no callback
            kinds = {type(handle._callback).__module__ for handle in seen if handle._callback is not None}
            assert not any(module.startswith("loopscope") for module in kinds)

        with recording() as again:
            assert LOOPS[loop](main()) == "slept"
        assert [step.name.split(".")[-1] for step in again.steps] == ["main", "step sleeper", "step sleeper", "main"]
        assert vars(kind)["call_soon"] is theirs
    finally:
        if original is None:
            del kind.call_soon  # type: ignore[attr-defined]
        else:
            kind.call_soon = original  # type: ignore[attr-defined]


def test_off_in_another_thread() -> None:
    """A loop that runs in another thread than the one that switches off goes on."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)

    async def ticks(count: int) -> str:
        for _ in range(count):
            await asyncio.sleep(0)
        return "ticked"

    thread.start()
    try:
        for _ in range(5):
            with recording() as story:
                future = asyncio.run_coroutine_threadsafe(ticks(2_000), loop)
                assert asyncio.run_coroutine_threadsafe(sleeper(), loop).result(10) == "slept"
            assert future.result(10) == "ticked"
            assert any(step.name.endswith("sleeper") for step in story.steps)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
