"""Who asked for a cancellation, where, with what message, how long the task took, and whether it swallowed it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from tests.scenarios.tasks import stuck
from tests.support import LOOPS, Story, checked, record, recording

loops = pytest.mark.parametrize("loop", LOOPS)


def asked(story: Story, name: str) -> dict[str, Any]:
    """What the task span says of its cancellation, but for the latency."""
    prefix = "asyncio.task.cancel."
    said = {key.removeprefix(prefix): value for key, value in story.task(name).attributes.items() if prefix in key}
    said.pop("latency", None)
    if "place" in said:
        said["place"] = said["place"].replace(__file__, "here")
    if "requested_by" in said:
        said["requested_by"] = said["requested_by"].split(".")[-1]
    return said


def latency(story: Story, name: str) -> float:
    """Seconds from the request to the end."""
    return float(story.task(name).attributes["asyncio.task.cancel.latency"])


def here(offset: int = 0) -> str:
    """The caller's own line."""
    return f"here:{sys._getframe(1).f_lineno + offset}"


async def _ended(task: asyncio.Task[Any]) -> None:
    await asyncio.wait([task])


@loops
def test_by_a_task_with_a_message(loop: str) -> None:
    place = ""

    async def main() -> None:
        nonlocal place

        def stop(task: asyncio.Task[None]) -> None:
            nonlocal place
            place = here(1)
            task.cancel("enough")

        task = asyncio.create_task(stuck())
        asyncio.current_task().set_name("boss")  # type: ignore[union-attr]
        await asyncio.sleep(0)
        stop(task)
        await _ended(task)

    story = checked(main, loop)
    assert asked(story, "stuck") == {"requested_by": "main", "task": "boss", "place": place, "message": "enough"}
    assert 0 <= latency(story, "stuck") < 0.1
    assert asked(story, "main") == {}


@loops
def test_how_long_it_took(loop: str) -> None:
    async def main() -> None:
        async def tidies() -> None:
            try:
                await stuck()
            finally:
                await asyncio.sleep(0.02)

        task = asyncio.create_task(tidies())
        await asyncio.sleep(0)
        task.cancel()
        await _ended(task)

    story = checked(main, loop)
    assert 0.02 <= latency(story, "tidies") < 0.1
    assert "swallowed" not in asked(story, "tidies")


@loops
@pytest.mark.parametrize("then", ["returns", "raises"])
def test_swallowed(loop: str, then: str) -> None:
    async def main() -> None:
        async def swallows() -> None:
            try:
                await stuck()
            except asyncio.CancelledError:
                await asyncio.sleep(0.001)
                if then == "raises":
                    raise ValueError("no") from None

        task = asyncio.create_task(swallows())
        await asyncio.sleep(0)
        task.cancel()
        await _ended(task)
        task.exception()

    story = checked(main, loop)
    said = asked(story, "swallows")
    assert (said["requested_by"], said["swallowed"]) == ("main", True)
    assert latency(story, "swallows") > 0.0001  # uvloop counts milliseconds


@loops
def test_a_timeout_says_so(loop: str) -> None:
    """wait_for's: before 3.12 of the task that it made, since then of the calling one, which takes it back."""

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(stuck(), 0.01)

    story = checked(main, loop)
    inline = sys.version_info >= (3, 12)
    said = asked(story, "main" if inline else "stuck")
    assert said["requested_by"] == "timeout" and "swallowed" not in said
    assert story.steps[1 if inline else 3].attributes["asyncio.step.waker.name"] == "timeout"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout and uncancel came with 3.11")
@loops
def test_what_a_task_survived_is_not_what_ended_it(loop: str) -> None:
    """A timeout and a request that were taken back, then a cancellation: told if it was seen, else nobody is."""

    async def survive() -> None:
        try:
            async with asyncio.timeout(0.002):
                await asyncio.sleep(5)
        except TimeoutError:
            await asyncio.sleep(0)

    async def unseen(survived: asyncio.Event) -> None:
        await survive()
        survived.set()
        await asyncio.gather(asyncio.sleep(5))

    async def seen(survived: asyncio.Event) -> None:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            await asyncio.sleep(0.001)
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
        survived.set()
        await asyncio.sleep(5)

    async def heeds() -> None:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
            raise

    took = 0.0

    async def main() -> None:
        nonlocal took
        events = [asyncio.Event(), asyncio.Event()]
        tasks = [asyncio.create_task(work(event)) for work, event in zip((unseen, seen), events, strict=True)]
        tasks.append(asyncio.create_task(heeds()))
        await asyncio.sleep(0)
        tasks[1].cancel("first")
        for event in events:
            await event.wait()
        await asyncio.sleep(0.005)
        for task in tasks:
            began = time.monotonic()
            task.cancel("second")
            await _ended(task)
            took = max(took, time.monotonic() - began)

    story = checked(main, loop)
    assert asked(story, "unseen") == {}
    assert asked(story, "seen")["message"] == "second" and latency(story, "seen") < took + 0.002  # of uvloop's clock
    assert asked(story, "heeds")["message"] == "second"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout and uncancel came with 3.11")
