"""Each example, run as its docstring says: what it prints is what the docstring shows."""

from __future__ import annotations

import pytest

from tests.processes.program import ROOT
from tests.stack import shown
from tests.stack.running import run

EXAMPLES = ROOT / "examples"
FILES = sorted(path.name for path in EXAMPLES.glob("*.py") if path.name != "seed.py")
ALONE = [name for name in FILES if not name.startswith("send_to_")]
#: tries, for what a busy machine delays looks different
TRIES = 3


@pytest.mark.parametrize("name", ALONE)
def test_prints_what_it_shows(name: str) -> None:
    example = shown.read(EXAMPLES / name)
    missing = "nothing was run"
    for _ in range(TRIES):
        done = run(example.command)
        missing = shown.missing(example.output, done.stdout)
        if not missing:
            break
    assert not missing, f"not printed: {missing}\n\n{done.stdout}"
    assert done.returncode == (1 if name == "in_pytest.py" else 0)


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
