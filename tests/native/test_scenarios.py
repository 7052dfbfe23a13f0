"""Every scenario, recorded by both cores: the same records, times aside."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.native.taping import TAPE
from tests.outside import CORE, without
from tests.processes.program import ROOT

pytest.importorskip("loopscope.capture.native", exc_type=ImportError)

CORES = ("python", "native")
#: timers and threads on a busy machine make other sequences of one program
TRIES = 8
#: make as many steps as there is time for, or in an order that hangs on it
TIMED = "wakes_as_often_as or another_thread_that_keeps_the_gil"


def run(core: str, tests: Iterable[str], place: Path) -> dict[str, tuple[str, ...]]:
    """What this core recorded in these tests, by test."""
    place.unlink(missing_ok=True)
    options = ["-q", "-p", "no:cacheprovider", "-p", "tests.native.taping", "-k", f"not ({TIMED})"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    done = subprocess.run(
        command, cwd=ROOT, env={**without("OTEL_", "PYTEST_"), CORE: core, TAPE: str(place)},
        capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert place.exists(), done.stdout[-3000:] + done.stderr[-2000:]
    return {name: tuple(lines) for name, lines in map(json.loads, place.read_text().splitlines())}


@pytest.mark.timeout(600)
def test_scenarios(tmp_path: Path) -> None:
    """Each has a sequence in common, among some tries."""
    seen: dict[str, dict[str, set[tuple[str, ...]]]] = {core: {} for core in CORES}
    names = ["tests/scenarios"]
    for _ in range(TRIES):
        with ThreadPoolExecutor(len(CORES)) as pool:
            both = list(pool.map(run, CORES, [names] * len(CORES), [tmp_path / core for core in CORES]))
        for core, told in zip(CORES, both, strict=True):
            for name, lines in told.items():
                seen[core].setdefault(name, set()).add(lines)
        assert len(seen["python"]) > 300
        names = [name for name in seen["python"] if not seen["python"][name] & seen["native"].get(name, set())]
        if not names:
            return
    differing = {name: [sorted(seen[core].get(name, ())) for core in CORES] for name in names}
    assert not differing, differing
