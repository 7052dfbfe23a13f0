"""`loopscope run`: the picture at the end, exit codes, and being called wrongly."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.ground.receiver import Receiver

SEED = Path(__file__).parents[2] / "examples" / "seed.py"
BARE = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}


def loopscope(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "loopscope.activation.cli", *arguments],
        capture_output=True, text=True, timeout=60, cwd=cwd, env={**BARE, "PYTHONIOENCODING": "utf-8", **environment},
    )  # fmt: skip


def program(folder: Path, text: str) -> str:
    """A script in a folder."""
    path = folder / "program.py"
    path.write_text(text)
    return str(path)


def test_seed_program() -> None:
    done = loopscope("run", str(SEED))
    assert done.returncode == 0
    printed = [
        "enter task1",
        "enter task2",
        "continue task2",
        "continue task1",
        "finish task2",
        "hello",
        "finish task1",
    ]
    assert [line for line in done.stdout.splitlines() if line in printed] == printed * 2
    assert len(re.findall(r"^trace [0-9a-f]{32}  \d+ ms$", done.stderr, re.M)) == 2
    steps = re.findall(
        r"(main|model_gen) (\d) +(start|timer|task)( \w+)? +(suspended|returned)( .*)?$", done.stderr, re.M
    )
    assert [(name, index, waker) for name, index, waker, *_ in steps] == 2 * [
        ("main", "0", "start"),
        ("model_gen", "0", "start"),
        ("model_gen", "0", "start"),
        ("model_gen", "1", "timer"),
        ("model_gen", "1", "timer"),
        ("model_gen", "2", "timer"),
        ("main", "1", "task"),
        ("model_gen", "2", "timer"),
        ("main", "2", "task"),
    ]
    lines = re.findall(r"^ +\S+ ms  Task-\d+ (main|model_gen) (\d) +(\S.*)$", done.stderr, re.M)
    assert lines == [
        line
        for name in ("main1", "main2")
        for line in [
            ("main", "0", name),
            ("main", "0", "create task1"),
            ("main", "0", "create task2"),
            ("model_gen", "0", "enter task1"),
            ("model_gen", "0", "enter task2"),
            ("model_gen", "1", "continue task2"),
            ("model_gen", "1", "continue task1"),
            ("model_gen", "2", "finish task2"),
            ("main", "1", "hello"),
            ("model_gen", "2", "finish task1"),
            ("main", "2", "all done task1 done task2 done"),
        ]
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [("import sys; sys.exit(3)", 3), ("raise ValueError('mine')", 1), ("import os; os.kill(os.getpid(), 15)", 143)],
)
def test_exit_code_is_the_programs(tmp_path: Path, text: str, code: int) -> None:
    done = loopscope("run", program(tmp_path, text))
    assert done.returncode == code
    assert "Nothing was recorded" in done.stderr
    assert ("ValueError: mine" in done.stderr) == (code == 1)


def test_module_and_arguments(tmp_path: Path) -> None:
    text = "import asyncio, sys\nasync def main(): print(sys.argv[1:])\nasyncio.run(main())\n"
    program(tmp_path, text)
    assert loopscope("run", "-m", "program", "-m", "--detail", cwd=tmp_path).stdout == "['-m', '--detail']\n"
    done = loopscope("run", "--detail", "tasks", "program.py", "--port", "1", cwd=tmp_path)
    assert done.stdout == "['--port', '1']\n"
    assert "main Task-1: returned" in done.stderr and "start " not in done.stderr


def test_trace_file_is_kept(tmp_path: Path) -> None:
    kept = tmp_path / "trace.jsonl"
    assert loopscope("run", "--trace-file", str(kept), str(SEED)).returncode == 0
    names = [
        span["name"]
        for line in kept.read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    assert len(names) == 24 and names.count("task model_gen") == 4


def test_colours(tmp_path: Path) -> None:
    """Only where they are wanted, and never of the program's doing."""
    path = program(tmp_path, "import asyncio\nasync def main(): pass\nasyncio.run(main())\n")
    assert "\x1b[32m█" in loopscope("run", path, FORCE_COLOR="1").stderr
    assert "\x1b" not in loopscope("run", path).stderr + loopscope("run", path, FORCE_COLOR="1", NO_COLOR="1").stderr
    assert loopscope("run", path, PYTHONIOENCODING="ascii").stderr.isascii()


def test_with_an_endpoint_it_exports_there() -> None:
    with Receiver() as receiver:
        done = loopscope(
            "run", str(SEED), OTEL_EXPORTER_OTLP_ENDPOINT=receiver.http, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf"
        )
        assert len(receiver.wait(24)) == 24
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run"], "name a program"),
        (["run", "nowhere.py"], "no such file: nowhere.py"),
        (["run", "--trace-file", "/nowhere/x", str(SEED)], "cannot write the trace file /nowhere/x"),
        (["run", "--no-such-option", str(SEED)], "no-such-option"),
        (["no-such-command"], "no-such-command"),
        ([], "command"),
    ],
)
def test_called_wrongly(arguments: list[str], told: str) -> None:
    done = loopscope(*arguments)
    assert done.returncode == 2
    assert told in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 3


def test_missing_module_and_bad_setting(tmp_path: Path) -> None:
    done = loopscope("run", "-m", "no_such_module")
    assert done.returncode == 1 and "No module named no_such_module" in done.stderr
    done = loopscope("run", "--delay-threshold", "never", str(SEED))
    assert done.returncode == 0
    assert done.stderr.count("OTEL_PYTHON_LOOPSCOPE_DELAY_THRESHOLD='never'") == 1


def test_interrupt_reaches_the_program(tmp_path: Path) -> None:
    text = (
        "import asyncio\nasync def main():\n  print('up', flush=True)\n  try: await asyncio.sleep(30)\n"
        "  finally: print('tidied', flush=True)\nasyncio.run(main())\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "loopscope.activation.cli", "run", program(tmp_path, text)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**BARE, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert child.stdout is not None and child.stdout.readline() == "up\n"
    time.sleep(0.05)
    os.killpg(child.pid, signal.SIGINT)
    out, told = child.communicate(timeout=20)
    assert out == "tidied\n"
    assert child.returncode == 130
    assert "main Task-1: cancelled" in told or "main Task-1: raised KeyboardInterrupt" in told


def test_help_has_an_example() -> None:
    done = loopscope("run", "--help")
    assert done.returncode == 0 and "example: loopscope run" in done.stdout
