"""How do I watch several processes?

    loopscope run examples/several_processes.py

Nothing is to be done: children inherit the environment, and with it loopscope. All append to the same trace file:

    work north: returned after 102 ms, 2 steps: running 0.08 ms, ready 1.8 ms, waiting 100.0 ms
    ...
    work south: returned after 302 ms, 2 steps: running 0.07 ms, ready 1.6 ms, waiting 300 ms

The same holds for `uvicorn --workers`, gunicorn and forks. To tell them apart in a backend, have OpenTelemetry put the
process's id into the resource: `OTEL_EXPERIMENTAL_RESOURCE_DETECTORS=otel,process`.
"""

import asyncio
import multiprocessing
import time


async def work(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def named(name: str, seconds: float) -> None:
    await asyncio.create_task(work(seconds), name=name)


def run(name: str, seconds: float) -> None:
    asyncio.run(named(name, seconds))


if __name__ == "__main__":
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=run, args=args) for args in (("north", 0.1), ("south", 0.3))]
    for process in processes:
        process.start()
        time.sleep(0.2)  # so that the first one is told first
    for process in processes:
        process.join()
