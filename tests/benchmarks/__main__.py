"""All that loopscope costs, printed: python -m tests.benchmarks."""

from __future__ import annotations

from tests.benchmarks import export, sizes, steps

if __name__ == "__main__":
    steps.report()
    export.report()
    sizes.report()
