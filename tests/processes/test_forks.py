"""Forks and multiprocessing: every process's spans arrive once, and a fork warns no more than without loopscope."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.ground.pythons import pythons
from tests.ground.receiver import Protocol, Receiver
from tests.processes.program import (
    CALM,
    PROTOCOLS,
    Ended,
    Program,
    assert_unique,
    clean,
    lateness,
    python,
    run,
    steps_by_task,
    to,
)

#: 3.11: an early join; 3.12: the warning about threads, and an early join; 3.13: neither; 3.14: forkserver by default
VERSIONS = ("3.11", "3.12", "3.13", "3.14")

# `work` counts its own steps; the process tells its name and count when it is done. One write a line: processes share it.
COUNTED = """
import asyncio, os, sys, time
async def work(name, naps, seconds=0.002):
    asyncio.current_task().set_name(name)
    steps = 1
    for _ in range(naps):
        await asyncio.sleep(seconds)
        steps += 1
    say(f"{name}={steps}")
def say(line):
    os.write(1, f"{line}\\n".encode())
def code(pid):
    say(f"exit={os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}")
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """A version of Python that is at hand."""
    if request.param not in pythons():
        pytest.skip(f"no Python {request.param} here")
    return str(request.param)


def assert_all_arrived(ended: Ended, receiver: Receiver) -> Counter[str]:
    """What the processes counted themselves is what came, once."""
    counted = Counter({name: int(steps) for name, steps in re.findall(r"^([\w-]+)=(\d+)$", ended.out, re.M)})
    del counted["exit"]
    spans = receiver.spans()
    came = steps_by_task(spans)
    assert {name: came[name] for name in counted} == dict(counted)
    told: Counter[str] = Counter()
    for span in spans:
        if span.name.startswith("task "):
            told[span.attributes["asyncio.task.name"]] += span.attributes["asyncio.task.step.count"]
    assert {name: told[name] for name in counted} == dict(counted)
    assert_unique(spans)
    ids = {span.span_id for span in spans}
    assert all(not span.parent_id or span.parent_id in ids for span in spans)
    assert all(span.attributes["asyncio.task.step.count"] for span in spans if span.name.startswith("task "))
    return counted


def as_without(source: str, version: str, environment: dict[str, str]) -> Ended:
    """Run it with loopscope: output, exit code and warnings are those of a run without.

    Warnings are errors, but for DeprecationWarning: CPython swallows the error that a fork's would be.
    """
    flags = ("-W", "error", "-W", "always::DeprecationWarning")
    plain, ended = (
        run(source, each, python=python(version), flags=flags, timeout=60) for each in (clean(), environment)
    )
    assert (sorted(ended.out.split()), ended.code, ended.err) == (sorted(plain.out.split()), plain.code, plain.err)
    return ended


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_fork_between_loops(receiver: Receiver, version: str, protocol: Protocol) -> None:
    source = f"""{COUNTED}
for generation in range(3):
    asyncio.run(work(f"parent-{{generation}}", 5))
    pid = os.fork()
    if not pid:
        asyncio.run(work(f"child-{{generation}}", 4))
        sys.exit(7)
    asyncio.run(work(f"beside-{{generation}}", 3))
    code(pid)
"""
    ended = as_without(source, version, to(receiver, protocol))
    counted = assert_all_arrived(ended, receiver)
    assert counted == {
        f"{who}-{n}": steps for who, steps in (("parent", 6), ("child", 5), ("beside", 4)) for n in "012"
    }
    assert ended.out.count("exit=7") == 3
    assert ended.err == ""


