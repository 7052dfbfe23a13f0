"""Stalls of whole processes: one that is stopped, and one that forks."""

from __future__ import annotations

import signal
import time

import pytest

from tests.processes.program import Ended, Program, clean, run

PROGRAM = """
import asyncio, os, sys, threading, time
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from loopscope import LoopscopeInstrumentor, runtime
LoopscopeInstrumentor().instrument(span_exporter=InMemorySpanExporter(), stall_threshold=0.05)
run = __import__(sys.argv[1]).run
def counted():
    runtime.flush()
    stalls = runtime.current().pipeline.stalls
    stalls.tick(0, final=True)
    causes = sorted(cause for (place, cause), count in stalls.by_place.items() for _ in range(count))
    return " ".join(causes)
def threads():
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("loopscope"))
"""

STOPPED = f"""{PROGRAM}
def compute(seconds):
    used = time.process_time() + seconds
    while time.process_time() < used:
        pass
async def main():
    await asyncio.sleep(0.01)
    print("runs", flush=True)
    compute(0.04)
    os.read(0, 10)
    await asyncio.sleep(0.01)
run(main())
print(counted(), flush=True)
"""

FORKED = f"""{PROGRAM}
async def hold():
    await asyncio.sleep(0.01)
    time.sleep(0.15)
run(hold())
assert "loopscope-watchdog" in threads(), threads()
pid = os.fork()
if not pid:
    os.write(1, f"child {{threads()}} {{counted()}}\\n".encode())
    run(hold())
    os.write(1, f"child {{threads()}} {{counted()}}\\n".encode())
    sys.exit()
os.waitpid(pid, 0)
os.write(1, f"parent {{threads()}} {{counted()}}\\n".encode())
run(hold())
os.write(1, f"parent {{threads()}} {{counted()}}\\n".encode())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_process_that_is_stopped(loop: str) -> None:
    """SIGSTOP in mid-step, SIGCONT half a second later: nobody computed, and nobody kept the GIL."""
    ended: Ended | None = None
    for _ in range(3):  # on a machine that is busy elsewhere once is no proof
        program = Program(STOPPED, clean(), arguments=[loop])
        assert program.hear() == "runs"
        time.sleep(0.02)
        program.signal(signal.SIGSTOP)
        time.sleep(0.5)
        program.signal(signal.SIGCONT)
        time.sleep(0.02)
        program.say("go on")
        ended = program.end()
        if ended.out == "unscheduled\n":
            break
    assert ended is not None
    assert (ended.code, ended.out) == (0, "unscheduled\n"), ended.err
    assert "was not scheduled: the process was stopped" in ended.err


def test_no_watchdog_across_a_fork() -> None:
    """It is joined before, is back with the next loop on both sides, and each counts its own stalls."""
    ended: Ended | None = None
    expected = [
        "child [] ",
        "child ['loopscope', 'loopscope-watchdog'] blocking",
        "parent [] blocking",
        "parent ['loopscope', 'loopscope-watchdog'] blocking blocking",
    ]
    for _ in range(3):
        ended = run("import sys; sys.argv[1:] = ['asyncio']\n" + FORKED, clean(), flags=("-W", "error"))
        if ended.out.splitlines() == expected:
            break
    assert ended is not None
    assert ended.out.splitlines() == expected, ended.err
