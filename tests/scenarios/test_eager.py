"""Eager tasks: the first step runs inside the creator's, before create_task returns."""

from __future__ import annotations

import asyncio
import collections.abc
import contextvars
import gc
import sys
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from loopscope import runtime
from loopscope.capture import cores
from loopscope.pipeline.spans.tracer import LINGER
from tests.scenarios.tasks import quick
from tests.support import Story, check_sums, family, record, recording

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")

# uvloop 0.23: eager on 3.12, a TypeError on 3.13, silently not eager on 3.14 and later: see test_uvloop.


def _eager(main: Any) -> Story:
    async def with_factory() -> Any:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        try:
            return await main()
        finally:
            asyncio.get_running_loop().set_task_factory(None)

    story = record(with_factory)
    check_sums(story)
    return story


def _inside(story: Story, inner: str, outer: str) -> bool:
    first, holder = story.steps_of(inner)[0], story.steps_of(outer)[0]
    return holder.start <= first.start and first.end <= holder.end


class Wrapped(collections.abc.Coroutine[Any, Any, Any]):
    """A coroutine that does not say whether it runs."""

    def __init__(self, inner: Any) -> None:
        self.send, self.throw, self.close = inner.send, inner.throw, inner.close  # type: ignore[method-assign]

    def send(self, value: Any) -> Any: ...

    def throw(self, *error: Any) -> Any: ...

    def __await__(self) -> Any: ...


@pytest.mark.parametrize("waits", [True, False])
def test_a_task_that_is_constructed_in_a_first_step_of_an_unknown_kind(waits: bool) -> None:
    """The step is the eager task's, whatever is met within it first."""
    made: list[Any] = []

    async def parent() -> None:
        made.append(asyncio.Task(quick(), name="child"))
        if waits:
            await asyncio.sleep(0.001)

    async def main() -> None:
        await asyncio.create_task(Wrapped(parent()), name="parent")
        await made[0]

    story = _eager(main)
    spans = {span.attributes["asyncio.task.name"]: span for span in story.tasks}
    eager, child = spans["parent"], spans["child"]
    assert _inside(story, "Wrapped", "with_factory")
    assert [len(story.steps_of(span)) for span in (eager, child)] == [1 + waits, 1]
    assert (eager.parent_id, child.parent_id) == (story.task("with_factory").span_id, eager.span_id)
    assert child.attributes["asyncio.task.creator.name"] == "parent"
    assert not [name for name, span in spans.items() if "asyncio.task.seen_late" in span.attributes]


def test_a_task_of_another_loop_that_is_made_in_a_first_step() -> None:
    """Its creator is the eager task; or, where a task factory makes it, the task that creates."""
    other = asyncio.new_event_loop()

    def factory(loop: Any, coroutine: Any, **options: Any) -> Any:
        asyncio.Task(quick(), loop=other, name="by factory")
        return asyncio.Task(coroutine, loop=loop, **options)

    async def eager() -> None:
        other.create_task(quick(), name="by eager")
        await asyncio.sleep(0)

    async def plain() -> None: ...

    async def main() -> None:
        await asyncio.create_task(eager(), name="eager")
        asyncio.get_running_loop().set_task_factory(factory)
        await asyncio.create_task(plain(), name="plain")
        await asyncio.to_thread(other.run_until_complete, _nothing())
        other.close()

    story = _eager(main)
    creators = {
        span.attributes["asyncio.task.name"]: span.attributes.get("asyncio.task.creator.name") for span in story.tasks
    }
    outer = story.task("with_factory").attributes["asyncio.task.name"]
    assert (creators["by eager"], creators["by factory"]) == ("eager", outer)
    assert (creators["eager"], creators["plain"]) == (outer, outer)


async def _nothing() -> None:
    await asyncio.sleep(0)


def test_finished_in_the_first_step() -> None:
    async def main() -> str:
        task = asyncio.create_task(quick(), name="eager")
        assert task.done()
        return await task

    story = _eager(main)
    assert story.result == "quick"  # type: ignore[attr-defined]
    assert story.lines() == ["with_factory 0: start > returned", "quick 0: start by with_factory > returned"]
    assert family(story) == ["with_factory: returned", "quick: returned under with_factory by with_factory"]
    assert story.task("quick").attributes["asyncio.task.name"] == "eager"
    assert story.steps_of("quick")[0].attributes["asyncio.step.ready.duration"] == 0
    assert _inside(story, "quick", "with_factory")


