"""A task whose steps are passed by, because its own trace is sampled out, is heard again for a sampled span."""

from __future__ import annotations

import asyncio
import gc
import time

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

from loopscope import runtime
from loopscope.capture import cores
from loopscope.capture.buffer import Buffer
from loopscope.capture.life import LoopState
from loopscope.model import NEVER, UNKNOWN
from tests.support import LOOPS, record


class OnlyJobs(Sampler):
    """Samples spans named `job`."""

    def should_sample(self, parent_context, trace_id, name, *args, **options):  # type: ignore[no-untyped-def]
        return SamplingResult(Decision.RECORD_AND_SAMPLE if name == "job" else Decision.DROP)

    def get_description(self) -> str:
        return "only jobs"


@pytest.mark.parametrize(("heard", "begun"), [(0, 0), (2, 0), (2, 1)])
@pytest.mark.parametrize("loop", LOOPS)
def test_an_activation_wakes_a_muted_task(loop: str, heard: int, begun: int) -> None:
    """Also one that is heard for a few steps, because nobody known held its thread: from the next on, or already."""
    provider = TracerProvider(sampler=OnlyJobs(), shutdown_on_exit=False)
    tracer = provider.get_tracer("test")
    taken = 0

    async def main() -> None:
        nonlocal taken
        until = time.monotonic() + 10
        life = None
        while (life is None or not life.muted) and time.monotonic() < until:
            for _ in range(100):
                await asyncio.sleep(0)
            runtime.flush()
            life = getattr(asyncio.current_task(), "_loopscope", None)
        assert life is not None and life.muted
        for _ in range(5):
            await asyncio.sleep(0)
        life.hush = life.index + heard
        if begun:
            await asyncio.sleep(0)
        with tracer.start_as_current_span("job"):
            await asyncio.sleep(0)
            taken = 3
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    story = record(main, LOOPS[loop], tracer_provider=provider, delay_threshold=1.0)  # flushing takes long
    # All that follow under it are told, and nothing is called lost; but for one that was passed by it is told itself.
    told = [step.attributes["asyncio.step.outcome"] for step in story.steps]
    assert told == ["yielded"] * begun + ["yielded", "yielded", "returned"]
    assert taken + begun == len(story.steps)
    assert len(story.tasks) == 1 and "asyncio.task.step.missing" not in story.tasks[0].attributes
    assert {step.trace_id for step in story.steps} == {story.tasks[0].trace_id}
    assert trace.get_current_span() is trace.INVALID_SPAN


@pytest.mark.parametrize("loop", LOOPS)
def test_a_span_that_is_made_current_before_the_task_is_muted(loop: str) -> None:
    """Its idle steps are read only then."""
    provider = TracerProvider(sampler=OnlyJobs(), shutdown_on_exit=False)
    tracer = provider.get_tracer("test")

    async def main() -> None:
        for _ in range(700):
            await asyncio.sleep(0)
        with tracer.start_as_current_span("job"):
            for _ in range(6):
                await asyncio.sleep(0.03)

    story = record(main, LOOPS[loop], tracer_provider=provider)
    told = [step.attributes["asyncio.step.index"] for step in story.steps]
    assert told in ([*range(700, 707)], [*range(701, 707)]), "that one was passed by on a busy machine"
    assert [task.attributes["asyncio.task.state"] for task in story.tasks] == ["returned"]


@pytest.mark.parametrize("loop", LOOPS)
def test_the_end_of_a_task_that_is_passed_by_is_unknown(loop: str) -> None:
    """Also where its last step makes a sampled span current. One that was heard again since is destroyed."""
    provider = TracerProvider(sampler=OnlyJobs(), shutdown_on_exit=False)
    tracer = provider.get_tracer("test")

    async def ends(further: bool) -> None:
        life = getattr(asyncio.current_task(), "_loopscope")  # noqa: B009
        await asyncio.sleep(0)
        life.muted = True
        await asyncio.sleep(0)
        with tracer.start_as_current_span("job"):
            if further:
                await asyncio.sleep(0)
                await asyncio.get_running_loop().create_future()

    async def main() -> None:
        await asyncio.create_task(ends(False))
        waits = asyncio.create_task(ends(True))
        await asyncio.sleep(0.01)
        waits.get_coro().close()  # type: ignore[union-attr]
        del waits
        gc.collect()
        runtime.flush()
        active = runtime.current()
        assert active is not None
        exits.append({state: count for state, count in active.pipeline.metrics.sums.exits.items() if count})

    exits: list[dict[str, int]] = []
    record(main, LOOPS[loop], tracer_provider=provider)
    assert exits == [{"unknown": 1, "destroyed": 1}]


def test_in_a_forked_child_a_task_is_heard_anew() -> None:
    """Nobody there knows that it was passed by, and its steps are counted anew."""
    core = cores.choose("auto").core(buffer := Buffer(10), lambda name: True, lambda: None)
    for excluded, hush in ((False, NEVER), (True, 64)):
        life = core.life(1, UNKNOWN, LoopState(0, ""), excluded)
        life.index, life.hush = 700, 0
        core.forked(life)
        assert (life.index, life.hush, life.muted) == (0, hush, False)
    assert len(buffer.queue) == 2
