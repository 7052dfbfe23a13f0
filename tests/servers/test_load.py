"""FastAPI under load: the requests that a slow handler delayed name its line."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import Counter

import httpx
import pytest

from tests.servers.apps import load
from tests.servers.serving import serving
from tests.support import LOOPS

#: seconds of load, requests at once, and what counts as delayed (a busy machine alone may delay by less)
SECONDS, AT_ONCE, DELAYED = 5.0, 8, 0.08
TRIES = 6


async def _load(url: str) -> int:
    until, count = time.monotonic() + SECONDS, 0

    async def client(number: int) -> None:
        nonlocal count
        async with httpx.AsyncClient(base_url=url) as one:
            while time.monotonic() < until:
                assert (await one.get(f"/{'item' if number % 2 else 'user'}/{number}")).is_success
                count += 1
                await asyncio.sleep(0.01)

    async def slow() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=10) as one:
            while time.monotonic() < until:
                assert (await one.get("/report")).is_success
                await asyncio.sleep(0.2)

    await asyncio.gather(slow(), *map(client, range(AT_ONCE)))
    return count


@pytest.mark.parametrize("loop", LOOPS)
def test_the_slow_handler_is_named(loop: str) -> None:
    """By its line, for at least 95 in a hundred of the requests that were delayed.

    The best of several tries: a machine that lends its processors out holds other steps for as long, and rightly named.
    """
    for _ in range(TRIES):
        blamed, right = _blamed(loop)
        if right >= 0.95 * blamed.total():
            break
    assert right >= 0.95 * blamed.total(), blamed


def _blamed(loop: str) -> tuple[Counter[str], int]:
    """The places that delayed requests blame, and how many the slow handler."""
    settings = {"OTEL_PYTHON_LOOPSCOPE_STALL_THRESHOLD": "0.02"}
    with serving("load", loop, environment=settings) as served:
        assert asyncio.run(_load(f"http://127.0.0.1:{served.port}")) > 50
        outcome = served.stop()
    source, first = inspect.getsourcelines(load.report)
    lines = {f"{load.__file__}:{number}" for number in range(first, first + len(source))}
    requests = {
        span.trace_id: span.name for span in outcome.theirs if span.kind == "SERVER" and "report" not in span.name
    }  # fmt: skip
    blamed: dict[str, str] = {}
    for step in outcome.steps():
        name = step.attributes.get("asyncio.step.delayed_by.name")
        if name and step.trace_id in requests and step.attributes["asyncio.step.delayed_by.duration"] >= DELAYED:
            blamed[step.trace_id] = step.attributes.get("asyncio.step.delayed_by.place", name)
    assert len(blamed) >= 20
    return Counter(blamed.values()), sum(place in lines for place in blamed.values())
