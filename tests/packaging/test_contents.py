"""What is in the wheel and in the sdist, and what the metadata say."""

from __future__ import annotations

import sys
import sysconfig
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

from loopscope import __version__
from tests.packaging.distribution import HERE, environment, sdist, wheel
from tests.processes.program import ROOT, clean, run

#: compiled files, which lie beside the sources of an editable install
BUILT = {".so", ".pyd"}
STARTUP = {"loopscope_autostart.py", "loopscope_autostart.pth", "loopscope_autostart.start"}


def sources() -> set[str]:
    """The package's files in the checkout, relative to src."""
    found = {path.relative_to(ROOT / "src") for path in (ROOT / "src").rglob("*") if path.is_file()}
    left_out = {"__pycache__", "native"}
    return {path.as_posix() for path in found if not left_out & {*path.parts} and path.suffix not in BUILT}


def names_in(wheel: Path) -> set[str]:
    """Its files, but for the metadata."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = f"loopscope-{__version__}.dist-info"
    assert {f"{info}/METADATA", f"{info}/entry_points.txt", f"{info}/licenses/LICENSE"} <= names
    return {name for name in names if not name.startswith(f"{info}/")}


def in_wheel(name: str) -> str:
    """A text file of the wheel's."""
    with zipfile.ZipFile(wheel()) as archive:
        return archive.read(name).decode()


def test_wheel_has_the_package_and_the_startup_files() -> None:
    """And the native core, for this Python and platform."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    python = "cp{}{}".format(*sys.version_info)
    assert wheel().name.startswith(f"loopscope-{__version__}-{python}-{python}-")
    assert sources() >= STARTUP | {"loopscope/py.typed"}
    assert names_in(wheel()) == sources() | {f"loopscope/_native{suffix}"}


def test_without_a_compiler_there_is_no_native_core_but_all_else() -> None:
    made = wheel(compiler="false")
    assert made.name == f"loopscope-{__version__}-py3-none-any.whl"
    assert names_in(made) == sources()
    python = environment(HERE.version, "pure", str(made))
    said = run("from loopscope.capture.cores import choose; print(*choose('native'))", clean(), python=python)
    assert said.out.startswith(
        "<class 'loopscope.capture.core.Core'> the native core was not built for this Python: "
    ), said


def test_sdist_has_what_builds_and_tests_it_and_nothing_else() -> None:
    with tarfile.open(sdist()) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/{name}" for name in sources()} <= names
    assert {f"src/native/{path.name}" for path in (ROOT / "src" / "native").glob("*.*")} <= names
    assert {"pyproject.toml", "README.md", "LICENSE", "Makefile", "tests/conftest.py"} <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    expected = {"src", "tests", "examples", "deploy"}
    pages = {"README.md", "CHANGELOG.md", "ARCHITECTURE.md", "CONVENTIONS.md", "OPERATORS.md", "TROUBLESHOOTING.md"}
    files = {"pyproject.toml", "LICENSE", "Makefile", *pages}
    made = {"PKG-INFO", ".gitignore"}
    assert {name.split("/")[0] for name in names} <= expected | files | made


def test_startup_file_is_one_line_that_tests_the_variable_first() -> None:
    """An error in it would print a traceback at every start of Python."""
    (line,) = in_wheel("loopscope_autostart.pth").splitlines()
    assert line.startswith('import os; os.environ.get("OTEL_PYTHON_LOOPSCOPE_ENABLED") and ')
    assert in_wheel("loopscope_autostart.start").splitlines() == ["loopscope_autostart:main"]


def test_metadata() -> None:
    metadata = Parser().parsestr(in_wheel(f"loopscope-{__version__}.dist-info/METADATA"))
    assert (metadata["Name"], metadata["Version"], metadata["Requires-Python"]) == ("loopscope", __version__, ">=3.10")
    assert metadata["License-Expression"] == "Apache-2.0"
    # Ranges, not pins: contrib packages pin the SDK exactly.
    assert sorted(metadata.get_all("Requires-Dist") or []) == [
        "click>=8.1",
        "opentelemetry-api<2,>=1.40",
        "opentelemetry-exporter-otlp<2,>=1.40",
        "opentelemetry-instrumentation<1,>=0.61b0",
        "opentelemetry-sdk<2,>=1.40",
        "opentelemetry-semantic-conventions<1,>=0.61b0",
        "wrapt<3,>=1.15",
    ]


def test_entry_points() -> None:
    """The instrumentor's is never `asyncio`: that is the contrib package's."""
    assert in_wheel(f"loopscope-{__version__}.dist-info/entry_points.txt").split() == [
        *("[console_scripts]", "loopscope", "=", "loopscope.activation.entry:main"),
        *("[opentelemetry_instrumentor]", "loopscope", "="),
        "loopscope.activation.instrumentor:LoopscopeInstrumentor",
    ]
