"""The table of goals: what is measured, what it shall be, what it is; each by ratios of one interleaved run.

CPU time, the minimum of several. A busy machine makes everything worse, and never better. Run it: make bench
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.benchmarks import service, steps
from tests.benchmarks.export import apart
from tests.benchmarks.sink import Sink

REPEATS = 3


class Row(NamedTuple):
    """One measure: at most `goal` is wanted, or at least where `least`."""

    measure: str
    core: str
    value: float
    goal: float | None
    unit: str = ""
    least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the goal is met, None where there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.least else self.value <= self.goal


def per_step() -> Iterator[Row]:
    """Capture alone, on the loop's thread."""
    found = steps.measure()
    goals = {"recorded": {"native": 0.35, "python": 1.6}, "not recorded": {"native": 0.2, "python": None}}
    for what, by_core in goals.items():
        for core in steps.available():
            for loop in steps.LOOPS:
                for program in steps.PROGRAMS:
                    yield Row(
                        f"{what} step on {loop} that {program}, added / bare uvloop step", core,
                        found[steps.ratio(loop, program, what, core)], by_core[core],
                    )  # fmt: skip


def per_span(core: str) -> Iterator[Row]:
    """From a step to its bytes at a sink that throws them away, against the SDK's own way."""
    with Sink() as sink:
        url = f"{sink.url}/null"
        ours = min(float(apart(f"export.ours({url!r}, 20_000)", core)) for _ in range(REPEATS))
        stock = min(float(apart(f"export.stock({url!r}, 20_000)")) for _ in range(REPEATS))
    yield Row("a step's span, whole process / the SDK's", core, ours / stock, 1 / 30 if core == "native" else 1 / 6)
    yield Row("a step's span, whole process", core, ours, None, "us")


def flood(core: str) -> Iterator[Row]:
    """The most steps a second, of those tried, with a span each and nothing lost."""
    kept = 0.0
    with Sink() as sink:
        for rate in (10_000, 15_000, 20_000, 30_000, 40_000, 51_000):
            told = ast.literal_eval(apart(f"export.flood('{sink.url}/null', {rate}, 10.0)", core))
            if told["records dropped"] or told["spans dropped"] or told["coalesced"] or told["steps"] < 9 * rate:
                break
            kept = told["steps"] / 10
    yield Row("step spans a second for ten seconds, none lost", core, kept, 50_000, "/s", least=True)


def defaults(core: str) -> Iterator[Row]:
    """All of loopscope at 10,000 steps a second on defaults, over the same steps without it."""
    with Sink() as sink:
        on = min(float(apart(f"export.share('{sink.url}/null', 10_000, 10.0)", core)) for _ in range(REPEATS))
        bare = min(float(apart("export.share(None, 10_000, 10.0)")) for _ in range(REPEATS))
    yield Row("10,000 steps a second on defaults, share of a core", core, on - bare, 0.05)


def timer(core: str) -> Iterator[Row]:
    """How late a timer fires meanwhile."""
    with Sink() as sink:
        on = min(float(apart(f"export.timer('{sink.url}/null', 4.0, 20_000)", core)) for _ in range(REPEATS))
        bare = min(float(apart("export.timer(None, 4.0, 20_000)")) for _ in range(REPEATS))
    yield Row("p99 lateness of a timer at 20,000 steps a second, above bare", core, on - bare, 0.5, "ms")


def requests(core: str) -> Iterator[Row]:
    """A server that is never idle."""
    found = service.measure(REPEATS, core)
    yield Row("uvicorn and FastAPI: requests a second lost", core, found["lost"], 0.05)


def alive(core: str) -> Iterator[Row]:
    """What a step costs while many tasks live."""

    def least(count: int, on: bool) -> float:
        return min(float(apart(f"living.cost({count}, {on})", core)) for _ in range(REPEATS))

    took = {count: least(count, True) - least(count, False) for count in (10, 1_000, 100_000)}
    yield Row("a step among 100,000 live tasks / among 10", core, took[100_000] / took[10], 1.1)
    yield Row("a step among 1,000 live tasks / among 10", core, took[1_000] / took[10], 1.1)


def memory(core: str) -> Iterator[Row]:
    """What a living task takes."""
    on, bare = (min(float(apart(f"living.memory(20_000, {on})", core)) for _ in range(2)) for on in (True, False))
    yield Row("a living task that waits, memory above bare", core, on - bare, 500, "B")


MEASURES: tuple[Callable[[str], Iterator[Row]], ...] = (per_span, flood, defaults, timer, requests, alive, memory)


def rows() -> Iterator[Row]:
    """All of it."""
    yield Row("reading the start-up file, the variable being unset", "", float(apart("living.start()")), 0.3, "ms")
    yield from per_step()
    for measure in MEASURES:
        for core in steps.available():
            yield from measure(core)


def line(row: Row) -> str:
    """As it is printed."""
    goal = "" if row.goal is None else f"{'>=' if row.least else '<='} {row.goal:,.3g}"
    met = {True: "met", False: "not met", None: ""}[row.met]
    return f"{row.measure:<72} {row.core:<7} {row.value:>10,.3g} {row.unit:<3} {goal:<10} {met}"
