"""As a new user would: every command of the README and each example of `--help`, in a shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from loopscope.activation.cli import commands
from tests.cli.calling import BARE, trace_file
from tests.ground.receiver import Receiver
from tests.processes.program import ROOT
from tests.views import standin
from tests.views.made import TRACE
from tests.views.seed import seed
from tests.views.standin import StandIn

README = (ROOT / "README.md").read_text(encoding="utf-8")
#: the trace id that the documents have
SHOWN = "0af7651916cd43dd8448eb211c80319c"
#: of each command, what it writes
WRITES = {"--html trace.html": "trace.html", "-o trace.json": "trace.json", "gzip": "trace.json.gz"}

APP = """
import asyncio, sys
async def main(): await asyncio.sleep(0.001)
asyncio.run(main())
"""


def blocks() -> list[str]:
    """The lines of README's shell blocks, without comments."""
    found = re.findall(r"^```sh\n(.*?)^```", README, re.S | re.M)
    return [line.split("  #")[0].split(" # ")[0].strip() for block in found for line in block.splitlines()]


def examples() -> Iterator[str]:
    """The examples of all helps."""
    for command in ([], *([name] for name in commands.commands)):
        told = CliRunner().invoke(commands, [*command, "--help"]).output
        yield from (line.strip() for line in re.findall(r"^    (.*loopscope .*)$", told, re.M) if "eval" not in line)


def inline() -> list[str]:
    """What README has in the middle of its text."""
    return [f"loopscope {rest}" for rest in re.findall(r"`loopscope (\w+ [^`]+)`", README)]


LINES = sorted({*(line for line in blocks() if line.startswith("loopscope ")), *examples(), *inline()})


def test_the_others_are_tested_elsewhere() -> None:
    """`make` runs what its file says, the service's start is tests/servers', and the stack's files are tests/stack's."""
    others = [line for line in blocks() if not line.startswith(("loopscope ", "export "))]
    stack = "docker compose -f deploy/compose.yaml up --build --detach --wait"
    assert others == ["make demo", "make test", "pip install loopscope", "uvicorn shop:app --workers 4", stack]
    assert re.search(r"^demo: setup .*\n\t\$\(BIN\)/loopscope demo$", (ROOT / "Makefile").read_text(), re.M)


def test_all_commands_are_documented() -> None:
    assert {line.split("loopscope ", 1)[1].split()[0] for line in LINES} == set(commands.commands)
    assert len(LINES) > 15


@pytest.mark.parametrize("line", LINES)
def test_documented(line: str, tmp_path: Path) -> None:
    """It runs in a folder with an app.py and a trace.jsonl, with a Jaeger, a Tempo and an OTLP receiver about."""
    (tmp_path / "app.py").write_text(APP)
    trace_file(tmp_path, seed())
    path = f"{Path(sys.executable).parent}{os.pathsep}{BARE['PATH']}"
    environment = {**BARE, "PATH": path, "TMPDIR": str(tmp_path), "BROWSER": "true", "PYTHONIOENCODING": "utf-8"}
    with StandIn(standin.jaeger(seed())) as jaeger, StandIn(standin.tempo(seed())) as tempo, Receiver() as receiver:
        for shown, there in (
            ("http://localhost:16686", jaeger.base), ("http://localhost:3200", tempo.base),
            ("http://localhost:4317", receiver.grpc), (SHOWN, TRACE),
        ):  # fmt: skip
            line = line.replace(shown, there)
        done = subprocess.run(
            ["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    for sign, name in WRITES.items():
        assert sign not in line or (tmp_path / name).stat().st_size > 100
    if " run " in line:
        assert "main Task-1: returned" in done.stderr
    if " view " in line and "--html" not in line and "--open" not in line:
        assert "model_gen Task-2" in done.stdout
    if line == "loopscope doctor":
        assert "No check failed." in done.stdout
