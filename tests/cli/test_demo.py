"""`loopscope demo`: what it draws and tells, and that its numbers are the Timeline's."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from loopscope.activation.cli.demo import story
from tests.cli.calling import loopscope
from tests.processes.program import ROOT
from tests.views.timelines import Builder, seed, service

PROGRAMS = ROOT / "src/loopscope/activation/cli/demo/programs"


def test_the_demo(tmp_path: Path) -> None:
    """Variables of the environment, such as a dead endpoint, do not reach the programs; nothing stays."""
    before = time.monotonic()
    done = loopscope(
        "demo", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_SDK_DISABLED="true", TMPDIR=str(tmp_path)
    )
    assert (done.returncode, os.listdir(tmp_path)) == (0, [])
    assert time.monotonic() - before < 20
    out = done.stdout
    assert [line for line in re.findall(r"^(?:enter|continue|finish) task\d$", out, re.M)] == 2 * [
        "enter task1", "enter task2", "continue task2", "continue task1", "finish task2", "finish task1",
    ]  # fmt: skip
    assert len(re.findall(r"^trace [0-9a-f]{32}", out, re.M)) == 3
    flat = " ".join(out.split())
    assert "In the first, 3 tasks took 9 steps, one at a time" in flat
    assert "`main` ended last: its step 2 was woken by the end of Task-2 (`model_gen`)" in flat
    assert re.search(
        r"`parse_report` did it: its step 1 held the thread for \d+ ms without suspending, seen at \S*service.py:\d+ after",
        flat,
    )
    assert "Meanwhile 6 tasks were ready and could not run" in flat
    assert re.search(r"The most delayed was request-\d \(`handle_request`\).*behind `parse_report` of report\.", flat)


def test_the_seed_program_is_that_of_the_examples() -> None:
    """But for its seconds, and what it says of itself."""

    def code(path: Path) -> str:
        return re.sub(r'", [\d.]+\)', '", _)', path.read_text().split('"""', 2)[2])

    assert code(PROGRAMS / "seed.py") == code(ROOT / "examples" / "seed.py")


def test_every_number_is_the_timelines() -> None:
    """The same sentences of a made Timeline have its numbers."""
    told = " ".join(story.of_service(service()))
    (culprit,) = [step for step in service().steps if step.delayed_count]
    assert f"`{culprit.qualname}` did it: its step {culprit.index} held the thread" in told
    assert f"Meanwhile {culprit.delayed_count} tasks were ready" in told
    assert "3 tasks took 9 steps" in " ".join(story.of_seed(seed()))


def test_nobody_to_blame() -> None:
    """A machine may be so quick, or so slow, that there is nothing to tell."""
    builder = Builder()
    builder.task(1, "main")
    assert list(story.of_service(builder.timeline)) == ["This time nobody held anybody up."]
