"""Whether a program with the variable set comes up instrumented, on which loops, by which core, and is recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib import resources
from typing import Any

from loopscope.activation.cli.doctor.finding import FAIL, OK, WARN, Finding, Findings
from loopscope.recording import file
from loopscope.recording.errors import SourceError
from loopscope.settings import PREFIX, child_environment

#: seconds that the program may take
_TIMEOUT = 30
_NOT_ON = "see the line on the start-up file; python -S does without it too"


def findings(core: str) -> Findings:
    """The lines, with this core asked for."""
    with tempfile.TemporaryDirectory(prefix="loopscope-") as folder:
        trace = os.path.join(folder, "trace.jsonl")
        found, said = _probe(trace, core)
        if found is None:
            yield Finding(FAIL, f"a program started with {PREFIX}ENABLED=true did not run: {said}", "run one by hand")
            return
        yield from _loops(found["loops"])
        yield from _records(trace, sum(1 for loop in found["loops"].values() if loop["on"]))
    if found["call_soon"] != "asyncio.base_events":
        yield Finding(
            WARN, f"asyncio's call_soon was replaced by {found['call_soon']} before loopscope came",
            "if steps are missing, start without it",
        )  # fmt: skip


def _probe(trace: str, core: str) -> tuple[dict[str, Any] | None, str]:
    """What the program printed; else None, and why."""
    program = resources.files(__package__).joinpath("probe.py").read_text(encoding="utf-8")
    changes = {PREFIX + "ENABLED": "true", PREFIX + "TRACE_FILE": trace, PREFIX + "CORE": core}
    try:
        ended = subprocess.run(
            [sys.executable, "-c", program], env=child_environment(changes, standard=False),
            capture_output=True, text=True, errors="replace", timeout=_TIMEOUT,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    try:
        return json.loads(ended.stdout.splitlines()[-1]), ""
    except (ValueError, IndexError):
        return None, (ended.stderr.splitlines() or [f"exit code {ended.returncode}"])[-1]


def _loops(loops: dict[str, dict[str, Any]]) -> Findings:
    for name, loop in loops.items():
        named = f"{name} {loop['version']}" if loop.get("version") else name
        if not loop["on"]:
            why = loop.get("error", "loopscope is not on in it")
            yield Finding(FAIL, f"a child interpreter's loop of {named}: {why}", _NOT_ON)
            continue
        yield Finding(OK, f"a child interpreter's loop of {named} is seen, by the {loop['core']} core")
        yield from (Finding(FAIL, f"{named}: {told}", "start without what replaced it") for told in loop["blind"])
        if loop["errors"]:
            yield Finding(FAIL, f"{named}: {loop['errors']} errors of loopscope's own", "look at the log of loopscope")
    for reason in {loop["slower"] for loop in loops.values() if loop.get("slower")}:
        yield Finding(OK, f"the Python core serves, which costs more per step: {reason}")
    if "uvloop" not in loops:
        yield Finding(OK, "uvloop is not installed")


def _records(trace: str, loops: int) -> Findings:
    if not loops:
        return
    try:
        steps = sum(span.name.startswith("step ") for span in file.read(trace).spans)
    except SourceError as error:
        yield Finding(FAIL, f"its steps were not recorded: {error}", "look at the log of loopscope")
        return
    expected = 2 * loops
    if steps == expected:
        yield Finding(OK, f"all of its {steps} steps were recorded")
    else:
        yield Finding(FAIL, f"{steps} of its {expected} steps were recorded", "look at the log of loopscope")
