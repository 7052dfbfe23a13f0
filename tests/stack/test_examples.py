"""Each example, run as its docstring says: what it prints is what the docstring shows."""

from __future__ import annotations

import sys

import pytest

from tests.processes.program import ROOT, python
from tests.stack import shown
from tests.stack.running import run

EXAMPLES = ROOT / "examples"
FILES = sorted(path.name for path in EXAMPLES.glob("*.py") if path.name != "seed.py")
ALONE = [name for name in FILES if not name.startswith("send_to_")]
#: tries, for what a busy machine delays looks different
TRIES = 3


@pytest.mark.parametrize("name", ALONE)
def test_prints_what_it_shows(name: str) -> None:
    assert_prints(name, sys.executable, 1 if name == "in_pytest.py" else 0)


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_on_other_pythons(version: str) -> None:
    """The oldest and the newest; there is no pytest in their environments."""
    for name in ALONE:
        if name != "in_pytest.py":
            assert_prints(name, python(version), 0)


def assert_prints(name: str, python: str, code: int) -> None:
    example = shown.read(EXAMPLES / name)
    missing = "nothing was run"
    for _ in range(TRIES):
        done = run(example.command, python)
        missing = shown.missing(example.output, done.stdout)
        if not missing:
            break
    assert not missing, f"not printed by {name}: {missing}\n\n{done.stdout}"
    assert done.returncode == code


def test_all_are_listed_short_and_of_one_question() -> None:
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for name in FILES:
        text, example = (EXAMPLES / name).read_text(encoding="utf-8"), shown.read(EXAMPLES / name)
        assert f"| {example.question} | [{name}]({name}) |" in table
        assert len(text.splitlines()) < 60, name
        assert f"examples/{name}" in example.command


def test_a_difference_is_seen() -> None:
    """The comparison can fail: by a name, a count, an order, a duration of another size."""
    said = "  a Task-1: returned after 600 ms, 2 steps: running 0.20 ms\n  b x.py:3  behind a 450 ms"
    assert not shown.missing("a Task-1: returned after 601 ms, 2 steps: ...\n b examples/x.py:3 behind a 447 ms", said)
    for other in (
        "a Task-2: ...",
        "a Task-1: returned after 99 ms",
        "... 3 steps:",
        "b x.py:4",
        "behind a 450 ms ... a Task-1:",
    ):
        assert shown.missing(other, said), other
