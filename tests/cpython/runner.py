"""Runs modules of an interpreter's own test_asyncio in processes of their own, with loopscope on or without."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ground import cache, pythons
from tests.processes.program import clean, python

INSIDE = Path(__file__).with_name("inside.py")

#: a module that takes longer hangs (seconds)
LONGEST = 400
#: modules at a time
WORKERS = 3


@dataclass(slots=True)
class Outcomes:
    """What became of the tests of one module: outcome and text by test id."""

    module: str
    tests: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    #: loopscope's own counts, None where it was off
    counts: dict[str, Any] | None = None
    #: why the process ended early, empty if it did not
    broken: str = ""
    #: spans that this process and its children wrote
    spans: int = 0
    #: what was written to stderr
    err: str = ""


def modules(version: str) -> list[str]:
    """The names of the interpreter's test_asyncio modules."""
    code = "import test.test_asyncio as t; print(t.__path__[0])"
    done = subprocess.run([python(version), "-c", code], capture_output=True, text=True, check=True, env=clean())
    return sorted(f"test.test_asyncio.{path.stem}" for path in Path(done.stdout.strip()).glob("test_*.py"))


def run(version: str, module: str, *, on: bool, only: Iterable[str] = ()) -> Outcomes:
    """Run one module, or `only` these tests of it."""
    with tempfile.TemporaryDirectory(prefix="loopscope-cpython-") as folder:
        report, traces = Path(folder, "report"), Path(folder, "traces")
        environment = {**clean(), "TMPDIR": folder}
        if on:
            environment |= {
                "OTEL_PYTHON_LOOPSCOPE_ENABLED": "true",
                "OTEL_PYTHON_LOOPSCOPE_TRACE_FILE": str(traces),
                "OTEL_PYTHON_LOOPSCOPE_MAX_SPANS_PER_SECOND": "100000",
                "OTEL_PYTHON_LOOPSCOPE_MAX_CPU_SHARE": "1",
            }
        command = [python(version), str(INSIDE), str(report), *(only or (module,))]
        broken = ""
        with Path(folder, "err").open("w+") as err:
            try:
                code = subprocess.run(
                    command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                    timeout=LONGEST, check=False,
                ).returncode  # fmt: skip
                if code:
                    broken = f"exit code {code}"
            except subprocess.TimeoutExpired:
                broken = f"still running after {LONGEST} s"
            err.seek(0)
            text = err.read()
        outcomes = Outcomes(module, broken=broken, err=text)
        _read(report, outcomes)
        outcomes.spans = sum(line.count(b'"traceId"') for line in traces.open("rb")) if traces.exists() else 0
    return outcomes


def _read(report: Path, outcomes: Outcomes) -> None:
    begun = ""
    ended = False
    for line in report.read_text(encoding="utf-8").splitlines() if report.exists() else ():
        facts = json.loads(line)
        if "begun" in facts:
            begun = facts["begun"]
        elif "test" in facts:
            name, outcome = facts["test"], facts["outcome"]
            begun = ""
            if outcomes.tests.get(name) != "failed":
                outcomes.tests[name] = outcome
            if facts["text"]:
                outcomes.texts[name] = facts["text"]
        else:
            ended, outcomes.counts = True, facts["counts"]
    if begun:
        outcomes.tests[begun] = "failed"
        outcomes.texts[begun] = outcomes.broken
    if not ended and not outcomes.broken:
        outcomes.broken = "the report has no end"


def without(version: str, module: str) -> dict[str, str]:
    """The outcomes without loopscope, from the cache if this interpreter has run it before."""

    def build(place: Path) -> None:
        outcomes = run(version, module, on=False)
        assert not outcomes.broken, f"{module} on {version} without loopscope: {outcomes.broken}\n{outcomes.err}"
        assert outcomes.counts is None, "loopscope was on"
        place.write_text(json.dumps(outcomes.tests))

    interpreter = pythons.pythons()[version]
    facts = interpreter.release, str(interpreter.executable), INSIDE.read_text()
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:10]
    kept = cache.once(f"cpython/{interpreter.release}-{digest}/{module}.json", build)
    found: dict[str, str] = json.loads(kept.read_text())
    return found


@dataclass(slots=True)
class Comparison:
    """What differs of a module with loopscope on."""

    module: str
    with_it: Outcomes
    #: tests that passed without it and twice did not with it: outcome and text
    worse: dict[str, str]


def compare(version: str, module: str, exempt: Collection[str] = ()) -> Comparison:
    """Run a module with loopscope on; what is worse then is run once more."""
    before = without(version, module)
    outcomes = run(version, module, on=True)
    worse = [name for name in _worse(before, outcomes.tests) if _short(name) not in exempt]
    texts = {}
    if worse and not outcomes.broken:
        again = run(version, module, on=True, only=[name for name in worse if " " not in name] or (module,))
        for name in worse:
            if again.tests.get(name) != "passed":
                texts[name] = f"{outcomes.tests.get(name)}\n{outcomes.texts.get(name, '')}"
    else:
        texts = {name: f"{outcomes.tests.get(name)}\n{outcomes.texts.get(name, '')}" for name in worse}
    return Comparison(module, outcomes, texts)


def _worse(before: dict[str, str], after: dict[str, str]) -> list[str]:
    missing = [name for name, outcome in before.items() if outcome == "passed" and after.get(name) != "passed"]
    return missing + [name for name, outcome in after.items() if outcome == "failed" and name not in before]


def _short(name: str) -> str:
    return name.removeprefix("test.test_asyncio.")


def compare_all(version: str, names: Iterable[str], exempt: Collection[str] = ()) -> Iterator[Comparison]:
    """`compare` for each of these modules, some at a time."""
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(lambda name: compare(version, name, exempt), names)
