"""create_task in all its forms: function, loop method, keyword, early-imported name, ensure_future, Task itself."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from asyncio import create_task
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from loopscope import runtime
from loopscope.origin import is_ours
from tests.scenarios.tasks import sleeper
from tests.support import LOOPS, checked, edges, family

FORMS: dict[str, Callable[[], Any]] = {
    "function": lambda: asyncio.create_task(sleeper()),
    "loop method": lambda: asyncio.get_running_loop().create_task(sleeper()),
    "keyword": lambda: asyncio.create_task(coro=sleeper()),
    "loop keyword": lambda: asyncio.get_running_loop().create_task(coro=sleeper()),
    "early-imported": lambda: create_task(sleeper()),
    "ensure_future": lambda: asyncio.ensure_future(sleeper()),
    "Task": lambda: asyncio.Task(sleeper(), loop=asyncio.get_running_loop()),
}


@pytest.mark.parametrize("loop", LOOPS)
def test_one_that_fails(loop: str) -> None:
    """Nothing of ours stands in its traceback, but for the Python core's gate."""

    async def main() -> tuple[str, list[str]]:
        coroutine = sleeper()
        with pytest.raises(TypeError) as failed:
            asyncio.get_running_loop().create_task(coroutine, nonsense=1)  # type: ignore[call-arg]
        coroutine.close()
        return runtime.statistics()["core"], [str(entry.path) for entry in failed.traceback]

    core, files = checked(main, loop).result  # type: ignore[attr-defined]
    assert core == "python" or not [file for file in files if is_ours(file)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("loop", LOOPS)
def test_forms(loop: str, form: str) -> None:
    async def main() -> Any:
        return await FORMS[form]()

    story = checked(main, loop)
    assert story.result == "slept"  # type: ignore[attr-defined]
    assert story.lines() == [
        "main 0: start > suspended task sleeper",
        "sleeper 0: start by main > suspended asyncio.sleep",
        "sleeper 1: timer > returned",
        "main 1: task by sleeper > returned",
    ]
    assert family(story) == ["main: returned", "sleeper: returned under main by main"]
    assert edges(story) == ["sleeper 0 < main 0", "main 1 < sleeper 1"]


@pytest.mark.parametrize("loop", LOOPS)
def test_name_is_read_at_the_end(loop: str) -> None:
    async def main() -> None:
        task = asyncio.create_task(sleeper(), name="early")
        await asyncio.sleep(0)
        task.set_name("late")
        await task

    story = checked(main, loop)
    assert story.task("sleeper").attributes["asyncio.task.name"] == "late"
    assert [s.attributes["asyncio.task.name"] for s in story.steps_of("sleeper")] == ["early", "late"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="create_task takes context since 3.11")
@pytest.mark.parametrize("loop", LOOPS)
def test_parent_is_the_span_of_the_context_given(loop: str) -> None:
    tracer = TracerProvider().get_tracer("test")

    async def main() -> tuple[int, int]:
        with tracer.start_as_current_span("request") as span:
            context = contextvars.copy_context()
            outside = contextvars.Context()
        await asyncio.create_task(sleeper(), context=context)
        with tracer.start_as_current_span("other"):
            await asyncio.create_task(sleeper(), context=outside)
            assert trace.get_current_span().get_span_context().trace_id != span.get_span_context().trace_id
        return span.get_span_context().trace_id, span.get_span_context().span_id

    story = checked(main, loop)
    trace_id, span_id = story.result  # type: ignore[attr-defined]
    inside, outside = (task for task in story.tasks if task.name == "task sleeper")
    assert (inside.trace_id, inside.parent_id) == (f"{trace_id:032x}", f"{span_id:016x}")
    own = next(t for t in story.tasks if t.name.endswith("main") and not t.parent_id)
    assert (outside.trace_id, outside.parent_id) == (own.trace_id, own.span_id)
