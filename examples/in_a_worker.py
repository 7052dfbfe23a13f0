"""How does a worker of background jobs look?

    loopscope run examples/in_a_worker.py

A worker as arq has them: one loop, each job a task named by its id, and a time limit.

    thumbnail job-0: returned after 212 ms, 2 steps: running 0.05 ms, ready 162 ms, waiting 50.0 ms
    invoice job-1: returned after 211 ms, 2 steps: running 200 ms, ready 0.93 ms, waiting 10.0 ms
    fetch_rates job-2: cancelled after 401 ms, 2 steps: running 0.05 ms, ready 0.75 ms, waiting 401 ms
    ...
    cancel worker cancelled
    ...
    stalls
    200 ms  job-1 invoice 1  examples/in_a_worker.py:31  blocking, in invoice

job-0 is late because of job-1, which made a blocking call on the loop; job-2 came to its limit while it waited.
A worker as Celery has them, with `asyncio.run` in each job and forked children, needs the environment variable
and nothing else: each run is a trace of its own, and a forked child records anew.
"""

import asyncio
import time


async def thumbnail() -> None:
    await asyncio.sleep(0.05)


async def invoice() -> None:
    await asyncio.sleep(0.01)
    time.sleep(0.2)  # a library that knows nothing of asyncio


async def fetch_rates() -> None:
    await asyncio.sleep(9)


async def worker() -> None:
    jobs = (thumbnail, invoice, fetch_rates)
    tasks = [asyncio.create_task(job(), name=f"job-{number}") for number, job in enumerate(jobs)]
    _, late = await asyncio.wait(tasks, timeout=0.4)
    for task in late:
        task.cancel()


asyncio.run(worker())