def test_fork_while_a_loop_runs(receiver: Receiver, version: str) -> None:
    """Within a step, while the worker thread runs and other tasks sleep; the child runs a loop of its own."""
    source = f"""{COUNTED}
async def main():
    beside = [asyncio.create_task(work(f"beside-{{n}}", 40, 0.01)) for n in range(3)]
    for generation in range(3):
        await asyncio.sleep(0.1)
        pid = os.fork()
        if not pid:
            asyncio.run(work(f"child-{{generation}}", 4))
            sys.stdout.flush()
            os.kill(os.getpid(), 15)
        code(pid)
    await asyncio.gather(*beside)
asyncio.run(main())
"""
    ended = as_without(source, version, to(receiver, **CALM))
    counted = assert_all_arrived(ended, receiver)
    assert counted == {**{f"beside-{n}": 41 for n in range(3)}, **{f"child-{n}": 5 for n in range(3)}}
    assert ended.out.count("exit=-15") == 3


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_many_forks_warn_no_more(receiver: Receiver, version: str, protocol: Protocol) -> None:
    """With the worker just begun, and with the exporter connected: no thread of ours is left when a fork counts them."""
    source = f"""{COUNTED}
def fork():
    pid = os.fork()
    if not pid:
        os._exit(0)
    code(pid)
for generation in range(12):
    asyncio.run(work(f"short-{{generation}}", 1))
    fork()
for generation in range(2):
    asyncio.run(work(f"long-{{generation}}", 10, 0.08))
    fork()
"""
    ended = as_without(source, version, to(receiver, protocol))
    counted = assert_all_arrived(ended, receiver)
    assert counted == {**{f"short-{n}": 2 for n in range(12)}, **{f"long-{n}": 11 for n in range(2)}}
    assert ended.err == ""


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_forks_while_a_receiver_hangs(version: str, protocol: Protocol) -> None:
    """They wait a moment for what is being sent, and not each time: a loop waits meanwhile."""
    source = """
import asyncio, os, time
async def main():
    await asyncio.sleep(0.8)
    for _ in range(4):
        await asyncio.sleep(0.05)
        began = time.perf_counter()
        if not os.fork():
            os._exit(0)
        print(time.perf_counter() - began)
asyncio.run(main())
"""
    with Receiver("hang") as receiver:
        ended = run(source, {**to(receiver, protocol), "OTEL_EXPORTER_OTLP_TIMEOUT": "3"}, python=python(version))
        assert receiver.requests()
    first, *others = map(float, ended.out.split())
    assert (ended.code, len(others)) == (0, 3)
    assert first < 1 and sorted(others)[1] < 0.1, ended.out


def test_child_that_leaves_at_once_loses_nothing_of_the_parent(receiver: Receiver, version: str) -> None:
    """By os._exit in mid-step, and by exec: what was recorded before the fork is the parent's, and comes once."""
    source = f"""{COUNTED}
async def main():
    await work("parent", 50, 0)
    for end in (lambda: os._exit(3), lambda: os.execv("/bin/true", ["true"])):
        pid = os.fork()
        if not pid:
            end()
        code(pid)
    await asyncio.sleep(0)
asyncio.run(main())
"""
    ended = as_without(source, version, to(receiver, **CALM))
    counted = {name: steps for name, steps in steps_by_task(receiver.spans()).items() if name == "parent"}
    assert counted == {"parent": 52}  # work has 51, and main one more on the same task
    assert_unique(receiver.spans())
    assert re.findall(r"exit=(\d+)", ended.out) == ["3", "0"]


