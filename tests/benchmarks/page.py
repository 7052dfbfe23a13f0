"""The costs in README, of what `make bench` measured last: python -m tests.benchmarks.page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.benchmarks import rivals
from tests.benchmarks.table import Row

KEPT = Path(__file__).with_name("costs.json")
README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- costs: written by make bench -->\n", "<!-- end of costs -->\n"


def kept() -> dict[str, Any]:
    """As they were measured last."""
    found: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    return found


def shown(costs: dict[str, Any]) -> str:
    """The tables."""
    lines = ["| | core | | goal |", "|---|---|--:|--:|"]
    for row in (Row(**told) for told in costs["table"]):
        goal = "" if row.goal is None else f"{'≥' if row.least else '≤'} {_digits(row.goal)}"
        value = f"{_digits(row.value)} {row.unit}".strip()
        lines.append(f"| {row.measure} | {row.core} | {value if row.met is not False else f'**{value}**'} | {goal} |")
    lines += [
        "",
        f"CPython {costs['python']}, 2 cores; bold: the goal is not met. Beside others, on the same empty steps:",
        "",
    ]
    lines += ["| | loop | the loop's thread, over a bare uvloop step | whole process, µs a step |", "|---|---|--:|--:|"]
    for key, cost in sorted(costs["rivals"].items(), key=lambda one: one[1]["process"]):  # type: ignore[no-any-return]
        loop, name = key.split()
        lines.append(f"| {rivals.WORK[name]} | {loop} | {_digits(cost['thread'])} | {_digits(cost['process'])} |")
    return "\n".join(lines) + "\n"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2g}"


def parts(page: str) -> tuple[str, str, str]:
    """README before, in and after the block."""
    before, rest = page.split(BEGIN)
    block, after = rest.split(END)
    return before + BEGIN, block, END + after


def write() -> None:
    """Put them into README."""
    before, _, after = parts(README.read_text(encoding="utf-8"))
    README.write_text(f"{before}\n{shown(kept())}\n{after}", encoding="utf-8")


if __name__ == "__main__":
    write()
