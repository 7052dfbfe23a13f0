"""What the page is given: columns, names once, and text that never ends its element. No browser needed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from loopscope.recording.timeline import CREATED_BY, DELAYED_BY, WOKEN_BY, Edge, Timeline
from loopscope.views.columns import columns
from loopscope.views.page import SCRIPTS, asset, embedded, render
from tests.views import timelines
from tests.views.timelines import BASE, HOSTILE, Builder, seed


def expanded(column: Any, n: int) -> list[int]:
    """A column's values."""
    return [column] * n if isinstance(column, int) else column


def test_seed_in_columns() -> None:
    """Tasks by start, steps by start, times in nanoseconds from the first moment, differences only."""
    document = columns(seed())
    names, tasks, steps = document["names"], document["tasks"], document["steps"]
    assert document["base"] == BASE / 1e6
    assert [names[name] for name in tasks["name"]] == ["Task-1", "task1", "task2"]
    assert [names[name] for name in tasks["qualname"]] == ["main", "model_gen", "model_gen"]
    assert tasks["start"] == [0, 110_000, 160_000]
    assert tasks["creator"] == [-1, 0, 0]
    assert steps["task"] == [0, 1, 2, 2, 1, 2, 0, 1, 0]
    assert steps["index"] == [0, 0, 0, 1, 1, 2, 1, 2, 2]
    assert steps["start"][:3] == [50_000, 220_000, 60_000]
    assert steps["lead"][:3] == [0, 160_000, 170_000]
    assert expanded(steps["running"], 9) == [0] * 9
    assert document["edges"][WOKEN_BY] == [[0, 0, 5, 7], [1, 2, 6, 8]]
    assert document["edges"][DELAYED_BY] == document["edges"][CREATED_BY] == [[], []]
    assert [names[line[2]] for line in document["printed"]] == timelines.SEED_PRINTED
    assert [line[4] for line in document["printed"]] == [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_coalesced_steps_are_found_by_any_of_their_indexes() -> None:
    """An edge to one of many leads to their common bar; one to a step that nobody sent is left out."""
    b = Builder()
    task, other = b.task(1, "work"), b.task(2, "other")
    b.step(task, 0, 1)
    b.step(task, 2, 9, count=5, running=1)
    b.step(task, 10, 11)
    b.step(other, 9.5, 9.6)
    edges = [(1, 0), (5, 0), (6, 0), (7, 0)]
    b.timeline.edges.extend(Edge(WOKEN_BY, (task, index), (other, later)) for index, later in edges)
    assert columns(b.done())["edges"][WOKEN_BY] == [[1, 1, 3], [2, 2, 2]]


def test_steps_of_nobody_are_counted() -> None:
    """A step without its task is not drawn, and the page says so; times that run backwards end at nothing."""
    b = Builder()
    task = b.task(1, "work")
    b.step(task, 1, 2)
    b.step(task, 4, 3, ready=5)
    b.timeline.steps[0].task = ("gone", 9)
    document = columns(b.timeline)
    assert document["missing"] == ["1 steps of tasks that are not in the trace are not drawn"]
    assert (document["steps"]["n"], document["steps"]["length"], document["steps"]["lead"]) == (1, 0, 0)


def test_nothing_at_all() -> None:
    """An empty timeline is a page too."""
    assert columns(Timeline())["steps"]["n"] == 0
    assert "<canvas" in render(Timeline())


def test_no_text_ends_the_data() -> None:
    """Between the tags of the data there is not one `<`, only ASCII, and what comes out is what went in."""
    page = render(timelines.hostile(), title=HOSTILE["script"])
    assert page.count("<script") == page.count("</script>") == 2
    data = page.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    assert "<" not in data and data.isascii()
    assert set(HOSTILE.values()) <= set(json.loads(data)["names"])
    assert "<title>&lt;/script&gt;&lt;script&gt;window.hacked = 1" in page


def test_embedded_is_compact() -> None:
    """A step costs at most 80 bytes."""
    assert len(embedded(columns(timelines.crowd(20_000)))) / 20_000 < 80


def test_links_are_web_addresses() -> None:
    """Anything else could run as a script."""
    with pytest.raises(ValueError, match="neither http nor https"):
        render(seed(), links={"Jaeger": "javascript:alert(1)"})


def test_page_stands_alone() -> None:
    """Every asset is used, none refers to anything outside."""
    from importlib import resources

    found = {entry.name for entry in (resources.files("loopscope.views") / "assets").iterdir()}
    assert found == {*SCRIPTS, "page.html", "page.css"}
    for name in found:
        assert not re.search(
            r"https?:|@import|url\(|\bimport\s*\(|innerHTML|outerHTML|insertAdjacentHTML|\beval\b", asset(name)
        ), name