@loops
def test_which_of_two_requests_stands_is_not_guessed(loop: str) -> None:
    """One was taken back, the other ended the task: one that both were seen of, and one of whose only the first was."""

    async def scope() -> None:
        try:
            await stuck()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            try:
                await stuck()
            finally:
                asyncio.current_task().uncancel()  # type: ignore[union-attr]

    async def expires() -> None:
        async with asyncio.timeout(0.01):
            await stuck()

    async def main() -> None:
        both = asyncio.create_task(scope())
        await asyncio.sleep(0)
        for message in ("first", "second"):
            both.cancel(message)
            await asyncio.sleep(0.01)
        await _ended(both)

        expiring = asyncio.create_task(expires())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.015, expiring.cancel, "too late to be seen")
        time.sleep(0.03)  # both come due
        await _ended(expiring)

    story = checked(main, loop)
    for name in ("scope", "expires"):
        assert story.task(name).attributes["asyncio.task.state"] == "cancelled" and asked(story, name) == {}, name


@loops
def test_a_wait_for_that_is_cancelled_itself(loop: str) -> None:
    """Then it cancels what it waits for: no timeout."""

    async def main() -> None:
        async def waits() -> None:
            await asyncio.wait_for(stuck(), 60)

        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await _ended(task)

    story = checked(main, loop)
    assert asked(story, "waits")["requested_by"] == "main"
    if sys.version_info < (3, 12):
        assert asked(story, "stuck")["requested_by"] == "waits"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout came with 3.11")
@loops
def test_a_timeout_that_is_survived(loop: str) -> None:
    """It was taken back, so nothing was swallowed; a later cancellation counts."""

    async def main() -> None:
        async def survives() -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await stuck()
            await stuck()

        task = asyncio.create_task(survives())
        await asyncio.sleep(0.02)
        task.cancel("later")
        await _ended(task)

    story = checked(main, loop)
    said = asked(story, "survives")
    assert (said["requested_by"], said["message"]) == ("main", "later")
    assert latency(story, "survives") < 0.015


@pytest.mark.skipif(sys.version_info < (3, 11), reason="TaskGroup came with 3.11")
@loops
def test_by_a_task_group(loop: str) -> None:
    """Its callback asks; the parent's own cancellation is taken back by it."""

    async def main() -> None:
        async def fails() -> None:
            raise ValueError("no")

        async def parent() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(stuck())
                group.create_task(fails())
                await asyncio.Event().wait()

        with pytest.raises(BaseException, match="unhandled errors"):
            await asyncio.create_task(parent())

    story = checked(main, loop)
    assert asked(story, "stuck")["requested_by"] == "_on_task_done"
    assert "place" not in asked(story, "stuck"), "the loop called it, no line of the application's"
    assert asked(story, "parent")["requested_by"] == "_on_task_done"
    assert "swallowed" not in asked(story, "parent")


@loops
def test_before_the_first_step_is_not_guessed(loop: str) -> None:
    async def main() -> None:
        task = asyncio.create_task(stuck())
        task.cancel("unseen")
        await _ended(task)

    assert asked(checked(main, loop), "stuck") == {}


@loops
def test_by_gather(loop: str) -> None:
    place = ""

    async def main() -> None:
        nonlocal place
        both = asyncio.gather(stuck(), asyncio.sleep(0.001))
        await asyncio.sleep(0)
        place = here(1)
        both.cancel()
        with pytest.raises(asyncio.CancelledError):
            await both

    assert asked(checked(main, loop), "stuck")["place"] == place


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tasks do not count cancellations before 3.11")
@loops
def test_through_what_it_waits_for(loop: str) -> None:
    """A task that awaits a task, or a gather of tasks, is asked by who asks the last of the chain."""

    async def main() -> None:
        async def waits() -> None:
            await asyncio.create_task(stuck())

        async def gathers() -> None:
            try:
                await asyncio.gather(waits(), stuck())
            finally:
                await asyncio.sleep(0.01)

        task = asyncio.create_task(gathers())
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel("all of it")
        await _ended(task)

    story = checked(main, loop)
    said = {"requested_by": "main", "message": "all of it"}
    for task in story.tasks[1:]:
        told = asked(Story([task]), task.name.split(".")[-1].split()[-1])
        assert told.pop("place").startswith("here:") and told.pop("task") and told == said, task.name
    assert len(story.tasks) == 5 and latency(story, "gathers") >= 0.009
    assert [step.attributes["asyncio.step.waker.kind"] for step in story.steps_of("waits")] == ["start", "task"]
    assert [step.attributes["asyncio.step.waker.kind"] for step in story.steps_of("gathers")][1] == "callback"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout came with 3.11")
