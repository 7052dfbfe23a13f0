"""Which traces a step is told in, and under which span: hand-made spans of an SDK provider."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import random
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import context as api_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, Sampler, SamplingResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, set_span_in_context

from tests.support import LOOPS, Story, check_sums, plain, record

CALLER = SpanContext(0xCA11E4, 0xCA11, is_remote=True, trace_flags=TraceFlags(1))


class App:
    """An application's provider, and what came of its own spans."""

    def __init__(self, sampler: Sampler = ALWAYS_ON, processor: Any = SimpleSpanProcessor) -> None:
        self.provider = TracerProvider(sampler=sampler)
        self.exporter = InMemorySpanExporter()
        self.provider.add_span_processor(processor(self.exporter))
        self._tracer = self.provider.get_tracer("app")

    def span(self, name: str) -> Any:
        """A span within the current one, made current."""
        return self._tracer.start_as_current_span(name)

    def root(self, name: str) -> Any:
        """A span of a new trace, made current."""
        return self._tracer.start_as_current_span(name, context=Context())

    def record(self, main: Callable[[], Coroutine[Any, Any, Any]], loop: str = "asyncio", **options: Any) -> Story:
        """Run it with loopscope on."""
        story = record(main, LOOPS[loop], tracer_provider=self.provider, **options)
        check_sums(story)
        return story

    def placed(self, story: Story) -> list[str]:
        """One line a task span, by start: `task [its steps, * for shared] where it stands`."""
        spans = [*(plain(span) for span in self.exporter.get_finished_spans()), *story.tasks]
        names = {(span.trace_id, span.span_id): _short(span.name) for span in spans}
        lines = []
        for task in story.tasks:
            where = f"under {names.get((task.trace_id, task.parent_id), 'a caller')}" if task.parent_id else "a root"
            steps = [
                f"{step.attributes['asyncio.step.index']}{'*' * step.attributes.get('asyncio.step.shared', False)}"
                for step in story.steps_of(task)
            ]
            lines.append(f"{_short(task.name)} [{' '.join(steps)}] {where}")
        return lines


def _short(name: str) -> str:
    return name.removeprefix("task ").split("<locals>.")[-1]


@contextmanager
def attached(context: Context) -> Iterator[None]:
    """What instrumentation of a server does with its caller's identity."""
    token = api_context.attach(context)
    try:
        yield
    finally:
        api_context.detach(token)


def called() -> Any:
    """The caller's identity is current inside."""
    return attached(set_span_in_context(NonRecordingSpan(CALLER)))


