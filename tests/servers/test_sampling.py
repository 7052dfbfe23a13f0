"""What the application's sampler leaves out gets no spans of ours, whatever the caller said."""

from __future__ import annotations

import httpx
import pytest

from tests.servers.serving import Outcome, identity, serving
from tests.support import LOOPS

#: traceidratio looks at the lower half of a trace id: of 0.5, it takes the lower numbers
TAKEN, LEFT = 1 << 60, 0xF << 60


def requests(paths: list[str], loop: str, environment: dict[str, str]) -> Outcome:
    """Each path once in a trace taken and once in one left, each with the caller's flag set and unset."""
    with (
        serving("web", loop, environment=environment) as served,
        httpx.Client(base_url=f"http://127.0.0.1:{served.port}") as client,
    ):
        for number, path in enumerate(paths, 1):
            for lower in (TAKEN, LEFT):
                for sampled in (True, False):
                    trace = lower + 2 * number + sampled
                    assert client.get(path, headers=identity(trace, sampled)).is_success
        return served.stop(client.get("/journal").text)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_sampler_that_overrules_the_caller(loop: str) -> None:
    paths = ["/single", "/sleeps/3", "/spans", "/background", "/stream"]
    outcome = requests(paths, loop, {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"})
    assert len(outcome.done()) == 14  # five requests and two tasks of theirs, with the flag and without
    assert len(outcome.journal) == 28
    assert outcome.told() == outcome.done()
    left = {entry["trace_id"] for entry in outcome.journal if not entry["sampled"]}
    assert [span.name for span in outcome.spans if span.trace_id in left] == []


def test_always_off_leaves_nothing() -> None:
    outcome = requests(["/sleeps/3", "/background"], "asyncio", {"OTEL_TRACES_SAMPLER": "always_off"})
    assert len(outcome.journal) == 12
    assert outcome.spans == []
    assert outcome.ended is not None
    assert outcome.ended.told == []
