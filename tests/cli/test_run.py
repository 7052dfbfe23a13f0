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

from tests.cli.calling import BARE, loopscope, program
from tests.ground.receiver import Receiver

SEED = Path(__file__).parents[2] / "examples" / "seed.py"


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
    assert len(re.findall(r"^trace [0-9a-f]{32}  [\d.]+ m?s$", done.stderr, re.M)) == 2
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
    blocks = re.findall(r"^  printed\n((?:.+\n)+)", done.stderr, re.M)
    lines = re.findall(r"^ +\S+ m?s  Task-\d+ (main|model_gen) (\d) +(\S.*)$", "".join(blocks), re.M)
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


def exporting(receiver: Receiver) -> dict[str, str]:
    """An environment that names an endpoint."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}


def test_with_an_endpoint_it_exports_there() -> None:
    """What it does not know, such as a page of Jaeger's on some port, it does not claim."""
    with Receiver() as receiver:
        done = loopscope("run", str(SEED), **exporting(receiver))
        assert len(receiver.wait(24)) == 24
    assert done.returncode == 0
    assert done.stderr == f"loopscope: the exporter's endpoint is {receiver.http} (http/protobuf)\n"


def test_deep_link_to_a_search_of_the_run() -> None:
    began = time.time_ns() // 1000
    with Receiver() as receiver:
        known = {"OTEL_PYTHON_LOOPSCOPE_JAEGER_URL": "http://jaeger.test/ui/", "OTEL_SERVICE_NAME": "a shop"}
        done = loopscope("run", str(SEED), **exporting(receiver), **known)
    found = re.search(
        r"look at http://jaeger.test/ui/search\?service=a\+shop&lookback=custom&start=(\d+)&end=(\d+)&", done.stderr
    )
    assert found is not None, done.stderr
    assert began <= int(found[1]) < int(found[2]) <= time.time_ns() // 1000


def test_deep_links_to_known_traces(tmp_path: Path) -> None:
    """With a trace file beside the endpoint it knows which traces there are."""
    with Receiver() as receiver:
        known = {"OTEL_PYTHON_LOOPSCOPE_JAEGER_URL": "http://jaeger.test"}
        done = loopscope("run", "--trace-file", str(tmp_path / "t.jsonl"), str(SEED), **exporting(receiver), **known)
        traces = list(dict.fromkeys(span.trace_id for span in receiver.wait(24)))
    linked = re.findall(r"http://jaeger.test/trace/([0-9a-f]{32})$", done.stderr, re.M)
    assert sorted(linked) == sorted(traces) and len(linked) == 2
    assert "holds the thread" in done.stderr or "hold the thread" in done.stderr


@pytest.mark.parametrize("given", [[], ["--trace-file", "kept.jsonl"]])
def test_page(tmp_path: Path, given: list[str]) -> None:
    """Beside the trace file, or among the temporary ones; not opened, for there is no terminal."""
    done = loopscope("run", *given, "--html", str(SEED), cwd=tmp_path, TMPDIR=str(tmp_path), BROWSER="false")
    assert done.returncode == 0
    found = re.search(r"^loopscope: wrote (.*)$", done.stderr, re.M)
    assert found is not None, done.stderr
    name = "kept.html" if given else "seed.html"
    assert found[1].endswith(name) and "model_gen" in Path(tmp_path, found[1]).read_text()
    assert len(list(tmp_path.rglob("*.jsonl"))) == (1 if given else 0)
    assert "main Task-1" in done.stderr


def test_trace_file_of_the_environment_is_written_too(tmp_path: Path) -> None:
    """It is appended to, as ever; drawn is this run alone."""
    named = tmp_path / "all.jsonl"
    named.write_text("before\n")
    for runs in (1, 2):
        done = loopscope("run", str(SEED), OTEL_PYTHON_LOOPSCOPE_TRACE_FILE=str(named))
        assert done.stderr.count("trace ") == 2
        assert named.read_text().startswith("before\n") and named.read_text().count('"step main"') == 6 * runs
    done = loopscope("run", str(SEED), OTEL_PYTHON_LOOPSCOPE_TRACE_FILE="/nowhere/x")
    assert done.returncode == 0 and "cannot write the trace file /nowhere/x" in done.stderr


