"""Many steps, and hostile ones, in a real browser."""

from __future__ import annotations

import statistics

import pytest

from tests.views.chromium import Opened
from tests.views.conftest import Open
from tests.views.timelines import HOSTILE, crowd, hostile

#: milliseconds: what the project promises of 20,000 steps
FIRST_DRAW = 2_000


def frames(page: Opened, keys: list[str]) -> list[float]:
    """How long each redraw took, in milliseconds, while these keys were pressed."""
    page.get("(app.frames.length = 0)")
    for key in keys:
        page.press(key)
    found: list[float] = page.get("app.frames")
    return found


def test_twenty_thousand_steps(open_page: Open) -> None:
    """Drawn within two seconds of opening, and each frame of a pan well within what the eye sees as smooth."""
    page = open_page(crowd(20_000))
    assert page.get("model.steps.n") == 20_000
    assert page.get("window.loopscope.timings.firstDraw") < FIRST_DRAW
    for closer in ([], ["+"] * 4, ["+"] * 6):
        for key in closer:
            page.press(key)
        panned = frames(page, ["ArrowRight"] * 6 + ["ArrowLeft"] * 6)
        assert len(panned) >= 10
        assert statistics.median(panned) < 33, closer
    assert page.get("app.frame.bars") > 0


def test_two_hundred_thousand_steps(open_page: Open) -> None:
    """They open by level of detail: at most one bar for each pixel of a row; all else works."""
    page = open_page(crowd(200_000, tasks=4_000))
    assert page.get("model.steps.n") == 200_000
    assert page.get("window.loopscope.timings.firstDraw") < 5 * FIRST_DRAW
    rows, width = page.get("app.frame.rows"), page.get("app.view.width")
    assert 0 < page.get("app.frame.bars") <= rows * width
    assert [text.split("\n")[1:] for text in page.page.locator("#labels .row.fold").all_inner_texts()] == [
        ["handle", "\u00d7 1,000"],
        ["poll", "\u00d7 1,000"],
        ["flush", "\u00d7 1,000"],
        ["render", "\u00d7 1,000"],
    ]
    assert statistics.median(frames(page, ["ArrowRight", "ArrowLeft"] * 4)) < 100
    page.press("g")
    assert page.get("app.layout.rows.length") > 4_000
    assert page.page.locator("#labels .row").count() < 40
    page.press("t")
    assert page.page.locator("tbody tr").count() == 100
    page.page.get_by_role("button", name="199,900 more").click()
    assert page.page.locator("tbody tr").count() == 600


def test_from_afar_and_closely(open_page: Open) -> None:
    """Steps narrower than a pixel are as high as they ran in it (here 70 %), wide ones leave their gaps between them."""
    page = open_page(crowd(2_000, tasks=8))
    lane = "app.layout.rows.find((row) => row.kind === 'thread')"

    def coloured(above: int) -> float:
        pixels = page.lightness("0", f"{lane}.y + 8 + 8 - {above}", "app.view.width * 0.9")
        return sum(grey < 200 for grey in pixels) / len(pixels)

    assert page.get("app.frame.bars") < page.get("app.view.width") * page.get("app.frame.rows")
    assert coloured(0) > 0.9
    assert coloured(5) > 0.8
    page.press(*["+"] * 8)
    assert coloured(0) == pytest.approx(0.7, abs=0.12)
    assert coloured(7) == pytest.approx(0.7, abs=0.12)


def test_hostile_texts_stay_texts(open_page: Open) -> None:
    """No script runs, nothing is asked for, no element is born of a name, wherever it is shown."""
    page = open_page(
        hostile(), title=HOSTILE["script"], links={HOSTILE["image"]: "https://example.org/{trace_id}/{span_id}"}
    )
    count = page.get("model.steps.n")
    assert count == len(HOSTILE)
    for step in range(count):
        page.hover(step)
        page.page.mouse.click(*page.place(step))
        page.frame()
        assert "step" in page.page.locator("#panel .kind").inner_text()
        page.press("c")
    for task in range(count):
        page.page.evaluate("(task) => loopscope.app.choose({ kind: 'task', task })", task)
    page.page.evaluate("loopscope.app.choose({ kind: 'foreign', span: loopscope.model.foreign[0] })")
    page.press("t")
    for name in ("Tasks", "Output", "Steps"):
        page.page.get_by_role("button", name=name, exact=True).click()
    assert page.page.evaluate("window.hacked") is None
    assert page.page.locator("img, iframe, object, embed, svg").count() == 0
    assert page.page.locator("script").count() == 2
    assert page.page.title() == HOSTILE["script"]


def test_hidden_characters_are_shown(open_page: Open) -> None:
    """A name that would turn or hide text is isolated, and its tricks are visible."""
    page = open_page(hostile())
    names = page.page.locator("#labels .row.task .name").all_inner_texts()
    assert "abc\ufffdgpj.exe\ufffd" in names
    assert "a\u2400b\u241b[31mc\u240d\u240ad\ufffde\ufffd" in names
    assert HOSTILE["arabic"] in names and HOSTILE["emoji"] in names
    assert max(len(name) for name in names) <= 200
    assert page.page.locator("#labels .name").first.evaluate("(one) => getComputedStyle(one).unicodeBidi") == "isolate"
    drawn = page.get("app.frame.texts.map((one) => one.text)")
    assert not any("\u202e" in text for text in drawn)


def test_the_policy_holds(open_page: Open) -> None:
    """Even a script that got into the page would not run."""
    page = open_page(hostile())
    page.page.evaluate(
        """() => { const script = document.createElement("script"); script.textContent = "window.hacked = 9"; document.body.append(script); }"""
    )
    assert page.page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in text for text in page.complaints)
    page.complaints.clear()
