"""How recording starts: nothing is missed of loops that several threads make at once."""

from __future__ import annotations

import pytest

from tests.ground.receiver import Receiver
from tests.processes.program import run, to
from tests.support import Story

THREADS = 3

JOBS = """
import asyncio, sys, threading, {module}

async def job(barrier):
    await asyncio.create_task(asyncio.sleep(0))

def work(barrier):
    barrier.wait()
    loop = {module}.new_event_loop()
    loop.run_until_complete(job(barrier))
    loop.close()

barrier = threading.Barrier({threads})
threads = [threading.Thread(target=work, args=(barrier,)) for _ in range({threads})]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("opentelemetry.sdk" in sys.modules)
"""


@pytest.mark.parametrize("module", ["asyncio", "uvloop"])
def test_loops_made_while_it_starts(module: str) -> None:
    with Receiver() as receiver:
        ended = run(JOBS.format(module=module, threads=THREADS), to(receiver))
        assert (ended.code, ended.out, ended.told) == (0, "True\n", [])
        story = Story(list(receiver.spans()))
    assert [task.name for task in story.tasks].count("task job") == THREADS
    assert [task.name for task in story.tasks].count("task sleep") == THREADS
    assert not any(task.attributes.get("asyncio.task.seen_late") for task in story.tasks)
    assert len(story.steps) == THREADS * 4


REFUSED = """
import asyncio, threading, time
original, began, refused = threading.Thread.start, time.monotonic(), set()

def start(self):
    if self.name.startswith("loopscope") and time.monotonic() - began < 0.5:
        refused.add(self.name)
        raise RuntimeError("can't start new thread")
    return original(self)

async def main():
    while time.monotonic() - began < 3:
        await asyncio.sleep(0.01)
    print(sorted(refused), sorted(thread.name for thread in threading.enumerate()))

threading.Thread.start = start
asyncio.run(main())
"""


def test_threads_that_the_system_refuses_at_first() -> None:
    """A limit of processes that was reached for a moment: they are asked for again."""
    with Receiver() as receiver:
        ended = run(REFUSED, to(receiver))
    ours = ["loopscope", "loopscope-watchdog"]
    assert (ended.code, ended.out) == (0, f"{ours} {sorted(['MainThread', *ours])}\n")
    assert ended.told == []
