"""Culprits that have no span of their own are named all the same; I/O that nobody looked at."""

from __future__ import annotations

import asyncio
import socket
import sys
import time

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

from tests.scenarios.tasks import blocker
from tests.support import LOOPS, Story, checked, record

#: seconds for which the culprit holds the thread, and within which clocks and timers may differ
HELD, SLACK = 0.05, 0.01

loops = pytest.mark.parametrize("loop", LOOPS)


async def victim() -> None:
    """Could go on after 10 ms."""
    await asyncio.sleep(0.01)


async def _beside(name: str) -> None:
    waiting = asyncio.create_task(victim())
    await asyncio.sleep(0)
    await asyncio.create_task(blocker(HELD), name=name)
    await waiting


def delay(story: Story, index: int = 1) -> tuple[str, str | None, float]:
    """(name, task, seconds) of what delayed the victim's step."""
    a = story.steps_of("victim")[index].attributes
    return (
        a["asyncio.step.delayed_by.name"], a.get("asyncio.step.delayed_by.task"), a["asyncio.step.delayed_by.duration"]
    )  # fmt: skip


@loops
def test_a_culprit_that_is_shown(loop: str) -> None:
    """Both sides, and the link between."""
    story = checked(lambda: _beside("culprit"), loop)
    (culprit,) = story.steps_of("blocker")
    late = story.steps_of("victim")[1]
    length = (culprit.end - culprit.start) / 1e9
    assert delay(story) == ("blocker", "culprit", pytest.approx(length - 0.01, abs=SLACK))
    named = "asyncio.step.delayed_by.name"
    victims = [step.attributes for step in story.steps if step.attributes.get(named) == "blocker"]
    assert culprit.attributes["asyncio.step.delayed.count"] == len(victims)  # a busy machine may delay the main task
    together = sum(victim["asyncio.step.delayed_by.duration"] for victim in victims)
    assert culprit.attributes["asyncio.step.delayed.duration"] == pytest.approx(together)
    links = [link for link in late.links if link.attributes["asyncio.link"] == "delayed_by"]
    assert [link.span_id for link in links] == [culprit.span_id]
    assert links[0].attributes["asyncio.step.delayed_by.name"] == "blocker"


@loops
def test_an_excluded_culprit(loop: str) -> None:
    """It has no span, and is named."""
    story = checked(lambda: _beside("hidden"), loop, exclude="*.blocker")
    assert "blocker" not in {span.name.split()[-1] for span in story.spans}
    assert delay(story) == ("blocker", "hidden", pytest.approx(HELD - 0.01, abs=3 * SLACK))


@loops
def test_a_culprit_of_a_sampled_out_trace(loop: str) -> None:
    """Likewise; it works under a span that the application's sampler dropped."""

    class NoNoise(Sampler):
        def should_sample(self, parent_context, trace_id, name, *args, **options):  # type: ignore[no-untyped-def]
            return SamplingResult(Decision.DROP if name == "noise" else Decision.RECORD_AND_SAMPLE)

        def get_description(self) -> str:
            return "no noise"

    provider = TracerProvider(sampler=NoNoise(), shutdown_on_exit=False)
    tracer = provider.get_tracer("test")

    async def main() -> None:
        waiting = asyncio.create_task(victim())
        await asyncio.sleep(0)
        with tracer.start_as_current_span("noise"):
            task = asyncio.create_task(blocker(HELD), name="noisy")
        await task
        await waiting

    story = record(main, LOOPS[loop], tracer_provider=provider)
    assert "blocker" not in {span.name.split()[-1] for span in story.spans}
    assert delay(story) == ("blocker", "noisy", pytest.approx(HELD - 0.01, abs=3 * SLACK))


@loops
def test_a_muted_culprit_is_found_the_second_time(loop: str) -> None:
    """An excluded task that long did nothing is not recorded; once the thread was held by nobody known it is again."""

    async def dormant() -> None:
        for _ in range(200):
            await asyncio.sleep(0)
        for _ in range(2):
            await asyncio.sleep(0.02)
            time.sleep(HELD)

    async def main() -> None:
        task = asyncio.create_task(dormant(), name="hidden")
        while not task.done():
            await asyncio.create_task(victim())
            await asyncio.sleep(0.002)
            from loopscope import runtime

            runtime.flush()

    story = record(main, LOOPS[loop], exclude="*dormant", delay_threshold=0.02)
    names = [
        span.attributes["asyncio.step.delayed_by.name"] for span in story.steps
        if "asyncio.step.delayed_by.name" in span.attributes
    ]  # fmt: skip
    names = [name.rpartition(".")[2] for name in names]
    assert (names[0], names[-1]) == ("callback", "dormant") and set(names) == {"callback", "dormant"}


@loops
def test_io_that_came_while_the_loop_was_busy(loop: str) -> None:
    """Its bytes came 40 ms before the loop looked: exact on asyncio, marked as a guess on uvloop."""

    async def reader(ours: socket.socket) -> None:
        await asyncio.get_running_loop().sock_recv(ours, 1)

    async def main() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            task = asyncio.create_task(reader(ours))
            await asyncio.sleep(0.01)
            theirs.send(b"x")
            time.sleep(HELD)
            await asyncio.sleep(0.01)
            await task

    story = checked(main, loop)
    late = story.steps_of("reader")[1].attributes
    assert HELD - SLACK <= late["asyncio.step.unpolled.duration"] < 3 * HELD
    assert late.get("asyncio.step.unpolled.estimated", False) is (loop == "uvloop")
    assert late["asyncio.step.delayed_by.name"] == "test_io_that_came_while_the_loop_was_busy.<locals>.main"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_a_waker_that_still_ran() -> None:
    """An eager child's first step is linked to the step that created it, which ends after it."""

    async def child() -> None:
        pass

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await asyncio.create_task(child())

    story = checked(main, "asyncio")
    (first,) = story.steps_of("child")
    creating = story.steps_of("main")[0]
    assert [link.span_id for link in first.links if link.attributes["asyncio.link"] == "woken_by"] == [creating.span_id]
