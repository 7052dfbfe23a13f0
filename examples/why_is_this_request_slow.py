"""Why is this request slow?

    loopscope run examples/why_is_this_request_slow.py

Two requests at once; each asks a database for 100 ms and renders for 50. One of them takes twice as long:

    handle request-0: returned after 152 ms, 2 steps: running 50.3 ms, ready 1.9 ms, waiting 100.0 ms
    handle request-1: returned after 303 ms, 3 steps: running 50.2 ms, ready 52.1 ms, waiting 200 ms
    ...
    2.2 ms 1.5 ms 0.01 ms  request-1 handle 0 start main suspended asyncio.Lock.acq…
    ...
    most delayed steps
    50.3 ms  request-1 handle 1  why_is_this_request_slow.py:24  behind handle (request-0) 50.2 ms, ...

A life divides into running, ready and waiting. request-1 waited 100 ms more than the other, in `Lock.acquire`: the lock
is held over the query. And it was ready for 50 ms behind request-0, which renders on the loop's thread. Mend both.
"""

import asyncio
import time


async def query() -> None:
    await asyncio.sleep(0.1)


async def handle(turn: asyncio.Lock) -> None:
    async with turn:
        await query()
    time.sleep(0.05)  # renders


async def main() -> None:
    turn = asyncio.Lock()
    requests = [asyncio.create_task(handle(turn), name=f"request-{number}") for number in range(2)]
    await asyncio.gather(*requests)


asyncio.run(main())
