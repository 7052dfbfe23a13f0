"""The native code under AddressSanitizer and UndefinedBehaviorSanitizer: programs, fuzz, ends, and OTLP bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.native.built import build
from tests.processes.program import ROOT

pytest.importorskip("loopscope.capture.native", exc_type=ImportError)

FLAGS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-O1", "-g"]
#: what is run: many tasks, and the interpreters that are started, would take too long
TESTS = [
    "tests/native/test_equal.py", "tests/native/test_polls.py", "tests/native/test_errors.py",
    *(f"tests/native/test_ordinary.py::test_a_stream[1-{kind}]" for kind in ("plain", "hardly any budget", "busy", "none")),
    *(f"tests/native/test_ordinary.py::test_a_world[{seed}]" for seed in range(6)),
    "tests/native/test_ordinary.py::test_references_are_given_back",
    "tests/native/test_fuzz.py", "tests/native/test_lives.py", "tests/property/test_otlp.py",
    "tests/native/test_memory.py::test_references_are_given_back", "tests/scenarios/test_tasks.py",
    "tests/scenarios/test_cancellation.py", "tests/scenarios/test_ends.py", "tests/scenarios/test_interrupts.py",
]  # fmt: skip


def libraries() -> list[str]:
    """The sanitizers' libraries, which must be loaded before anything else; none where the compiler has none."""
    compiler = shutil.which(os.environ.get("CC", "gcc"))
    if compiler is None:
        return []
    asked = [
        subprocess.run([compiler, f"-print-file-name=lib{name}.so"], capture_output=True, text=True, check=True).stdout
        for name in ("asan", "ubsan")
    ]
    return [path.strip() for path in asked if os.path.isabs(path.strip())]


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, its native part built with sanitizers."""
    if len(libraries()) < 2:
        pytest.skip("this compiler has no AddressSanitizer and UndefinedBehaviorSanitizer")
    folder = tmp_path_factory.mktemp("sanitized")
    shutil.copytree(
        ROOT / "src" / "loopscope", folder / "loopscope", ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.pyd")
    )
    build(folder, folder / "scratch", FLAGS)
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A Python with that package. Python's own memory is never given back at its end: leaks are not looked for here."""
    environment = {
        **os.environ, "PYTHONPATH": str(folder), "PYTHONMALLOC": "malloc", "OTEL_PYTHON_LOOPSCOPE_CORE": "native",
        "LD_PRELOAD": " ".join(libraries()), "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env=environment, cwd=ROOT, timeout=900, check=False
    )


def test_the_suite_that_touches_it(sanitized: Path) -> None:
    done = run(sanitized, "-c", "import loopscope._native as native; print(native.__file__)")
    assert done.stdout.startswith(str(sanitized)), done
    done = run(sanitized, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *TESTS)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_it_would_be_seen(sanitized: Path) -> None:
    """A read past the end of a block, by the same libraries."""
    done = run(sanitized, "-c", "import ctypes; ctypes.string_at(ctypes.create_string_buffer(64), 1 << 20)")
    assert done.returncode != 0 and "AddressSanitizer" in done.stderr, done.stderr[-2000:]
