"""What a program prints under `loopscope run`, and all that it can see of its streams, is as without."""

from __future__ import annotations

import difflib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.processes.program import clean

SEED = Path(__file__).parents[2] / "examples" / "seed.py"

#: writes in every way that there is, and says to the file in argv what it sees of its streams
PROGRAM = """
import asyncio, contextlib, io, logging, os, sys
seen = open(sys.argv[1], "w", encoding="utf-8")

def see(*items):
    seen.write(" ".join(map(str, items)) + "\\n")

def streams():
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        see(name, stream is getattr(sys, "__" + name + "__"), type(stream), isinstance(stream, io.TextIOBase))
        see(repr(stream), stream.isatty(), stream.fileno(), stream.encoding, stream.errors, stream.closed)
        see(stream.line_buffering, stream.write_through, stream.newlines, stream.name, stream.mode, stream.writable())
        see(type(stream.buffer), type(stream.buffer.raw), stream.write.__name__, stream.write.__doc__)

logging.basicConfig(handlers=[logging.StreamHandler(sys.stderr)])
early = sys.stdout
early_write = sys.stdout.write

class Odd(str):
    def find(self, *args): raise AssertionError("asked")
    split = count = __getitem__ = __len__ = __str__ = find

class Both:
    def __init__(self, stream): self.stream, self.kept = stream, []
    def write(self, text):
        self.kept.append(text)
        return self.stream.write(text)
    def flush(self): self.stream.flush()

def failing(*args, **options):
    try:
        see("wrote", sys.stdout.write(*args, **options))
    except Exception as error:
        see(type(error), error)

async def main():
    streams()
    print("printed", 1, 2, sep="-", end="!\\n")
    print("no end", end="")
    print(" yet", flush=True)
    see("count", sys.stdout.write("written\\n"), sys.stdout.write(""), sys.stdout.write("two\\nlines\\n"))
    sys.stdout.writelines(["one\\n", "two\\n"])
    early.write("early\\n")
    early_write("earlier\\n")
    see("odd", sys.stdout.write(Odd("of a subclass\\n")))
    os.write(1, b"around the buffers\\n")
    sys.stdout.flush()
    sys.stdout.buffer.write(b"bytes\\n")
    sys.stdout.buffer.flush()
    print("ünïcode €", file=sys.stderr)
    logging.warning("logged")
    with contextlib.redirect_stdout(io.StringIO()) as kept:
        print("redirected")
    see("redirected", repr(kept.getvalue()))
    with contextlib.redirect_stderr(sys.stdout):
        print("to the other", file=sys.stderr)
    sys.stdout = both = Both(sys.stdout)
    print("to both")
    sys.stdout = sys.__stdout__
    see("both", both.kept)
    for arguments in ((), (1,), (None,), ("a", "b"), ("\\udc80\\n",), (b"bytes",)):
        failing(*arguments)
    failing(text="keyword")
    print()
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(print, "in a callback")
    await asyncio.to_thread(print, "in a thread")
    print("é" * 3_000)
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    streams()
    print("\\udc80")
    print("the last, without an end", end="")

print("before")
asyncio.run(main())
print("after")
replaced = io.TextIOWrapper(sys.stdout.detach(), encoding="latin-1")
failing("detached")
sys.stdout = replaced
print("é")
asyncio.run(asyncio.sleep(0))
"""


class Seen(NamedTuple):
    """What was seen of a program that ran: its bytes and what it said of its streams."""

    code: int
    out: bytes
    err: bytes
    said: list[str]


def ran(folder: Path, terminal: bool, *command: str) -> Seen:
    """Run a command, with a file for what the program sees as its last argument."""
    told = folder / f"{len(command)}.txt"
    ours, theirs = pty.openpty() if terminal else os.pipe()
    with subprocess.Popen(
        [sys.executable, *command, str(told)], stdout=theirs, stderr=subprocess.PIPE,
        env={**clean(), "PYTHONIOENCODING": "utf-8"},
    ) as child:  # fmt: skip
        os.close(theirs)
        out = b""
        try:
            while piece := os.read(ours, 1 << 16):
                out += piece
        except OSError:  # a terminal's end
            pass
        os.close(ours)
        _, err = child.communicate(timeout=60)
    said = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    return Seen(child.returncode, out, err, said)


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_a_program_that_writes_in_every_way(tmp_path: Path, terminal: bool) -> None:
    path, kept = tmp_path / "program.py", tmp_path / "trace.jsonl"
    path.write_text(PROGRAM, encoding="utf-8")
    without = ran(tmp_path, terminal, str(path))
    with_it = ran(tmp_path, terminal, "-m", "loopscope.activation.cli", "run", "--trace-file", str(kept), str(path))
    assert with_it.said == without.said, "\n".join(difflib.unified_diff(without.said, with_it.said, lineterm=""))
    assert with_it.out == without.out
    assert with_it.code == without.code == 0
    assert without.err.splitlines() == ["ünïcode €".encode(), b"WARNING:root:logged"]
    assert with_it.err.startswith(without.err + b"\ntrace ")  # the picture comes after it
    assert [line for line in without.said if line.startswith(("stdout", "redirected", "both", "odd"))] == [
        "stdout True <class '_io.TextIOWrapper'> True", "odd 14", "redirected 'redirected\\n'",
        "both ['to both', '\\n']", "stdout True <class '_io.TextIOWrapper'> True",
    ]  # fmt: skip
    # all of it but what went around the stream, and what no step wrote
    assert [(text, index) for _, text, index in events(kept)] == [
        *[(text, 0) for text in (
            "printed-1-2!", "no end yet", "written", "two", "lines", "one", "two", "early", "of a subclass",
            "ünïcode €", "WARNING:root:logged", "to the other", "to both", "",
        )],
        ("é" * 1_000 + "…", 2), ("?", 2),
    ]  # fmt: skip


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_seed_program(tmp_path: Path, terminal: bool) -> None:
    kept = tmp_path / "trace.jsonl"
    without = ran(tmp_path, terminal, str(SEED))
    with_it = ran(tmp_path, terminal, "-m", "loopscope.activation.cli", "run", "--trace-file", str(kept), str(SEED))
    assert without.out.splitlines() == [text.encode() for name in ("main1", "main2") for text in seed_lines(name)]
    assert with_it.out == without.out
    assert [text for _, text, _ in events(kept)] == without.out.decode().splitlines()


def seed_lines(name: str) -> list[str]:
    """What each `main` of the seed program prints."""
    return [
        name, "create task1", "create task2", "enter task1", "enter task2", "continue task2", "continue task1",
        "finish task2", "hello", "finish task1", "all done task1 done task2 done",
    ]  # fmt: skip


def events(path: Path) -> list[tuple[int, str, int]]:
    """The printed lines in a trace file, by time: (time, text, the step's index)."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        for scope in json.loads(line)["resourceSpans"][0]["scopeSpans"]:
            for span in scope["spans"]:
                said = {item["key"]: item["value"] for item in span["attributes"]}
                for event in span.get("events", ()):
                    if event["name"] == "asyncio.printed":
                        assert (
                            int(span["startTimeUnixNano"]) <= int(event["timeUnixNano"]) <= int(span["endTimeUnixNano"])
                        )
                        told = {item["key"]: item["value"]["stringValue"] for item in event["attributes"]}
                        index = int(said["asyncio.step.index"]["intValue"])
                        found.append((int(event["timeUnixNano"]), told["asyncio.printed.text"], index))
    return sorted(found, key=lambda line: line[0])  # those of one write have one time
