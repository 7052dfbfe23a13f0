"""OPERATORS.md: its defaults are the settings', its queries are Prometheus' own language and ask for what there is."""

from __future__ import annotations

import re

import pytest

from loopscope.settings import Settings
from tests.benchmarks.figures import kept
from tests.ground.prometheus import Prometheus, Unavailable
from tests.metrics.test_prometheus import ANSWERS
from tests.processes.program import ROOT

PAGE = (ROOT / "OPERATORS.md").read_text(encoding="utf-8")
QUERIES = [line for line in re.findall(r"```promql\n(.*?)```", PAGE, re.S)[0].splitlines() if line and line[0] != "#"]
_NAME = re.compile(r"\b(?:asyncio|loopscope)_\w+")


def test_defaults() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([\d.]+) \|", PAGE, re.M)
    assert len(rows) >= 6
    assert {name: float(said) for name, said in rows} == {
        name: float(getattr(Settings(), name.lower())) for name, _ in rows
    }


def test_queries_ask_for_what_there_is() -> None:
    """For metrics and labels that tests/metrics has the real Prometheus answer with."""
    there = set(_NAME.findall(" ".join(ANSWERS)))
    asked = set(_NAME.findall(" ".join(QUERIES)))
    assert len(QUERIES) == 10
    assert asked <= there


def test_prometheus_understands_them() -> None:
    try:
        prometheus = Prometheus()
    except Unavailable as error:
        pytest.skip(str(error))
    with prometheus:
        assert [prometheus.query(query) for query in QUERIES] == [[]] * len(QUERIES)
        with pytest.raises(OSError):
            prometheus.query("topk(5, nothing")


def test_modules_that_measured_exist() -> None:
    modules = re.findall(r"`python -m (tests\.benchmarks\.\w+)`", PAGE)
    assert modules
    assert all((ROOT / f"{module.replace('.', '/')}.py").exists() for module in modules)


def test_sizes_are_the_measured() -> None:
    table = PAGE.split("tests.benchmarks.sizes` | |\n", 1)[1].split("\n\n", 1)[0]
    measured = kept()
    names = ["bytes of a span", "bytes of a span, gzip", "spans of a request"]
    names += ["microseconds of a sampled request", "microseconds of a request sampled out"]
    assert [float(number) for number in re.findall(r"\| ([\d.]+)[^|]* \|$", table, re.M)] == [
        measured[name] for name in names
    ]
