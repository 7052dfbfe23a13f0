"""How commands end: pipes that close, interrupts, progress on a terminal; help, version, completion."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from loopscope.activation import entry
from loopscope.conventions import VERSION
from tests.cli.calling import BARE, Caller, loopscope, trace_file
from tests.views import standin
from tests.views.made import TRACE
from tests.views.seed import seed
from tests.views.standin import StandIn

COMMAND = [sys.executable, "-m", "loopscope.activation.cli"]


@pytest.mark.parametrize("command", [["view", "{path}"], ["export", "{path}", "--to", "html", "-o", "-"], ["demo"]])
def test_reader_that_goes(tmp_path: Path, command: list[str]) -> None:
    """As in `| head -1`: no traceback, no `Exception ignored`."""
    arguments = [part.format(path=trace_file(tmp_path, seed())) for part in command]
    child = subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=BARE
    )
    assert child.stdout is not None and child.stderr is not None
    child.stdout.close()
    told = child.stderr.read()
    assert child.wait(60) == 1
    assert "Traceback" not in told and "Exception ignored" not in told
    child.stderr.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux's")
@pytest.mark.parametrize("command", [["view", "{path}"], ["view", "{path}", "--html", "-"], ["doctor"]])
def test_full_disk(tmp_path: Path, command: list[str]) -> None:
    arguments = [part.format(path=trace_file(tmp_path, seed())) for part in command]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, env=BARE, timeout=60
        )
    assert (done.returncode, done.stderr) == (1, "loopscope: No space left on device\n")


@pytest.mark.parametrize("command", [["view", "{path}"], ["run", "{program}"], ["doctor", "--help"], ["view", "gone"]])
@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_closed_streams(tmp_path: Path, command: list[str], closed: str) -> None:
    """As cron jobs and daemons have them: it says nothing, and does the rest."""
    program = tmp_path / "program.py"
    program.write_text("import asyncio\nasyncio.run(asyncio.sleep(0))\n")
    path = trace_file(tmp_path, seed())
    arguments = " ".join([*COMMAND, *(part.format(path=path, program=program) for part in command)])
    done = subprocess.run(
        f"{arguments} {closed}", shell=True, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=BARE, timeout=60
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2 if command[1] == "gone" else 0, False)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_page_is_utf_8_wherever_it_goes(tmp_path: Path, encoding: str) -> None:
    done = subprocess.run(
        [*COMMAND, "view", trace_file(tmp_path, seed()), "--html", "-"], capture_output=True, timeout=60,
        env={**BARE, "PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"") and "\u25b2" in done.stdout.decode()


def test_interrupt() -> None:
    """A backend that takes its time is not waited for."""
    with StandIn(standin.late(3)) as slow:
        child = subprocess.Popen(
            [*COMMAND, "view", f"{slow.base}/trace/{TRACE}"], stderr=subprocess.PIPE, text=True, env=BARE
        )
        while not slow.asked:
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=20)
    assert (child.returncode, told.strip()) == (130, "loopscope: interrupted")  # below the ^C of a terminal


def test_interrupt_while_it_is_imported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Half(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "loopscope.activation.cli", Half("loopscope.activation.cli"))
    assert (entry.main(), capsys.readouterr().err) == (130, "loopscope: interrupted\n")


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C reaches a terminal's programs by a group of processes")
def test_interrupt_of_the_demo() -> None:
    """Both it and its program get it: nobody is told where that was."""
    child = subprocess.Popen(
        [*COMMAND, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=BARE, start_new_session=True
    )
    assert child.stdout is not None
    while "create task2" not in child.stdout.readline():
        pass
    os.killpg(child.pid, signal.SIGINT)
    _, told = child.communicate(timeout=20)
    assert (child.returncode, told.strip()) == (130, "loopscope: interrupted")


def test_progress_on_a_terminal() -> None:
    """After a second, on standard error, and gone at the end; the exit code is as ever."""
    ours, theirs = pty.openpty()
    with StandIn(standin.late(1.5)) as slow:
        child = subprocess.Popen([*COMMAND, "view", TRACE, "--tempo-url", slow.base], stderr=theirs, env=BARE)
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # how a terminal ends
                break
            if not part:
                break
            said += part
        assert child.wait(20) == 1
    os.close(ours)
    text = said.decode()
    assert f"reading {TRACE}, 1 s" in text
    assert text.rindex("\r\x1b[K") < text.index("loopscope view: "), "the line was cleared before the error"


def test_no_progress_elsewhere() -> None:
    with StandIn(standin.late(1.2)) as slow:
        done = loopscope("view", TRACE, "--tempo-url", slow.base)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "reading" not in done.stderr


@pytest.mark.parametrize("command", [[], ["run"], ["view"], ["export"], ["demo"], ["doctor"]])
def test_help_has_an_example(call: Caller, command: list[str]) -> None:
    for option in ("-h", "--help"):
        code, out, err = call(*command, option)
        assert (code, err) == (0, "") and out.startswith(" ".join(["Usage: loopscope", *command]))
        assert re.search(r"^  Examples?:\n    (\S+=\S+ )*loopscope " + "".join(command), out, re.M)


def test_version(call: Caller) -> None:
    assert call("--version") == (0, f"loopscope {VERSION}\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    """As `--help` of the whole says."""
    script = loopscope(_LOOPSCOPE_COMPLETE=f"{shell}_source")
    assert script.returncode == 0 and "_LOOPSCOPE_COMPLETE" in script.stdout
    done = loopscope(_LOOPSCOPE_COMPLETE="bash_complete", COMP_WORDS="loopscope ", COMP_CWORD="1")
    assert done.stdout.split() == ["plain,demo", "plain,doctor", "plain,export", "plain,run", "plain,view"]
    done = loopscope(_LOOPSCOPE_COMPLETE="bash_complete", COMP_WORDS="loopscope run --st", COMP_CWORD="2")
    assert done.stdout.split() == ["plain,--stall-threshold", "plain,--stacks"]
