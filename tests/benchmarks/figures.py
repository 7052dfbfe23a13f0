"""Measures what deploy/scale/SIZING.md is computed from, and keeps it beside: python -m tests.benchmarks.figures."""

from __future__ import annotations

import json
from pathlib import Path

from tests.benchmarks import collectors, sizes

FILE = Path(__file__).with_name("figures.json")


def kept() -> dict[str, float]:
    """As they were measured last."""
    found: dict[str, float] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    measured = {**sizes.measure(), **collectors.measure()}
    digits = {name: float(f"{value:.3g}") for name, value in measured.items()}
    FILE.write_text(json.dumps(digits, indent=2) + "\n", encoding="utf-8")
