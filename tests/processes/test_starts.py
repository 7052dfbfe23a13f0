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
