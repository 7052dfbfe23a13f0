"""The picture of rivals in README: what each adds to a step on the loop's thread, and in the whole process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.benchmarks import page, rivals

FOLDER = Path(__file__).parents[2] / "examples" / "pictures"
#: style sheets of matplotlib, by what a page may be
THEMES = {"light": "default", "dark": "dark_background"}


def draw(beside: dict[str, dict[str, float]]) -> None:
    """Write it, light and dark."""
    import matplotlib
    from matplotlib import pyplot

    matplotlib.use("Agg")
    costs = {key: cost["process"] for key, cost in sorted(beside.items(), key=lambda one: one[1]["process"])}
    for theme, sheet in THEMES.items():
        with pyplot.style.context(sheet):
            figure, axes = pyplot.subplots(figsize=(9, 4.2))
            bars = axes.barh(
                [_label(key) for key in costs], list(costs.values()), color=[_colour(key) for key in costs]
            )
            axes.bar_label(bars, fmt=" %.1f")
            axes.set_xlabel("CPU of the whole process added to an empty step, microseconds: less is better")
            axes.spines[["top", "right"]].set_visible(False)
            figure.savefig(FOLDER / f"costs-{theme}.png", dpi=110, bbox_inches="tight", transparent=True)
            pyplot.close(figure)


def _label(key: str) -> str:
    loop, name = key.split()
    work: str = rivals.WORK[name].partition(":")[0]
    return f"{work} ({loop})"


def _colour(key: str) -> Any:
    return "#2a9d8f" if key.endswith(" loopscope") else "#9aa0a6"


if __name__ == "__main__":
    draw(page.kept()["rivals"])
