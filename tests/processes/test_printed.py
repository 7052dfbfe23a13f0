"""Printed lines in whole processes: where they are noted and where not, in children, when too many, on each Python."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ground.pythons import VERSIONS, missing, pythons
from tests.ground.receiver import Receiver
from tests.processes.program import clean, python, run, to

PROGRAM = """
import asyncio, sys
async def job():
    print("out")
    await asyncio.sleep(0)
    sys.stderr.write("err\\n")
    sys.stdout.writelines(["several\\n", "lines\\n"])
asyncio.run(job())
asyncio.run(asyncio.sleep(0))
"""
LINES = ["0 stdout out", "1 stderr err", "1 stdout several", "1 stdout lines"]


def lines(path: Path) -> list[str]:
    """`step stream text` of the lines in a trace file, by time."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        for span in json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            index = next((a["value"]["intValue"] for a in span["attributes"] if a["key"] == "asyncio.step.index"), "")
            for event in span.get("events", ()):
                if event["name"] == "asyncio.printed":
                    stream, text = (attribute["value"]["stringValue"] for attribute in event["attributes"])
                    found.append((int(event["timeUnixNano"]), f"{index} {stream} {text}"))
    return [text for _, text in sorted(found, key=lambda line: line[0])]


def under_run(
    folder: Path,
    source: str,
    *options: str,
    executable: str = sys.executable,
    environment: dict[str, str] | None = None,
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run a program by `loopscope run`: what came of it, and the lines in the trace file."""
    program, kept = folder / "program.py", folder / "trace.jsonl"
    program.write_text(source, encoding="utf-8")
    done = subprocess.run(
        [executable, "-m", "loopscope.activation.cli", "run", "--trace-file", str(kept), *options, str(program)],
        env=environment or clean(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done, lines(kept)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_python(tmp_path: Path, version: str) -> None:
    """An attribute of the stream is what print, writelines and C code look up."""
    if version not in pythons():
        pytest.skip(missing()[version])
    done, found = under_run(tmp_path, PROGRAM, executable=python(version))
    assert (done.returncode, done.stdout, found) == (0, "out\nseveral\nlines\n", LINES)


def test_uvloop(tmp_path: Path) -> None:
    _, found = under_run(tmp_path, PROGRAM.replace("asyncio.run(", "import uvloop; uvloop.run("))
    assert found == LINES


def test_nothing_is_noted_without_loopscope_run(tmp_path: Path) -> None:
    """Nor is it where spans go to a backend alone."""
    kept = tmp_path / "trace.jsonl"
    environment = {**clean(), "OTEL_PYTHON_LOOPSCOPE_ENABLED": "true", "OTEL_PYTHON_LOOPSCOPE_TRACE_FILE": str(kept)}
    ended = run(PROGRAM + "print('write' in vars(sys.stdout))", environment)
    assert ended.out == "out\nseveral\nlines\nFalse\n"
    assert lines(kept) == [] and "step job" in kept.read_text(encoding="utf-8")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM + "print('write' in vars(sys.stdout))", encoding="utf-8")
    with Receiver() as receiver:
        command = [sys.executable, "-m", "loopscope.activation.cli", "run", str(program)]
        done = subprocess.run(command, env=to(receiver), capture_output=True, text=True, timeout=60)
    assert done.stdout == "out\nseveral\nlines\nFalse\n"


def test_a_backend_beside_the_trace_file_gets_none(tmp_path: Path) -> None:
    with Receiver() as receiver:
        _, found = under_run(tmp_path, PROGRAM, environment=to(receiver))
        spans = [span for span in receiver.wait(3) if span.name == "step job"]
    assert found == LINES
    assert len(spans) == 2 and all(span.events == () for span in spans)


def test_children(tmp_path: Path) -> None:
    """A forked one and a new one: what each prints once, whatever was begun before."""
    source = """
import asyncio, os, subprocess, sys
async def child():
    print("child")
    await asyncio.sleep(0)
    print("child again")
async def parent():
    print("parent")
    await asyncio.sleep(0)
    subprocess.run([sys.executable, __file__, "new"])
async def last():
    print("last")
if len(sys.argv) == 1:
    asyncio.run(parent())
    sys.stdout.flush()
    if not os.fork():
        asyncio.run(child())
        sys.exit()
    os.wait()
    asyncio.run(last())
else:
    asyncio.run(child())
"""
    done, found = under_run(tmp_path, source)
    assert sorted(done.stdout.splitlines()) == ["child"] * 2 + ["child again"] * 2 + ["last", "parent"]
    child = ["0 stdout child", "1 stdout child again"]
    assert found == ["0 stdout parent", *child, *child, "0 stdout last"]


def test_too_many_are_counted_and_told(tmp_path: Path) -> None:
    source = """
import asyncio
async def job():
    print("\\n".join(map(str, range(5_000))))
asyncio.run(job())
from loopscope import runtime
print(runtime.statistics()["lines.dropped"])
"""
    done, found = under_run(tmp_path, source)
    assert done.stdout.splitlines() == [*map(str, range(5_000)), "4000"]
    assert found == [f"0 stdout {number}" for number in range(1_000)]
    assert "loopscope lost 4000 printed lines (too many)" in done.stderr


@pytest.mark.parametrize("detail", ["tasks", "none"])
def test_without_spans_of_steps_none_are_noted(tmp_path: Path, detail: str) -> None:
    done, found = under_run(tmp_path, PROGRAM + "print('write' in vars(sys.stdout))", "--detail", detail)
    assert (done.stdout, found) == ("out\nseveral\nlines\nFalse\n", [])


def test_switched_off_the_streams_are_as_before(tmp_path: Path) -> None:
    source = (
        PROGRAM
        + """
print("write" in vars(sys.stdout), "write" in vars(sys.stderr))
from loopscope import LoopscopeInstrumentor
LoopscopeInstrumentor().uninstrument()
print("write" in vars(sys.stdout), "write" in vars(sys.stderr))
"""
    )
    done, found = under_run(tmp_path, source)
    assert done.stdout == "out\nseveral\nlines\nTrue True\nFalse False\n"
    assert found == LINES


@pytest.mark.skipif("3.14" not in pythons(), reason="no Python 3.14 at hand")
def test_eager_first_steps(tmp_path: Path) -> None:
    """Each runs within its creator's step, and ends a line that the creator began."""
    source = """
import asyncio
async def child(name):
    print("child", name)
    await asyncio.sleep(0)
    print("child", name, "again")
async def main():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    print("begun ", end="")
    task = asyncio.create_task(child("a"))
    print("main")
    await task
asyncio.run(main())
"""
    calm = ("--delay-threshold", "10")  # no table of delayed steps, however busy the machine is
    done, found = under_run(tmp_path, source, *calm, executable=python("3.14"))
    assert done.stdout == "begun child a\nmain\nchild a again\n"
    assert found == ["0 stdout begun child a", "0 stdout main", "1 stdout child a again"]
    assert re.findall(r"^ +\S+ ms  Task-\d+ (main|child) \d +(\S.*)$", done.stderr, re.M) == [
        ("main", "begun child a"), ("main", "main"), ("child", "child a again"),
    ]  # fmt: skip