def test_suspended_in_the_first_step() -> None:
    async def waiter(event: asyncio.Event) -> None:
        await event.wait()

    async def main() -> None:
        event = asyncio.Event()
        task = asyncio.create_task(waiter(event))
        await asyncio.sleep(0)
        event.set()
        await task

    story = _eager(main)
    assert story.lines() == [
        "with_factory 0: start > yielded",
        "waiter 0: start by with_factory > suspended asyncio.Event.wait",
        "with_factory 1: yield > suspended task waiter",
        "waiter 1: task by with_factory > returned",
        "with_factory 2: task by waiter > returned",
    ]
    assert family(story) == ["with_factory: returned", "waiter: returned under with_factory by with_factory"]
    assert _inside(story, "waiter", "with_factory")


def test_yielded_in_the_first_step() -> None:
    async def yielding() -> None:
        await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.create_task(yielding())

    assert _eager(main).lines() == [
        "with_factory 0: start > suspended task yielding",
        "yielding 0: start by with_factory > yielded",
        "yielding 1: yield > returned",
        "with_factory 1: task by yielding > returned",
    ]


def test_raised_in_the_first_step() -> None:
    async def failing() -> None:
        raise LookupError

    async def main() -> None:
        with pytest.raises(LookupError):
            await asyncio.create_task(failing())

    story = _eager(main)
    assert story.lines() == ["with_factory 0: start > returned", "failing 0: start by with_factory > raised"]
    assert family(story)[1] == "failing: raised ERROR LookupError under with_factory by with_factory"


def test_nested() -> None:
    async def inner() -> None:
        await asyncio.sleep(0.001)

    async def outer() -> None:
        await asyncio.create_task(inner())

    async def main() -> None:
        await asyncio.create_task(outer())

    story = _eager(main)
    assert story.lines() == [
        "with_factory 0: start > suspended task outer",
        "outer 0: start by with_factory > suspended task inner",
        "inner 0: start by outer > suspended asyncio.sleep",
        "inner 1: timer > returned",
        "outer 1: task by inner > returned",
        "with_factory 1: task by outer > returned",
    ]
    assert family(story) == [
        "with_factory: returned",
        "outer: returned under with_factory by with_factory",
        "inner: returned under outer by outer",
    ]
    assert _inside(story, "inner", "outer") and _inside(story, "outer", "with_factory")


def test_children_created_after_the_factory_was_taken_off() -> None:
    async def child() -> None:
        pass

    async def parent() -> None:
        asyncio.get_running_loop().set_task_factory(None)
        await asyncio.create_task(child())

    async def main() -> None:
        await asyncio.create_task(parent())

    story = _eager(main)
    assert story.lines() == [
        "with_factory 0: start > suspended task parent",
        "parent 0: start by with_factory > suspended task child",
        "child 0: start by parent > returned",
        "parent 1: task by child > returned",
        "with_factory 1: task by parent > returned",
    ]
    assert family(story)[2] == "child: returned under parent by parent"


@pytest.mark.skipif(sys.version_info < (3, 14), reason="create_task takes eager_start since 3.14")
def test_eager_start() -> None:
    async def main() -> None:
        assert asyncio.create_task(quick(), eager_start=True).done()  # type: ignore[call-arg]
        await asyncio.create_task(quick())

    story = record(main)
    assert story.lines() == [
        "main 0: start > suspended task quick",
        "quick 0: start by main > returned",
        "quick 0: start by main > returned",
        "main 1: task by quick > returned",
    ]
    assert [task.parent_id for task in story.tasks[1:]] == [story.task("main").span_id] * 2
    check_sums(story)


#: those that can be loaded here: tasks that their class starts by itself are seen by the native one alone
CORES = sorted({cores.choose(name).core.name for name in (cores.PYTHON, cores.NATIVE)})


async def waits() -> str:
    await asyncio.sleep(0.001)
    return "waited"


@pytest.mark.parametrize("core", CORES)
def test_task_made_directly(core: str) -> None:
    """As aiohttp's server makes them. asyncio.Task itself is not touched, as far as Python can see."""
    before = dict(vars(asyncio.Task)), asyncio.Task.__init__

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert (dict(vars(asyncio.Task)), asyncio.Task.__init__) == before
        assert asyncio.Task(quick(), loop=loop, eager_start=True).done()
        assert asyncio.Task(coro=quick(), loop=loop, eager_start=True, name="by name").get_name() == "by name"
        assert await asyncio.Task(waits(), loop=loop, eager_start=True, context=contextvars.Context()) == "waited"
        assert not asyncio.Task(quick(), loop=loop, eager_start=False).done()
        await asyncio.sleep(0)

    story = record(main, core=core)
    check_sums(story)
    if core == "python":
        assert [line.split(" ")[0] for line in story.lines()] == ["main", "waits", "main", "quick", "main"]
        return
    assert story.lines() == [
        "main 0: start > suspended task waits",
        "quick 0: start by main > returned",
        "quick 0: start by main > returned",
        "waits 0: start by main > suspended asyncio.sleep",
        "waits 1: timer > returned",
        "main 1: task by waits > yielded",
        "quick 0: start by main > returned",
        "main 2: yield > returned",
    ]
    assert _inside(story, "waits", "main")
    assert {task.parent_id for task in story.tasks[1:]} == {story.task("main").span_id}
    assert not [task for task in story.tasks if "asyncio.task.seen_late" in task.attributes]


