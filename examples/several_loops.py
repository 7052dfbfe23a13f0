"""How do I watch several loops?

    loopscope run examples/several_loops.py

Nothing is to be done: every loop of every thread is seen. Here `main` asks the loop of another thread, twice:

    MainThread ...
    renderer ...
    main Task-1: returned after 103 ms, 3 steps: running 0.58 ms, ready 0.68 ms, waiting 101 ms
    render Task-2: returned after 50.6 ms, 2 steps: running 0.09 ms, ready 0.56 ms, waiting 50.0 ms
    render Task-3: returned after 50.6 ms, 2 steps: running 0.09 ms, ready 0.55 ms, waiting 50.0 ms
    ...
    Task-1 main 1 thread _chain_future.<… ...
    Task-1 main 2 thread _chain_future.<… ...

Each thread has a lane that says who holds it, and `thread` in the column "woken by" is a wake from another one.
"""

import asyncio
import threading


async def render(page: int) -> int:
    await asyncio.sleep(0.05)
    return page


async def main(other: asyncio.AbstractEventLoop) -> None:
    for page in range(2):
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(render(page), other))


loop = asyncio.new_event_loop()
thread = threading.Thread(target=loop.run_forever, name="renderer")
thread.start()
asyncio.run(main(loop))
loop.call_soon_threadsafe(loop.stop)
thread.join()
loop.close()
