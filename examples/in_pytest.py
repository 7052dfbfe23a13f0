"""How do I keep blocking steps out of what my tests cover?

    python -m pytest -q examples/in_pytest.py

A fixture for every test: it fails where a step held the thread for 50 ms, and shows the stack that was taken meanwhile.

    ERROR at teardown of test_sign
    ...
    step sign blocked the event loop:
    File "examples/in_pytest.py", line 44, in sign
        return hashlib.pbkdf2_hmac("sha256", order, b"key", 500_000)
    ...
    2 passed, 1 error

So `sign` belongs into `asyncio.to_thread`. A busy machine is a stall too: keep the threshold well above its hiccups.
"""

import asyncio
import hashlib
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from loopscope import LoopscopeInstrumentor


@pytest.fixture(autouse=True)
def nothing_blocks() -> Iterator[None]:
    spans = InMemorySpanExporter()
    LoopscopeInstrumentor().instrument(span_exporter=spans, stall_threshold=0.05)
    yield
    LoopscopeInstrumentor().uninstrument()
    for span in spans.get_finished_spans():
        for event in span.events:
            if event.name == "asyncio.stall":
                pytest.fail(
                    f"{span.name} blocked the event loop:\n{event.attributes['code.stacktrace']}", pytrace=False
                )


async def sign(order: bytes) -> bytes:
    await asyncio.sleep(0)
    return hashlib.pbkdf2_hmac("sha256", order, b"key", 500_000)


def test_sign() -> None:
    assert asyncio.run(sign(b"tea"))


def test_sign_in_a_thread() -> None:
    assert asyncio.run(asyncio.to_thread(lambda: asyncio.run(asyncio.sleep(0.01, True))))