@pytest.mark.parametrize("core", CORES)
def test_a_task_that_starts_at_once_creates_several(core: str) -> None:
    """Without a factory, so that its children are met at the gate: it goes on to be told."""

    async def parent() -> None:
        await asyncio.gather(*(asyncio.create_task(quick()) for _ in range(3)))

    async def main() -> None:
        await asyncio.Task(parent(), loop=asyncio.get_running_loop(), eager_start=True)
        if sys.version_info >= (3, 14):
            await asyncio.create_task(parent(), eager_start=True)  # type: ignore[call-arg]

    story = record(main, core=core)
    check_sums(story)
    parents = [task for task in story.tasks if task.name.endswith("parent")]
    steps = [task.attributes["asyncio.task.step.count"] for task in parents]
    first = 2 if core == "native" else 1  # no code in Python sees how it begins
    assert steps == ([first, 2] if sys.version_info >= (3, 14) else [first])
    assert {task.attributes["asyncio.task.state"] for task in parents} == {"returned"}


@pytest.mark.parametrize("core", CORES)
def test_a_span_that_an_eager_task_makes_current_in_its_first_step(core: str) -> None:
    """Where it is still current as the task waits, the wait is part of the visit."""
    provider = TracerProvider()

    async def job() -> None:
        with provider.get_tracer("app").start_as_current_span("request"):
            await asyncio.sleep(LINGER / 1e9 + 0.2)

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await asyncio.create_task(job())

    story = record(main, core=core, tracer_provider=provider)
    check_sums(story)
    visits = [task.attributes for task in story.tasks if task.name.endswith("job")]
    assert [(visit["asyncio.task.state"], visit["asyncio.task.step.count"]) for visit in visits] == [("returned", 2)]
    assert visits[0]["asyncio.task.waiting.duration"] > LINGER / 1e9


@pytest.mark.skipif(sys.version_info < (3, 15), reason="the loop hangs then, without loopscope too")
@pytest.mark.parametrize("core", CORES)
def test_what_is_no_context(core: str) -> None:
    """asyncio refuses it, or does not; that is no error of ours."""

    async def main() -> list[str]:
        loop, told = asyncio.get_running_loop(), []
        for make in (asyncio.Task, lambda coroutine, **more: loop.create_task(coroutine, context=more["context"])):
            loop.set_task_factory(None if make is asyncio.Task else asyncio.eager_task_factory)
            coroutine = quick()
            try:
                make(coroutine, loop=loop, eager_start=True, context="none")  # type: ignore[operator]
            except Exception as error:
                told.append(type(error).__name__)
            coroutine.close()
        loop.set_task_factory(None)
        return told

    with recording(core=core) as story:
        told = asyncio.run(main())
        assert runtime.statistics()["recording"]
    assert told == asyncio.run(main())
    assert story.steps_of("main")


@pytest.mark.parametrize("core", CORES)
def test_tasks_made_directly_within_one_another(core: str) -> None:
    """In an eager first step, of whichever kind; by a task factory, for what was asked for and beside it."""

    async def parent() -> None:
        asyncio.Task(quick(), loop=asyncio.get_running_loop(), eager_start=True, name="child")

    class Mine(asyncio.Task):  # type: ignore[type-arg]
        pass

    async def main() -> None:
        loop = asyncio.get_running_loop()
        asyncio.Task(parent(), loop=loop, eager_start=True, name="parent")
        Mine(parent(), loop=loop, eager_start=True, name="unseen")
        loop.set_task_factory(lambda loop, coro, **more: asyncio.Task(coro, loop=loop, eager_start=True, **more))
        await asyncio.create_task(parent(), name="asked for")
        loop.set_task_factory(None)
        with pytest.raises(TypeError):
            asyncio.Task(quick, loop=loop, eager_start=True)  # type: ignore[arg-type]
        coroutine = parent()
        with pytest.raises(TypeError):
            asyncio.Task(coroutine, loop=loop, eager_start=True, nonsense=1)  # type: ignore[call-arg]
        coroutine.close()

    story = record(main, core=core)
    check_sums(story)
    creators = [
        (task.attributes["asyncio.task.name"], task.attributes.get("asyncio.task.creator.name")) for task in story.tasks
    ]
    outer = story.task("main").attributes["asyncio.task.name"]
    seen = [(outer, None), ("parent", outer), ("child", "parent"), ("child", outer), ("asked for", outer),
            ("child", "asked for")]  # fmt: skip
    if core == "python":
        seen = [(outer, None), ("asked for", outer)]
    assert sorted(creators, key=str) == sorted(seen, key=str)


