"""More than it can take: what is lost is counted and told once, nothing stays open, memory is bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ground.receiver import Protocol, Receiver
from tests.processes.program import PROTOCOLS, Ended, assert_unique, run, steps_by_task, to

# It counts its own steps and tasks, and what is taken from the buffer: excluded tasks are asyncio's own.
FLOOD = """
import asyncio, json, os, sys
from collections import Counter
from loopscope import runtime
from loopscope.model import BIRTH, STEP
from tests.taking import hear
did, fed, excluded = Counter(), Counter(), set()
def count(record):
    if record[0] == BIRTH and record[3].excluded:  # the runner's own
        excluded.add(record[1])
    fed["steps"] += record[0] == STEP and record[1] not in excluded
    fed["tasks"] += record[0] == BIRTH and not record[3].excluded
hear(count)
async def work(steps):
    did["tasks"] += 1
    did["steps"] += 1
    for _ in range(steps - 1):
        await asyncio.sleep(0)
        did["steps"] += 1
async def main():
    did["tasks"] += 1
    did["steps"] += 1
    for _ in range({waves}):
        await asyncio.wait([asyncio.create_task(work({steps})) for _ in range({jobs})])
        did["steps"] += 1
    pipeline = runtime.current().pipeline
    for _ in range({naps}):
        await asyncio.sleep(0.1)
        did["steps"] += 1
    did["open"] = len(pipeline.assembler.lives)
    did["open visits"] = pipeline.tracer.open
asyncio.run(main())
runtime.flush()
print(json.dumps([did, fed, runtime.statistics()]))
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def flood(
    receiver: Receiver, size: int, **numbers: int
) -> tuple[Ended, dict[str, int], dict[str, int], dict[str, Any]]:
    """What the program did, what was taken, and the statistics."""
    more = {"OTEL_PYTHON_LOOPSCOPE_BUFFER_SIZE": str(size), "OTEL_PYTHON_LOOPSCOPE_SEGMENT_SECONDS": "1"}
    ended = run(FLOOD.format(**numbers), to(receiver, **more))
    assert ended.code == 0, ended.err
    did, fed, statistics = json.loads(ended.out)
    return ended, did, fed, statistics


@pytest.mark.parametrize("numbers", [{"waves": 3, "jobs": 50, "steps": 20}, {"waves": 1, "jobs": 1000, "steps": 2}])
def test_tiny_buffer(receiver: Receiver, numbers: dict[str, int]) -> None:
    """Every record was taken or counted, and tasks whose ends were lost do not stay."""
    ended, did, fed, statistics = flood(receiver, 64, naps=30, **numbers)
    assert did["tasks"] == 1 + numbers["waves"] * numbers["jobs"]
    assert did["steps"] == 1 + numbers["waves"] * (1 + numbers["jobs"] * numbers["steps"]) + 30
    dropped = statistics["records.dropped"]
    assert dropped > 1000  # else it proves nothing
    # records of other kinds, such as looks at the selector, find no room either
    assert 0 <= fed["steps"] + fed["tasks"] + dropped - did["steps"] - did["tasks"] <= 5
    assert ended.err.splitlines() == [f"loopscope lost {dropped} records (buffer full)"]
    assert sum(steps_by_task(receiver.spans()).values()) == fed["steps"]
    assert_unique(receiver.spans())
    assert did["open"] <= 1  # main


def test_large_buffer_loses_nothing(receiver: Receiver) -> None:
    """The control: the same flood with room for it."""
    ended, did, fed, statistics = flood(receiver, 10_000, waves=3, jobs=50, steps=20, naps=2)
    assert (statistics["records.dropped"], ended.err) == (0, "")
    assert (fed["steps"], fed["tasks"]) == (did["steps"], did["tasks"]) == (3006, 151)
    assert sum(steps_by_task(receiver.spans()).values()) == 3006


# Resident memory, once all is imported and every buffer is full, and some ten thousand tasks later.
DEAD = """
import asyncio, os, time
from loopscope import runtime
def megabytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
async def work():
    for _ in range(10):
        await asyncio.sleep(0)
async def main():
    start, seen, tasks, lost = time.monotonic(), [], 0, set()
    def full():  # it was tried a few times with as much as may wait, however seldom our thread had its turn
        lost.add(runtime.statistics()["spans.dropped"].get("export_failed", 0))
        return len(lost) > 4 or time.monotonic() > start + 40
    for moment, ready in ((12, full), (8, lambda: True)):
        until = time.monotonic() + moment
        while time.monotonic() < until or not ready():
            await asyncio.wait([asyncio.create_task(work()) for _ in range(50)])
            tasks += 50
        seen.append(megabytes())
    print(tasks, *seen)
asyncio.run(main())
"""


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_memory_with_a_dead_backend(protocol: Protocol) -> None:
    """It hangs: what cannot leave is dropped and counted."""
    more = {"OTEL_PYTHON_LOOPSCOPE_BUFFER_SIZE": "5000", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    with Receiver("hang") as receiver:
        ended = run(DEAD, to(receiver, protocol, **more), timeout=60)
    tasks, early, late = map(float, ended.out.split())
    assert tasks > 2000
    assert late - early < 5, f"{early} MB once it was full, {late} MB after 8 s more"
    assert [line.split(" ")[:2] for line in ended.err.splitlines()] == [["loopscope's", "spans"], ["loopscope", "lost"]]


def test_its_own_processor_time_is_bounded(receiver: Receiver) -> None:
    """Past MAX_CPU_SHARE detail goes down, says why, and no total is lost."""
    more = {f"OTEL_PYTHON_LOOPSCOPE_{name}": value for name, value in (
        ("MAX_CPU_SHARE", "0.001"), ("MAX_SPANS_PER_SECOND", "1000000"), ("SEGMENT_SECONDS", "1"),
    )}  # fmt: skip
    ended = run(FLOOD.format(waves=20, jobs=50, steps=20, naps=5), to(receiver, **more))
    assert ended.code == 0, ended.err
    did, _, statistics = json.loads(ended.out)
    assert set(statistics["detail.changes"]) == {"cpu"} and statistics["detail.level"] in (1, 2)
    assert statistics["spans.dropped"] == {} and statistics["records.dropped"] == 0
    told = [span for span in receiver.spans() if span.name.startswith("task work")]
    assert len(told) == did["tasks"] - 1
    assert sum(span.attributes["asyncio.task.step.count"] for span in told) == 20 * 50 * 20
    events = [event for span in receiver.spans() for event in span.events if event.name == "loopscope.detail"]
    assert events and {event.attributes["loopscope.cause"] for event in events} == {"cpu"}