@loops
def test_who_only_waits_was_not_asked(loop: str) -> None:
    """What it awaits was; or it took its own request back; or which of two requests it was is not known."""

    async def main() -> None:
        async def waits(other: asyncio.Task[None]) -> None:
            await other

        async def survives() -> None:
            try:
                async with asyncio.timeout(0.001):
                    await asyncio.create_task(stuck())
            except TimeoutError:
                child = asyncio.create_task(stuck())
                asyncio.get_running_loop().call_later(0.001, child.cancel)
                await child

        async def deaf() -> None:
            try:
                await asyncio.sleep(0)
                await stuck()
            except asyncio.CancelledError:
                await stuck()

        async def twice() -> None:
            child = asyncio.create_task(deaf())
            asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)  # type: ignore[union-attr]
            asyncio.get_running_loop().call_later(0.002, child.cancel)
            await child

        child = asyncio.create_task(stuck())
        task = asyncio.create_task(waits(child))
        await asyncio.sleep(0.001)
        child.cancel()
        await _ended(task)
        await _ended(asyncio.create_task(survives()))
        await _ended(asyncio.create_task(twice()))

    story = checked(main, loop)
    for name in ("waits", "survives", "twice"):
        assert story.task(name).attributes["asyncio.task.state"] == "cancelled" and asked(story, name) == {}, name


@loops
def test_at_the_end_of_the_run(loop: str) -> None:
    async def main() -> None:
        asyncio.create_task(stuck())
        await asyncio.sleep(0)

    said = asked(checked(main, loop), "stuck")
    assert said["requested_by"] == "_cancel_all_tasks" and "task" not in said


@loops
def test_by_a_timer(loop: str) -> None:
    """No line of the application's asked: none is named."""

    async def main() -> None:
        task = asyncio.create_task(stuck())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.001, task.cancel)
        asyncio.get_running_loop().call_soon(len, "")
        await _ended(task)

    assert asked(checked(main, loop), "stuck") == {"requested_by": "cancel"}


@loops
def test_by_a_callback_of_the_application_s(loop: str) -> None:
    place = ""

    async def main() -> None:
        task = asyncio.create_task(stuck())

        def stops() -> None:
            nonlocal place
            place = here(1)
            task.cancel()

        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(stops)
        await _ended(task)

    said = asked(checked(main, loop), "stuck")
    assert (said["requested_by"], said["place"]) == ("stops", place)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.run takes Ctrl-C for a cancellation since 3.11")
def test_by_an_interrupt_that_the_application_sends_itself() -> None:
    """Its own line, not what stands in the place of os.kill()."""
    place = ""

    def stop() -> None:
        nonlocal place
        place = here(1)
        os.kill(os.getpid(), signal.SIGINT)

    async def main() -> None:
        asyncio.get_running_loop().call_later(0.001, stop)
        await stuck()

    with recording() as story, pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert asked(story, "main") == {"requested_by": "stop", "place": place}


@loops
def test_by_itself(loop: str) -> None:
    """It asked some lines before it suspended: by then no line asks."""

    async def main() -> None:
        async def gives_up() -> None:
            asyncio.current_task().cancel("myself")  # type: ignore[union-attr]
            await stuck()

        await _ended(asyncio.create_task(gives_up(), name="self"))

    said = asked(checked(main, loop), "gives_up")
    assert said == {"requested_by": "gives_up", "task": "self", "message": "myself"}


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_no_line_beyond_the_step(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """What runs the loop is the application's too, but asked for nothing."""

    async def main() -> None:
        async def gives_up() -> None:
            asyncio.current_task().cancel()  # type: ignore[union-attr]
            await stuck()

        task = asyncio.create_task(stuck())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(task.cancel)
        await asyncio.wait([task, asyncio.create_task(gives_up())])

    def run(main: Any) -> None:
        running = new_loop()
        try:
            running.run_until_complete(main)
        finally:
            running.close()

    story = record(main, run)
    assert [asked(story, name).get("place") for name in ("stuck", "gives_up")] == [None, None]


class Unspeakable:
    """A message that cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError("never")


class Shy(str):
    """A text that lies about itself."""

    def __str__(self) -> str:
        return "x" * 1000

    def __getitem__(self, item: Any) -> str:
        raise RuntimeError("never")


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Unspeakable(), "Unspeakable"),
        (42, "42"),
        ("x" * 1000, "x" * 200),
        (Shy("text"), "x" * 200),
        ("", ""),
        (None, None),
    ],
)
@loops
def test_messages(loop: str, message: Any, said: str | None) -> None:
    async def main() -> None:
        task = asyncio.create_task(stuck())
        await asyncio.sleep(0)
        task.cancel(message)
        await _ended(task)

    story = checked(main, loop)
    assert len(story.steps) == 5, "it went on"
    assert asked(story, "stuck").get("message") == said