MULTIPROCESSING = f"""{COUNTED}
import multiprocessing
def child(name):
    asyncio.run(work(name, 6))
    if name == "child-2":
        sys.exit(9)
async def main():
    beside = asyncio.create_task(work("beside", 30, 0.01))
    context = multiprocessing.get_context(sys.argv[1])
    children = [context.Process(target=child, args=(f"child-{{n}}",)) for n in range(3)]
    for each in children:
        each.start()
    await beside
    for each in children:
        await asyncio.to_thread(each.join)
    say("exit=%s" % [each.exitcode for each in children])
if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(
    receiver: Receiver, version: str, method: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Its children end by os._exit, without atexit."""
    path = tmp_path_factory.mktemp("program") / "program.py"
    path.write_text(MULTIPROCESSING)
    source = f"import runpy, sys; sys.argv[1:] = [{method!r}]; runpy.run_path({str(path)!r}, run_name='__main__')"
    ended = as_without(source, version, to(receiver, **CALM))
    assert ended.code == 0
    counted = assert_all_arrived(ended, receiver)
    assert counted == {"beside": 31, "child-0": 7, "child-1": 7, "child-2": 7}
    assert "exit=[0, 0, 9]" in ended.out


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_after_a_fork_spans_still_leave_within_a_second(receiver: Receiver, protocol: Protocol) -> None:
    source = f"""{COUNTED}
async def main():
    await asyncio.create_task(work("before", 3, 0.2))
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    await asyncio.create_task(work("after", 3, 0.2))
    await asyncio.sleep(1.5)
    say("waited")
    input()
asyncio.run(main())
"""
    for _ in range(2):  # on a machine that is busy elsewhere once is no proof
        receiver.clear()
        program = Program(source, to(receiver, protocol, **CALM))
        assert [program.hear() for _ in range(3)] == ["before=4", "after=4", "waited"]
        spans = [s for s in receiver.spans() if s.attributes["asyncio.task.name"] in ("before", "after")]
        assert Counter(s.name for s in spans) == {"task work": 2, "step work": 8}
        late = lateness(spans)
        program.say("")
        assert program.end().told == []
        if max(late.values()) < 1.0:
            return
    raise AssertionError(late)


def test_trace_file_and_given_exporter_outlive_a_fork(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What cannot be opened anew is kept over a fork, what can is; the child writes to the same file."""
    path = tmp_path_factory.mktemp("trace") / "trace.json"
    source = f"""{COUNTED}
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from loopscope import LoopscopeInstrumentor
exporter = InMemorySpanExporter()
LoopscopeInstrumentor().instrument(span_exporter=exporter, trace_file={str(path)!r})
asyncio.run(work("before", 2))
from loopscope import runtime
runtime.flush()
pid = os.fork()
if not pid:
    asyncio.run(work("child", 1))
    sys.exit()
code(pid)
asyncio.run(work("after", 1))
runtime.flush()
say(sorted(span.name for span in exporter.get_finished_spans()))
"""
    ended = run(source, clean())
    assert (ended.code, ended.err) == (0, "")
    names = ["step work"] * 5 + ["task work"] * 2
    assert ended.out.splitlines()[-1] == str(names)
    written = re.findall(r'"name": "(\w+ work)"', path.read_text())
    assert Counter(written) == {"step work": 7, "task work": 3}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_fork_where_calls_that_hold_up_a_loop_are_errors(receiver: Receiver, protocol: Protocol) -> None:
    """As in test suites that replace them to find those; they are not for loopscope's own before a fork."""
    source = f"""{COUNTED}
def refuse(*args):
    raise RuntimeError("it holds up the loop")
async def main():
    await work("before", 20, 0.01)  # spans were sent
    kept = os.stat, os.lstat, os.listdir, os.scandir, os.access, time.sleep
    os.stat = os.lstat = os.listdir = os.scandir = os.access = time.sleep = refuse
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.stat, os.lstat, os.listdir, os.scandir, os.access, time.sleep = kept
    code(pid)
    await work("after", 3)
asyncio.run(main())
"""
    ended = run(source, to(receiver, protocol, **CALM))
    assert (ended.code, ended.err) == (0, "")
    assert "exit=0" in ended.out
    assert steps_by_task(receiver.spans())["after"] == 4


def test_an_error_of_our_own_before_a_fork(receiver: Receiver) -> None:
    """It switches recording off, and the fork takes place."""
    source = f"""{COUNTED}
def fail(timeout):
    del watchdog.stop
    raise ValueError("of ours")
async def main():
    global watchdog
    from loopscope import runtime
    watchdog = runtime.current().watchdog
    watchdog.stop = fail
    pid = os.fork()
    if not pid:
        os._exit(3)
    code(pid)
asyncio.run(main())
"""
    ended = run(source, to(receiver, **CALM))
    assert ended.code == 0 and "exit=3" in ended.out
    assert ended.err.count("loopscope stopped recording after an error of its own") == 1
    assert "Exception ignored" not in ended.err
