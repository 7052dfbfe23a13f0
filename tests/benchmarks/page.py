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
    by_measure: dict[str, dict[str, str]] = {}
    for row in (Row(**told) for told in costs["table"]):
        by_measure.setdefault(row.measure, {})[row.core] = f"{_digits(row.value)} {row.unit}".strip()
    lines = ["| | Python core | native core |", "|---|--:|--:|"]
    for measure, values in by_measure.items():
        either = values.get("", "")
        lines.append(f"| {measure} | {values.get('python', either)} | {values.get('native', either)} |")
    lines += ["", f"CPython {costs['python']}, 2 cores. Beside others, on the same empty steps:", ""]
    lines += ["| | loop | the loop's thread, over a bare uvloop step | whole process, µs a step |", "|---|---|--:|--:|"]
    beside: dict[str, dict[str, float]] = costs["rivals"]
    for key, cost in sorted(beside.items(), key=lambda one: one[1]["process"]):
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
