"""What do my workers do when they are idle?

    loopscope run examples/what_do_my_workers_do_when_idle.py

Three workers and two jobs. Idle workers wait in `Queue.get`, and cost nothing:

    worker worker-0: cancelled after 302 ms, 3 steps: running 0.12 ms, ready 1.4 ms, waiting 300 ms
    worker worker-1: cancelled after 302 ms, 3 steps: running 0.05 ms, ready 1.0 ms, waiting 301 ms
    worker worker-2: cancelled after 302 ms, 2 steps: running 0.01 ms, ready 0.72 ms, waiting 301 ms
    ...
    1.4 ms  0.58 ms  0.01 ms  worker-2 worker 0 start main  suspended asyncio.Queue.get ...
    102 ms  0.30 ms  0.03 ms  worker-1 worker 1 timer       suspended asyncio.Queue.get ...
    202 ms  0.68 ms  0.05 ms  worker-0 worker 1 timer       suspended asyncio.Queue.get ...

worker-2 never had a job: its only steps are its start and its end. Two workers are enough for this load. One that
polled (`get_nowait` and a sleep) would show hundreds of steps woken by `timer` instead.
"""

import asyncio


async def worker(jobs: "asyncio.Queue[float]") -> None:
    while True:
        await asyncio.sleep(await jobs.get())
        jobs.task_done()


async def main() -> None:
    jobs: asyncio.Queue[float] = asyncio.Queue()
    workers = [asyncio.create_task(worker(jobs), name=f"worker-{number}") for number in range(3)]
    for seconds in (0.2, 0.1):
        jobs.put_nowait(seconds)
    await jobs.join()
    await asyncio.sleep(0.1)
    for each in workers:
        each.cancel()


asyncio.run(main())