def test_nothing_recorded_says_who_knows_why() -> None:
    done = loopscope("run", str(SEED), OTEL_SDK_DISABLED="true")
    assert done.returncode == 0 and "`loopscope doctor` tells why" in done.stderr


def test_page_where_one_says(tmp_path: Path) -> None:
    done = loopscope("run", f"--html={tmp_path}/x.html", str(SEED))
    assert done.returncode == 0 and "<title>seed.py</title>" in (tmp_path / "x.html").read_text()
    done = loopscope("run", "--html=/nowhere/x.html", str(SEED))
    assert done.returncode == 2 and "cannot write the page /nowhere/x.html" in done.stderr and not done.stdout


@pytest.mark.parametrize(
    "arguments", [["--html", "x"], ["-h"], ["--help"], ["--detail=x"], ["--", "-m", "x"], ["-m"], ["run", "--version"]]
)
def test_the_programs_own_options_are_its_own(tmp_path: Path, arguments: list[str]) -> None:
    path = program(tmp_path, "import sys; print(sys.argv[1:])")
    assert loopscope("run", path, *arguments).stdout == f"{arguments}\n"
    assert loopscope("run", "--stacks", "false", "--", path, *arguments).stdout == f"{arguments}\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run"], "name a program"),
        (["run", "nowhere.py"], "no such file: nowhere.py"),
        (["run", "--trace-file", "/nowhere/x", str(SEED)], "cannot write the trace file /nowhere/x"),
        (["run", "--no-such-option", str(SEED)], "no-such-option"),
        (["no-such-command"], "no-such-command"),
        ([], "command"),
        (["run", "--detail"], "--detail"),
        (["run", "-m"], "name a program"),
        (["run", "--trace-file", "/tmp/x", "--html=/tmp/x", str(SEED)], "cannot be the same file"),
    ],
)
def test_called_wrongly(arguments: list[str], told: str) -> None:
    done = loopscope(*arguments)
    assert done.returncode == 2
    assert told in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--trace-file", "{program}"], "is the program"),
        (["--html={program}"], "is the program"),
        (["--trace-file", "{other}"], "is a program"),
        (["--trace-file", "{kept}", "--html=/nowhere/x"], "cannot write the page /nowhere/x"),
        (["--trace-file", "{kept}", "--html={linked}"], "cannot be the same file"),
    ],
)
def test_what_is_there_stays_where_it_is_refused(options: list[str], told: str, tmp_path: Path) -> None:
    text, kept, linked = "print('ran')\n", tmp_path / "kept.jsonl", tmp_path / "linked.html"
    other = tmp_path / "other.py"
    other.write_text(text)
    path = program(tmp_path, text)
    kept.write_text("what was recorded")
    linked.symlink_to(kept)
    done = loopscope("run", *(one.format(program=path, kept=kept, linked=linked, other=other) for one in options), path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert told in done.stderr
    assert Path(path).read_text() == text and kept.read_text() == "what was recorded"
    assert other.read_text() == text


def test_missing_module_and_bad_setting(tmp_path: Path) -> None:
    done = loopscope("run", "-m", "no_such_module")
    assert done.returncode == 1 and "No module named no_such_module" in done.stderr
    done = loopscope("run", "--delay-threshold", "never", str(SEED))
    assert done.returncode == 0
    assert done.stderr.count("OTEL_PYTHON_LOOPSCOPE_DELAY_THRESHOLD='never'") == 1


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1"])
def test_signals_are_passed_on(tmp_path: Path, name: str) -> None:
    """Sent to the command alone, as supervisors do; what the program does of it is the end of both."""
    number = signal.Signals[name]
    text = (
        "import asyncio, signal, sys\nasync def main():\n"
        f"  asyncio.get_running_loop().add_signal_handler({int(number)}, sys.exit, 7)\n"
        "  print('up', flush=True)\n  await asyncio.sleep(30)\nasyncio.run(main())\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "loopscope.activation.cli", "run", program(tmp_path, text)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**BARE, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    with child:
        try:
            assert child.stdout is not None and child.stdout.readline() == "up\n"
            child.send_signal(number)
            _, told = child.communicate(timeout=20)
        finally:
            child.kill()
    assert child.returncode == 7 and "main Task-1" in told


def test_a_page_has_a_path(tmp_path: Path) -> None:
    done = loopscope("run", "--html=-", program(tmp_path, "print()"))
    assert done.returncode == 2 and "standard output is the program's" in done.stderr


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
