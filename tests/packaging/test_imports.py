"""What an interpreter has imported at which moment: nothing before it is needed."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.ground.pythons import VERSIONS
from tests.packaging.distribution import HERE, environment, with_uvloop
from tests.processes.program import clean, run

ENABLED = "OTEL_PYTHON_LOOPSCOPE_ENABLED"

#: prints what of interest is imported, loopscope's modules each, of other packages the name
LOOK = """
import json, sys
other = {"asyncio", "click", "opentelemetry", "opentelemetry.sdk", "uvloop", "wrapt"} & set(sys.modules)
print(json.dumps(sorted(other | {name for name in sys.modules if name.startswith("loopscope")})))
"""
WATCHING = ["loopscope", "loopscope.activation", "loopscope.activation.startup", "loopscope_autostart"]


def imported(version: str, program: str, enabled: str | None) -> list[str]:
    """What is imported at the end of a program, with the variable set to `enabled` (None: unset)."""
    variables = {**clean(), "OTEL_TRACES_EXPORTER": "none"}
    if enabled is not None:
        variables[ENABLED] = enabled
    ended = run(program + LOOK, variables, python=with_uvloop(version))
    assert (ended.code, ended.err) == (0, "")
    found: list[str] = json.loads(ended.out)
    return found


def startup_module(version: str) -> list[str]:
    """What 3.15 imports to call it, at every start; earlier versions import nothing."""
    return ["loopscope_autostart"] if version >= "3.15" else []


@pytest.mark.parametrize("version", VERSIONS)
def test_variable_unset(version: str) -> None:
    assert imported(version, "", None) == startup_module(version)
    loop = "import asyncio; asyncio.new_event_loop().close()"
    assert imported(version, loop, None) == sorted(["asyncio", *startup_module(version)])


@pytest.mark.parametrize("version", VERSIONS)
def test_variable_set_but_no_loop(version: str) -> None:
    assert imported(version, "", "true") == WATCHING
    assert imported(version, "import asyncio", "true") == sorted(["asyncio", *WATCHING])
    assert imported(version, "import uvloop", "true") == sorted(["asyncio", "uvloop", *WATCHING])


@pytest.mark.parametrize("version", VERSIONS)
def test_where_no_loop_is_made_nothing_else_is_imported(version: str) -> None:
    """No module of the standard library's either: programs without asyncio start as fast as they did."""
    names = "import sys; print(*sorted(name for name in sys.modules if not name.startswith('loopscope')))"
    python = with_uvloop(version)
    off, on = (run(names, {**clean(), **more}, python=python).out.split() for more in ({}, {ENABLED: "true"}))
    assert set(on) - set(off) <= {"__future__"}


@pytest.mark.parametrize("module", ["asyncio", "uvloop"])
@pytest.mark.parametrize("version", VERSIONS)
def test_first_loop(version: str, module: str) -> None:
    """The loop of either module brings in OpenTelemetry's SDK and all that records."""
    found = imported(version, f"import {module}; {module}.new_event_loop().close()", "true")
    expected = {"asyncio", "opentelemetry", "opentelemetry.sdk", "loopscope.capture.core", "loopscope.runtime.process"}
    assert expected - set(found) == set()
    assert ("uvloop" in found) == (module == "uvloop")
    assert not [name for name in found if name == "click" or "cli" in name.split(".")], (
        "the command line is no part of it"
    )


@pytest.mark.parametrize("value", ["false", "0", "No", "off", " "])
def test_variable_that_says_no(value: str) -> None:
    found = imported(HERE.version, "import asyncio; asyncio.new_event_loop().close()", value)
    assert found == ["asyncio", "loopscope_autostart"]


def test_variable_that_says_neither() -> None:
    """Off, and said once in one line that names the variable and the value."""
    loop = "import asyncio; asyncio.new_event_loop().close()"
    ended = run(loop + LOOK, {**clean(), ENABLED: "nonsense"}, python=with_uvloop(HERE.version))
    ours = ["loopscope", "loopscope.log", "loopscope.settings", "loopscope.uncollected", "loopscope_autostart"]
    expected = ["asyncio", *ours]
    assert (ended.code, json.loads(ended.out)) == (0, expected)
    assert ended.err == f"{ENABLED}='nonsense' is neither true nor false; loopscope stays off\n"


@pytest.mark.parametrize("value", ["TRUE", "1", "yes", "on "])
def test_variable_that_says_yes(value: str) -> None:
    assert imported(HERE.version, "", value) == WATCHING


def test_plain_import_costs_nothing() -> None:
    """Its public names are looked up when they are used."""
    startup = startup_module(HERE.version)
    assert imported(HERE.version, "import loopscope", None) == ["loopscope", *startup]
    found = imported(HERE.version, "from loopscope import Settings", None)
    assert found == ["loopscope", "loopscope.log", "loopscope.settings", "loopscope.uncollected", *startup]


@pytest.mark.parametrize("version", VERSIONS)
def test_start_is_as_without_loopscope(version: str) -> None:
    """The same modules are imported as with any start-up file; how long it takes is only printed."""
    without, installed = environment(version, "without"), with_uvloop(version)
    bare = milliseconds(without)
    (packages,) = Path(without).parents[1].glob("lib/*/site-packages")
    (packages / "other.pth").write_text("import os\n")
    if version >= "3.15":
        (packages / "other.start").write_text("os:getpid\n")
    look = "import sys; print(*sorted(sys.modules))"
    others, ours = (set(run(look, clean(), python=python).out.split()) for python in (without, installed))
    assert ours == others | set(startup_module(version))
    other, own = milliseconds(without), milliseconds(installed)
    print(f"\n{version}: bare start {bare:.1f} ms, with some start-up file {other:.1f}, with loopscope's {own:.1f}")


def milliseconds(python: str) -> float:
    """Milliseconds of the quickest of some starts."""

    def start() -> float:
        began = time.perf_counter()
        subprocess.run([python, "-c", "pass"], env=clean(), check=True)
        return time.perf_counter() - began

    return min(start() for _ in range(15)) * 1e3