@pytest.mark.parametrize("around", [0, 1, 3])
@pytest.mark.parametrize("core", CORES)
def test_a_first_step_that_yields_within_others_coroutines(core: str, around: int) -> None:
    """A task factory may put its own around the one asked for, to carry a context, say."""

    async def other(inner: Any) -> Any:
        return await inner

    async def child() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)

    def factory(loop: Any, coroutine: Any, **more: Any) -> Any:
        more.pop("eager_start", None)
        for _ in range(around):
            coroutine = other(coroutine)
        return asyncio.eager_task_factory(loop, coroutine, **more)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        await asyncio.create_task(child())
        loop.set_task_factory(None)

    story = record(main, core=core)
    check_sums(story)
    outcomes = [step.attributes["asyncio.step.outcome"] for step in story.steps_of("child")]
    assert outcomes == ["yielded", "suspended", "returned"]
    assert _inside(story, "child", "main")


def test_awaits_in_the_first_step_and_is_cancelled() -> None:
    async def waiter() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        task = asyncio.create_task(waiter())
        task.cancel()
        await asyncio.wait([task])

    story = _eager(main)
    assert story.lines() == [
        "with_factory 0: start > suspended asyncio.wait",
        "waiter 0: start by with_factory > suspended asyncio.Future",
        "waiter 1: cancel by with_factory > cancelled",
        "with_factory 1: callback by _on_completion > returned",
    ]
    assert family(story)[1] == "waiter: cancelled under with_factory by with_factory"


@pytest.mark.parametrize("directly", [False, True])
def test_an_exception_is_freed_when_it_would_be_without(directly: bool) -> None:
    async def failing() -> None:
        raise LookupError

    async def main() -> list[str]:
        running, told = asyncio.get_running_loop(), []
        running.set_exception_handler(lambda _, context: told.append(context["message"]))
        running.set_task_factory(asyncio.eager_task_factory)
        task = asyncio.Task(failing(), loop=running, eager_start=True) if directly else running.create_task(failing())
        running.set_task_factory(None)
        del task
        await asyncio.sleep(0)
        return told

    gc.collect()
    gc.disable()  # CPython's own create_task frame held it until a collection up to 3.13.1
    try:
        assert record(main).result == asyncio.run(main())  # type: ignore[attr-defined]
    finally:
        gc.enable()


@pytest.mark.parametrize("name", [None, "named"])
def test_a_creator_whose_own_step_is_not_told_yet(name: str | None) -> None:
    """A child that ends before that tells its creator's name all the same."""
    known = ""

    async def creator() -> None:
        nonlocal known
        known = name or asyncio.current_task().get_name()  # type: ignore[union-attr]
        await asyncio.create_task(quick(), name="child")
        await asyncio.create_task(quick())

    async def main() -> None:
        await asyncio.create_task(creator(), name=name)

    story = _eager(main)
    creator_id = story.task("creator").attributes["asyncio.task.id"]
    first, second = (task.attributes for task in story.tasks if task.name == "task quick")
    assert first["asyncio.task.name"] == "child" and second["asyncio.task.name"] != "child"
    steps = [step for step in story.steps if step.name == "step quick"]
    for child, step in zip((first, second), steps, strict=True):
        assert (child["asyncio.task.creator.id"], child["asyncio.task.creator.name"]) == (creator_id, known)
        assert step.attributes["asyncio.step.waker.task"] == known


def test_an_eager_task_never_waited() -> None:
    async def main() -> None:
        assert asyncio.create_task(quick()).done()

    task = _eager(main).task("quick")
    assert task.attributes["asyncio.task.waiting.duration"] == task.attributes["asyncio.task.ready.duration"] == 0


@pytest.mark.parametrize("how", ["function", "group"])
def test_a_name_that_comes_after_the_end(how: str) -> None:
    """3.12 gives a task its name once its loop made it: an eager one may have ended."""

    async def main() -> str:
        if how == "function":
            return asyncio.create_task(quick(), name="eager").get_name()
        async with asyncio.TaskGroup() as group:
            return group.create_task(quick(), name="eager").get_name()

    story = _eager(main)
    assert story.result == story.task("quick").attributes["asyncio.task.name"] == "eager"  # type: ignore[attr-defined]


def test_above_another_tools_create_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever name."""
    original = asyncio.BaseEventLoop.create_task

    def traced(self: Any, coro: Any, **options: Any) -> Any:
        return original(self, coro, **options)

    async def main() -> None:
        await asyncio.create_task(quick())

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_task", traced)
    story = _eager(main)
    assert [task.name for task in story.tasks].count("task quick") == 1
