"""CPython's own test_asyncio passes with loopscope on as it does without, and loopscope records it all the while.

Without-runs are cached outside the repository, one for each interpreter and module.
"""

from __future__ import annotations

import operator
import sys
from pathlib import Path

import pytest

from tests.cpython import runner
from tests.ground import pythons
from tests.outside import core

#: tests that pass without and not with it, each with its reason
EXEMPT: dict[str, str] = {}

#: spans that a whole run makes at the least (3.10 has the fewest)
SPANS = 20_000

#: versions that run all of it: the one at hand and the newest. The others run what is nearest to tasks.
WHOLE = {f"{sys.version_info[0]}.{sys.version_info[1]}", pythons.VERSIONS[-1]}
NEAREST = (
    "base_events",
    "eager_task_factory",
    "futures",
    "locks",
    "queues",
    "runners",
    "taskgroups",
    "tasks",
    "timeouts",
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", pythons.VERSIONS)
def test_asyncio(version: str) -> None:
    names = runner.modules(version)
    assert len(names) >= 25
    whole = version in WHOLE
    if not whole:
        names = [name for name in names if name.rpartition("test_")[2] in NEAREST]
    tests = spans = recording = 0
    worse: dict[str, str] = {}
    for comparison in runner.compare_all(version, names, EXEMPT):
        outcomes = comparison.with_it
        assert not outcomes.broken, f"{outcomes.module}: {outcomes.broken}\n{outcomes.err}"
        worse |= comparison.worse
        tests += sum(outcome == "passed" for outcome in outcomes.tests.values())
        spans += outcomes.spans
        counts = outcomes.counts
        assert counts is not None and counts["recording"] and not counts["errors"], (outcomes.module, counts)
        assert counts["core"] == core(), counts
        assert counts["flushed"] and not counts["records.dropped"], (outcomes.module, counts)
        recording += counts["spans.of_tests"] > 0
    assert not worse, "\n\n".join(f"{name}: {text}" for name, text in worse.items())
    least = (1_900, SPANS, 20) if whole else (900, 1_000, 6)
    assert all(map(operator.ge, (tests, spans, recording), least)), (tests, spans, recording)


def test_the_comparison_sees_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A module whose tests fail, vanish, are skipped or hang with loopscope on, and pass without."""
    before = {"a": "passed", "b": "passed", "c": "passed", "d": "failed", "e": "skipped", "setUpClass (x)": "passed"}
    after = {"a": "passed", "b": "failed", "c": "skipped", "d": "failed", "e": "failed", "new": "failed"}
    monkeypatch.setattr(runner, "without", lambda version, module: before)
    monkeypatch.setattr(runner, "run", lambda version, module, *, on, only=(): runner.Outcomes(module, dict(after)))
    assert sorted(runner.compare("3.11", "m").worse) == ["b", "c", "new", "setUpClass (x)"]
    assert sorted(runner.compare("3.11", "m", {"b": "why"}).worse) == ["c", "new", "setUpClass (x)"]
