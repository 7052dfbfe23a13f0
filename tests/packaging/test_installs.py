"""Wheel, editable checkout and sdist, each in a fresh environment: the variable alone suffices, and nothing stays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ground.pythons import VERSIONS
from tests.ground.receiver import Protocol, Receiver
from tests.packaging.distribution import HERE, JOB, LINES, UV, environment, sdist, wheel, with_uvloop
from tests.processes.program import PROTOCOLS, ROOT, run, to
from tests.support import Story

KINDS: dict[str, Callable[[], list[str]]] = {
    "wheel": lambda: [str(wheel())],
    "editable": lambda: ["--editable", str(ROOT)],
    "sdist": lambda: [str(sdist())],
}

#: what the start-up file calls is called twice more; prints how often, and how many import hooks that left
AGAIN = """
import loopscope_autostart, site, sys
calls, original = [], loopscope_autostart.main
loopscope_autostart.main = lambda: calls.append(original())
for _ in range(2):
    for folder in site.getsitepackages():
        site.addsitedir(folder, set())
print(len(calls), [type(found).__module__ for found in sys.meta_path].count("loopscope.activation.startup"))
"""


def ours(place: Path) -> list[str]:
    """The files and folders of an environment that are loopscope's by name."""
    return sorted(str(path.relative_to(place)) for path in place.rglob("*loopscope*"))


@pytest.mark.parametrize("kind", KINDS)
def test_installs_works_and_uninstalls(kind: str) -> None:
    python = environment(HERE.version, kind, *KINDS[kind]())
    place = Path(python).parents[1]
    with Receiver() as receiver:
        ended = run(JOB, to(receiver), python=python)
        story = Story(list(receiver.spans()))
    assert (ended.code, ended.out, ended.err, story.lines()) == (0, "", "", LINES)
    assert ours(place) != []
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "uninstall", "-q", "-y", "loopscope"], check=True)
    assert ours(place) == []
    ended = run(JOB, to(receiver), python=python)
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_startup_file_sorts_after_the_path_file_of_an_editable_install(tmp_path: Path) -> None:
    """Files are run in this order, and loopscope_autostart must be importable by then."""
    target = tmp_path / "target"
    options = ["--no-deps", "--target", str(target), "--editable", str(ROOT)]
    subprocess.run([*UV, "pip", "install", "--python", HERE.executable, *options], check=True)
    first, second = sorted(path.name for path in target.glob("*.pth"))
    assert first.startswith("_editable_impl_loopscope")
    assert second == "loopscope_autostart.pth"
    assert [path.name for path in target.glob("*.start")] == ["loopscope_autostart.start"]


@pytest.mark.parametrize("version", VERSIONS)
def test_startup_file_may_run_again(version: str) -> None:
    """In a virtual environment it runs twice on 3.10 to 3.13 anyway."""
    with Receiver() as receiver:
        ended = run(AGAIN + JOB, to(receiver), python=with_uvloop(version))
        story = Story(list(receiver.spans()))
    assert (ended.code, ended.out, ended.err) == (0, "2 1\n", "")
    assert story.lines() == LINES


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("version", VERSIONS)
def test_program_of_some_milliseconds(version: str, protocol: Protocol) -> None:
    """All is built when the main program is over: 3.12 starts no thread from then on."""
    with Receiver() as receiver:
        ended = run(JOB, to(receiver, protocol, OTEL_SERVICE_NAME="short"), python=with_uvloop(version))
        spans = receiver.spans()
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert Story(list(spans)).lines() == LINES
    assert [span.resource["service.name"] for span in spans] == ["short"] * 3
    assert {span.resource["telemetry.sdk.name"] for span in spans} == {"opentelemetry"}
