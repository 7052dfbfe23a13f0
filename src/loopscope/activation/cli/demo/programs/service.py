"""A small service whose requests are slow for no reason of their own: find out who holds them up."""

import asyncio
import hashlib

REQUESTS = 6
#: enough to hold the thread for some tenths of a second
ROUNDS = 700_000


async def handle_request(number: int) -> None:
    """Ask a database twice, as it were."""
    await asyncio.sleep(0.03 + number / 1000)
    await asyncio.sleep(0.03)


async def parse_report() -> None:
    """Wait for a report to come, then take it apart without ever letting the others run."""
    await asyncio.sleep(0.05)
    hashlib.pbkdf2_hmac("sha256", b"a report", b"of many lines", ROUNDS)
    await asyncio.sleep(0.01)


async def serve() -> None:
    """Some requests at once, and a report among them."""
    requests = [asyncio.create_task(handle_request(number), name=f"request-{number}") for number in range(REQUESTS)]
    report = asyncio.create_task(parse_report(), name="report")
    await asyncio.gather(*requests, report)


asyncio.run(serve())