def in_context(context: contextvars.Context, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task of its own context; before 3.11 a task can only be given a copy."""
    if sys.version_info >= (3, 11):
        return asyncio.create_task(coroutine, context=context)
    return context.run(asyncio.create_task, coroutine)


async def pause() -> None:
    """One suspension."""
    await asyncio.sleep(0.001)


# ---------------------------------------------------------------- parents


@pytest.mark.parametrize("loop", LOOPS)
def test_a_task_stands_under_the_span_current_at_its_creation(loop: str) -> None:
    app = App()

    async def main() -> None:
        with app.span("request"):
            await asyncio.create_task(pause(), name="child")

    story = app.record(main, loop)
    assert app.placed(story) == ["main [0 1] under request", "pause [0 1] under request"]
    assert len({span.trace_id for span in story.spans}) == 1


def test_without_a_span_it_stands_under_its_creator_and_that_is_a_root() -> None:
    app = App()

    async def child() -> None:
        await asyncio.create_task(pause())

    async def main() -> None:
        await asyncio.create_task(child())

    story = app.record(main)
    assert app.placed(story) == ["main [0 1] a root", "child [0 1] under main", "pause [0 1] under child"]
    assert len({span.trace_id for span in story.spans}) == 1


def test_a_span_that_is_over_is_no_parent() -> None:
    app = App()

    async def main() -> None:
        with app.span("request"):
            pass
        await asyncio.create_task(pause())

    story = app.record(main)
    assert app.placed(story) == ["main [0] under request", "pause [0 1] under main", "main [1] a root"]


def test_the_context_given_to_a_task_counts_not_its_creator_s() -> None:
    app = App()

    async def main() -> None:
        empty = contextvars.copy_context()
        with app.span("request"):
            inside = contextvars.copy_context()
            first = in_context(empty, pause())
        second = in_context(inside, pause())
        await asyncio.gather(first, second)

    story = app.record(main)
    assert sorted(app.placed(story)) == [
        "main [0] under request",
        "main [1] a root",
        "pause [0 1] under main",
        "pause [0 1] under request",
    ]


def test_under_the_outermost_span_that_was_current_in_the_task() -> None:
    app = App()

    async def child() -> None:
        with app.span("work"):
            await pause()

    async def main() -> None:
        with app.span("request"):
            await pause()
            with app.span("part"):
                await asyncio.create_task(child())

    story = app.record(main)
    assert app.placed(story) == ["main [0 1 2] under request", "child [0 1] under part"]


def test_a_child_may_begin_before_its_parent() -> None:
    """The span is activated in mid-step: the step began before it."""
    app = App()

    async def main() -> None:
        await pause()
        with app.span("request"):
            await pause()

    story = app.record(main)
    assert app.placed(story) == ["main [0] a root", "main [1 2] under request"]
    (request,) = [plain(span) for span in app.exporter.get_finished_spans()]
    assert story.tasks[1].start < request.start
    assert story.tasks[1].end > request.end


# ---------------------------------------------------------------- several traces


@pytest.mark.parametrize("loop", LOOPS)
def test_a_connection_serves_one_request_after_another(loop: str) -> None:
    """Each in a visit of its own; the steps between them are the task's own."""
    app = App()

    async def connection() -> None:
        await pause()
        with app.span("first"):
            await pause()
        await pause()
        await pause()
        with app.span("second"):
            await pause()
            await pause()
        await pause()

    async def main() -> None:
        await asyncio.create_task(connection())

    story = app.record(main, loop)
    assert app.placed(story) == [
        "main [0 1] a root",
        "connection [0] under main",
        "connection [1 2] under first",
        "connection [3] under main",
        "connection [4 5 6] under second",
        "connection [7] under main",
    ]
    states = [task.attributes["asyncio.task.state"] for task in story.tasks if _short(task.name) == "connection"]
    assert states == ["waiting", "waiting", "waiting", "waiting", "returned"]


def test_a_request_served_in_one_step() -> None:
    """No span is current at the step's start, none at its end."""
    app = App()

    async def main() -> None:
        with app.span("request"):
            pass

    story = app.record(main)
    assert app.placed(story) == ["main [0] under request"]


def test_a_step_for_two_traces_is_told_in_both() -> None:
    app = App()

    async def main() -> None:
        with app.root("first"):
            await pause()
        with app.root("second"):
            await pause()

    story = app.record(main)
    assert app.placed(story) == ["main [0 1*] under first", "main [1* 2] under second"]
    once, again = [step for step in story.steps if step.attributes["asyncio.step.index"] == 1]
    assert (once.start, once.end) == (again.start, again.end)
    assert once.trace_id != again.trace_id


def test_a_step_within_one_trace_that_opens_another() -> None:
    app = App()

    async def main() -> None:
        with app.root("outer"):
            await pause()
            with app.root("aside"):
                pass
            await pause()

    story = app.record(main)
    assert app.placed(story) == ["main [0 1* 2] under outer", "main [1*] under aside"]


def test_each_of_two_tasks_has_its_own_request() -> None:
    app = App()

    async def handle(name: str) -> None:
        with app.root(name):
            for _ in range(3):
                await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(handle("one"), handle("two"))

    story = app.record(main)
    assert app.placed(story) == ["main [0 1] a root", "handle [0 1 2 3] under one", "handle [0 1 2 3] under two"]


# ---------------------------------------------------------------- callers


def test_a_caller_alone() -> None:
    app = App()

    async def main() -> None:
        with called():
            await pause()

    story = app.record(main)
    assert app.placed(story) == ["main [0 1] under a caller"]
    (task,) = story.tasks
    assert (int(task.trace_id, 16), int(task.parent_id, 16)) == (CALLER.trace_id, CALLER.span_id)


def test_a_local_span_counts_more_than_the_caller() -> None:
    app = App()

    async def main() -> None:
        with called():
            await pause()
            with app.span("request"):
                await pause()

    story = app.record(main)
    assert app.placed(story) == ["main [0 1 2] under request"]
    assert int(story.tasks[0].trace_id, 16) == CALLER.trace_id


# ---------------------------------------------------------------- sampling


class Drops(Sampler):
    """Leaves out spans of these names, whatever their parents are."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def should_sample(self, parent_context: Any, trace_id: int, name: str, *rest: Any, **more: Any) -> SamplingResult:
        """See Sampler."""
        return SamplingResult(Decision.DROP if name in self._names else Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        """See Sampler."""
        return "Drops"


def test_a_sampled_out_trace_gets_nothing_beside_one_that_is_sampled() -> None:
    app = App(Drops("left"))

    async def handle(name: str) -> None:
        with app.root(name):
            await pause()
            await asyncio.create_task(pause())

    async def main() -> None:
        await asyncio.gather(handle("left"), handle("taken"))

    story = app.record(main)
    assert app.placed(story) == ["main [0 1] a root", "handle [0 1 2] under taken", "pause [0 1] under taken"]


@pytest.mark.parametrize("loop", LOOPS)
def test_the_sampler_here_counts_not_the_caller_s_flag(loop: str) -> None:
    app = App(Drops("request"))

    async def main() -> None:
        with called(), app.span("request"):
            await pause()
        with called(), app.span("request"):
            pass

    assert app.record(main, loop).spans == []


def test_a_span_left_out_within_a_sampled_trace_takes_no_steps_away() -> None:
    app = App(Drops("noise"))

    async def main() -> None:
        with app.span("request"):
            await pause()
            with app.span("noise"):
                await pause()
            await pause()

    assert app.placed(app.record(main)) == ["main [0 1 2 3] under request"]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("core", ["python", "native"])
def test_a_loop_run_under_a_sampled_out_span(loop: str, core: str) -> None:
    """As a synchronous view does: no step activated the span."""
    app = App(Drops("left"))

    async def main() -> None:
        await asyncio.gather(pause(), pause())
        with app.root("taken"):
            await asyncio.create_task(pause())

    with app.span("left"):
        story = app.record(main, loop, core=core)
    assert app.placed(story) == ["main [1 2] under taken", "pause [0 1] under taken"]


def test_a_coroutine_handed_to_a_loop_under_a_sampled_out_span() -> None:
    """By another thread."""
    app = App(Drops("left"))

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def view() -> None:
            with app.root("left"):
                asyncio.run_coroutine_threadsafe(pause(), loop).result()

        thread = threading.Thread(target=view)
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0.01)

    assert {span.name for span in app.record(main).spans if span.name.startswith("task")} == {
        "task " + main.__qualname__
    }


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_an_eager_task_in_the_step_that_activates_a_sampled_out_span() -> None:
    app = App(Drops("left"))

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        with app.root("left"):
            await asyncio.create_task(pause())

    assert app.record(main).spans == []


def test_a_task_of_nobody_is_sampled_as_a_root() -> None:
    app = App(Drops("task test_a_task_of_nobody_is_sampled_as_a_root.<locals>.main"))

    async def main() -> None:
        await asyncio.create_task(pause())
        with app.root("request"):
            await pause()

    assert app.placed(app.record(main)) == ["main [1 2] under request"]


def test_always_off() -> None:
    app = App(ALWAYS_OFF)

    async def main() -> None:
        await asyncio.create_task(pause())
        with app.span("request"):
            await pause()

    assert app.record(main).spans == []


class Marks(Sampler):
    """Says something of each root."""

    def should_sample(self, parent_context: Any, trace_id: int, name: str, *rest: Any, **more: Any) -> SamplingResult:
        """See Sampler."""
        return SamplingResult(Decision.RECORD_AND_SAMPLE, {"why": name}, TraceState([("vendor", "1")]))

    def get_description(self) -> str:
        """See Sampler."""
        return "Marks"


def test_what_the_sampler_says_of_a_root_is_kept() -> None:
    async def main() -> None:
        await asyncio.create_task(pause())

    story = App(Marks()).record(main)
    name = "task test_what_the_sampler_says_of_a_root_is_kept.<locals>.main"
    assert [task.attributes.get("why") for task in story.tasks] == [name, None]
    assert {span.trace_state for span in story.spans} == {"vendor=1"}


class Counting(IdGenerator):
    """Ids from 1 up."""

    def __init__(self) -> None:
        self.traces, self.spans = itertools.count(1), itertools.count(1)

    def generate_trace_id(self) -> int:
        """See IdGenerator."""
        return next(self.traces)

    def generate_span_id(self) -> int:
        """See IdGenerator."""
        return next(self.spans)


def test_an_id_generator_of_the_application_s_is_used_and_a_random_one_is_not() -> None:
    ids = Counting()
    story = record(pause, tracer_provider=TracerProvider(id_generator=ids))
    assert sorted(int(span.span_id, 16) for span in story.spans) == [1, 2, 3]
    assert {int(span.trace_id, 16) for span in story.spans} == {1}
    random.seed(1)
    before = random.getstate()
    assert len(record(pause, tracer_provider=TracerProvider()).spans) == 3
    assert random.getstate() == before


# ---------------------------------------------------------------- the application's own


def test_what_the_application_sees_as_current() -> None:
    app = App()
    seen: list[list[str]] = []

    async def child(note: Callable[[], None]) -> None:
        note()
        with app.span("work"):
            await asyncio.sleep(0)
            note()
        note()

    async def main() -> None:
        mine: list[str] = []
        seen.append(mine)

        def note() -> None:
            mine.append(getattr(trace.get_current_span(), "name", "none"))

        note()
        with app.span("request"):
            task = asyncio.create_task(child(note))
            note()
            await asyncio.sleep(0)
            note()
            await task
        with called():
            note()
            await asyncio.sleep(0)
        note()
        asyncio.get_running_loop().call_soon(note)
        await asyncio.sleep(0)

    asyncio.run(main())
    app.record(main)
    assert seen[0] == seen[1]
    assert seen[0] == ["none", "request", "request", "request", "work", "request", "none", "none", "none"]


def test_a_flood_of_steps_never_reaches_the_application_s_queue() -> None:
    """Its queue takes 64 spans; two thousand steps of ours pass it by."""
    app = App()
    exporter = InMemorySpanExporter()
    queue = BatchSpanProcessor(exporter, max_queue_size=64, max_export_batch_size=64, schedule_delay_millis=60_000)
    app.provider.add_span_processor(queue)

    async def main() -> None:
        with app.span("request"):
            for number in range(50):
                with app.span(f"part {number}"):
                    for _ in range(40):
                        await asyncio.sleep(0)

    story = app.record(main)
    app.provider.shutdown()
    assert len(story.spans) > 1000
    assert [span.name for span in exporter.get_finished_spans()] == [
        *(f"part {number}" for number in range(50)),
        "request",
    ]
    assert {plain(span).scope_name for span in app.exporter.get_finished_spans()} == {"app"}


@pytest.mark.parametrize("processor", [SimpleSpanProcessor, BatchSpanProcessor])
def test_where_a_span_goes_that_has_ended_makes_no_difference(processor: Any) -> None:
    """A simple processor attaches a context of its own as the inner span ends, which makes no other span current."""
    app = App(processor=processor)

    async def work() -> None:
        with app.root("outer"):
            with app.root("inner"):
                await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.create_task(work())

    story = app.record(main)
    app.provider.force_flush()
    placed = sorted(line for line in app.placed(story) if line.startswith("work"))
    assert placed == ["work [0* 1] under inner", "work [0*] under outer", "work [2] under outer"]
