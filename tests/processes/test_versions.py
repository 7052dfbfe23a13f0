"""The scenarios on the other Python versions: what one version lacks and skips, another one runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ground import native_core, pythons
from tests.outside import without

ROOT = Path(__file__).parents[2]
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
REQUIREMENTS = (
    "opentelemetry-api", "opentelemetry-sdk", "opentelemetry-exporter-otlp", "opentelemetry-instrumentation",
    "opentelemetry-instrumentation-asyncio", "wrapt", "uvloop", "anyio", "asgiref", "pytest", "pytest-timeout",
)  # fmt: skip
TESTS = ("tests/scenarios", "tests/native/test_ordinary.py::test_a_world")
#: scenarios that a version skips, because it lacks the construct
SKIPPED = {"3.10": 74, "3.11": 42, "3.12": 4, "3.13": 4, "3.14": 2, "3.15": 0}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", [version for version in pythons.VERSIONS if version != HERE])
def test_scenarios(version: str, tmp_path: Path) -> None:
    interpreter = pythons.pythons().get(version)
    if interpreter is None:
        pytest.skip(pythons.missing()[version])
    native_core.build(interpreter)
    other = pythons.venv(interpreter, REQUIREMENTS, "scenarios")

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*other.command, "-m", "pytest", "-q", "-o", f"cache_dir={tmp_path}", *options, *TESTS],
            cwd=ROOT,
            env={**without("OTEL_", "PYTEST_"), "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True, text=True, timeout=250,
        )  # fmt: skip

    done = run()
    if done.returncode:  # as `make test` does: what fails is run once more by itself
        again = run("--last-failed", "--last-failed-no-failures", "none")
        assert again.returncode == 0, done.stdout[-4000:] + again.stdout[-4000:] + again.stderr[-2000:]
    counts = dict((word, int(number)) for number, word in re.findall(r"(\d+) (passed|skipped)", done.stdout))
    assert counts["passed"] >= 180 and counts.get("skipped", 0) <= SKIPPED[version], counts
