"""What an interpreter has imported at which moment: nothing before it is needed."""

from __future__ import annotations

import json

import pytest

from tests.ground.pythons import VERSIONS
from tests.packaging.distribution import with_uvloop
from tests.processes.program import clean, run

ENABLED = "OTEL_PYTHON_LOOPSCOPE_ENABLED"

#: prints what of interest is imported, loopscope's modules each, of other packages the name
LOOK = """
import json, sys
other = {"asyncio", "opentelemetry", "opentelemetry.sdk", "uvloop", "wrapt"} & set(sys.modules)
print(json.dumps(sorted(other | {name for name in sys.modules if name.startswith("loopscope")})))
"""
WATCHING = ["loopscope", "loopscope.activation", "loopscope.activation.startup", "loopscope_autostart"]


def imported(version: str, program: str, enabled: str | None) -> list[str]:
    """What is imported at the end of a program, with the variable set to `enabled` (None: unset)."""
    environment = {**clean(), "OTEL_TRACES_EXPORTER": "none", **({} if enabled is None else {ENABLED: enabled})}
    ended = run(program + LOOK, environment, python=with_uvloop(version))
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


@pytest.mark.parametrize("module", ["asyncio", "uvloop"])
@pytest.mark.parametrize("version", VERSIONS)
def test_first_loop(version: str, module: str) -> None:
    """The loop of either module brings in OpenTelemetry's SDK and all that records."""
    found = imported(version, f"import {module}; {module}.new_event_loop().close()", "true")
    expected = {"asyncio", "opentelemetry", "opentelemetry.sdk", "loopscope.capture.core", "loopscope.runtime.process"}
    assert expected - set(found) == set()
    assert ("uvloop" in found) == (module == "uvloop")


@pytest.mark.parametrize("value", ["false", "0", "No", "off", " "])
def test_variable_that_says_no(value: str) -> None:
    found = imported("3.11", "import asyncio; asyncio.new_event_loop().close()", value)
    assert found == ["asyncio", "loopscope_autostart"]


@pytest.mark.parametrize("value", ["TRUE", "1", "yes", "on "])
def test_variable_that_says_yes(value: str) -> None:
    assert imported("3.11", "", value) == WATCHING


def test_plain_import_costs_nothing() -> None:
    """Its public names are looked up when they are used."""
    assert imported("3.11", "import loopscope; print(end='')", None) == ["loopscope"]
    found = imported("3.11", "from loopscope import Settings", None)
    assert found == ["loopscope", "loopscope.settings"]
