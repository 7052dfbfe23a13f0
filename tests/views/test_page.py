"""The page in a real browser: the seed's drawing, zoom, search, hover, keys, critical path, table, themes, a phone."""

from __future__ import annotations

import pytest

from loopscope.recording.timeline import Process, Timeline
from tests.views.conftest import Open
from tests.views.timelines import SEED_PRINTED, SEED_THREAD, Builder, seed, service

JAEGER = {"Jaeger": "http://localhost:16686/trace/{trace_id}?uiFind={span_id}"}


def texts(kind: str) -> str:
    """Texts of one kind that stand on the canvas, in order of their drawing."""
    return f"app.frame.texts.filter((one) => one.kind === '{kind}').map((one) => one.text)"


def test_seed_is_the_drawing(open_page: Open) -> None:
    """Rows, the thread's order, what each awaits, what it prints and when, who wakes whom."""
    page = open_page(seed(), width=1700)
    rows = page.page.locator("#labels .row").all_inner_texts()
    assert [row.replace("\n", " ") for row in rows] == [
        "seed pid 4242 · host", "MainThread 0.01 % busy", "output 11 lines", "main Task-1", "model_gen task1", "model_gen task2",
    ]  # fmt: skip
    assert page.get(texts("thread")) == SEED_THREAD
    assert page.get(texts("output")) == SEED_PRINTED
    assert page.get(texts("awaiting")) == [
        "task model_gen", "task model_gen", "asyncio.sleep", "asyncio.sleep", "asyncio.sleep", "asyncio.sleep",
    ]  # fmt: skip
    # The lines stand at their moments: 0, 2, 4 and 8 seconds, as the ruler has them.
    places = page.get("model.printed.map((line) => Math.round(line.time / 1e6))")
    assert places == [0, 0, 0, 0, 0, 2, 4, 4, 4, 8, 8]
    wakes = page.get(
        "[...model.arrows].map((step) => [model.wokenBy[step], step]).map(([a, b]) => [model.steps.task[a], model.steps.task[b]])"
    )
    assert wakes == [[0, 1], [0, 2], [2, 0], [1, 0]]
    assert page.get("app.frame.arrows") == 4
    page.press("a")
    assert page.get("app.frame.arrows") == 0


def test_ready_and_waiting_differ_without_colour(open_page: Open) -> None:
    """In the picture's lightness alone: ready is hatched, running is plain, waiting is a line on the ground."""
    page = open_page(service())
    page.press("a")
    step = page.step("fetch_order", 2)

    def across(start: str, end: str, above: int = 0) -> list[int]:
        """Along the middle of fetch_order's row, or above it, a little inside of two moments."""
        row = "app.layout.rows[app.layout.rowOf[1]]"
        return page.lightness(
            f"xOf({start}) + 3", f"{row}.y + {row}.height - 14 - {above}",
            f"xOf({end}) - xOf({start}) - 6",
        )  # fmt: skip

    ready = across(f"model.steps.ready[{step}]", f"model.steps.start[{step}]")
    assert max(ready) - min(ready) > 80
    assert sum(abs(a - b) > 40 for a, b in zip(ready, ready[1:], strict=False)) > 20
    for above in (0, 5):
        running = across("0", "20e3", above)
        assert max(running) - min(running) < 10 and max(running) < 150
    assert set(across("560e3", "640e3")) == {173}
    # Only the ground and its grid.
    assert min(across("560e3", "640e3", 5)) > 225


def test_critical_path_of_known_numbers(open_page: Open) -> None:
    """812 ms: 40 running, 610 waiting, 150 behind parse_report, 12 in load_price; chosen, said, drawn, left again."""
    page = open_page(service())
    path = page.page.evaluate(
        """() => { const path = loopscope.criticalPath(1), plain = (map) => Object.fromEntries(map);
        return { total: path.total, running: path.running, waiting: plain(path.waiting), ready: plain(path.ready), other: plain(path.other),
          unknown: path.unknown, segments: path.segments.map((one) => [one.kind, Math.round(one.start / 1e3), Math.round(one.end / 1e3), one.task]) }; }"""
    )
    assert path.pop("segments") == [
        ["running", 0, 20, 1],
        ["other", 20, 30, 2],
        ["waiting", 30, 330, 2],
        ["other", 330, 332, 2],
        ["running", 332, 342, 1],
        ["waiting", 342, 652, 1],
        ["ready", 652, 802, 1],
        ["running", 802, 812, 1],
    ]
    assert path == {
        "total": 812_000, "running": 40_000, "waiting": {"timer": 300_000, "I/O": 310_000}, "ready": {"parse_report": 150_000},
        "other": {"load_price": 12_000}, "unknown": 0,
    }  # fmt: skip
    page.page.locator("#labels .row", has_text="fetch_order").click()
    page.press("c")
    sentence = (
        "Of these 812 ms: 40 running, 610 waiting for I/O or timer, 150 ready behind parse_report, 12 in other tasks."
    )
    assert page.page.locator("#path-sentence").inner_text() == sentence
    assert page.page.locator("#said").inner_text() == sentence
    assert page.get("app.state.path.task") == 1
    page.press("Escape")
    assert page.page.locator("#path-sentence").count() == 0


def test_critical_path_of_partial_knowledge(open_page: Open) -> None:
    """Coalesced steps give their sums, an unseen beginning is called so, and wakes in a circle end."""
    b = Builder()
    one, two, late = b.task(1, "burst"), b.task(2, "ping"), b.task(3, "late", start=0, end=100, state="waiting")
    b.step(one, 0, 10, waker="start")
    b.step(one, 20, 60, count=10, running=8, outcome="returned")
    first = b.step(two, 0, 1, waker="start")
    second = b.step(late, 70, 80, waker="task", by=first)
    b.step(two, 90, 91, waker="task", by=second, outcome="returned")
    page = open_page(b.done())
    sentence = "() => [0, 1, 2].map((task) => loopscope.pathSentence(loopscope.criticalPath(task)))"
    assert page.page.evaluate(sentence) == [
        "Of these 60 ms: 18 running, 42 waiting for timer.",
        # late's step ended at 80, ping's at 1: what they woke came later.
        "Of these 91 ms: 2 running, 79 waiting for task, 10 in other tasks.",
        "Of these 100 ms: 10 running, 89 waiting for task or something still to come, 1 in other tasks.",
    ]


def test_hover_joins_culprit_and_victims(open_page: Open) -> None:
    """Both directions, with the numbers; leaving ends it."""
    page = open_page(service())
    culprit = page.step("parse_report", 1)
    victims = [page.step(name, index) for name, index in (("fetch_order", 2), ("check_stock", 1), ("send_mail", 1))]
    tip = page.hover(culprit)
    assert "Kept 3 tasks waiting, for 430 ms together" in tip and "Stall: busy: running Python code" in tip
    assert page.get("app.joins") == [[culprit, victim] for victim in victims]
    tip = page.hover(victims[0])
    assert "Ready for 150 ms, of it 150 ms behind parse_report (Task-4)" in tip
    assert page.get("app.joins") == [[culprit, victims[0]]]
    page.page.mouse.move(5, 5)
    page.frame()
    assert page.get("app.joins") == []
    assert page.page.locator("#tip").is_hidden()


def test_keyboard_goes_everywhere(open_page: Open) -> None:
    """Rows, steps, waker, culprit, victims, and what is said of each."""
    page = open_page(service())

    def chosen() -> str:
        return page.page.locator("#panel h2").inner_text()

    page.press("ArrowDown")
    assert chosen() == "Server.serve 0"
    page.press("ArrowDown", "Shift+ArrowRight")
    assert chosen() == "fetch_order 1"
    page.press("w")
    assert chosen() == "load_price 1"
    page.press("Shift+ArrowLeft", "w")
    assert chosen() == "fetch_order 0"
    page.press(".", ".", "d")
    assert chosen() == "parse_report 1"
    assert len(page.get("app.joins")) == 3
    assert "Kept 3 tasks waiting" in page.page.locator("#said").inner_text()
    page.press("v")
    assert chosen() == "fetch_order 2"
    page.press("v")
    assert chosen() == "check_stock 1"
    assert len(page.get("app.joins")) == 1
    page.press("ArrowUp")
    assert chosen().startswith("load_price")
    page.press("Escape")
    assert chosen() == "900 ms, 6 tasks, 13 steps"


def test_help_lists_every_key(open_page: Open) -> None:
    """`?` opens it, Escape closes it, and the page's keys rest meanwhile."""
    page = open_page(seed())
    page.press("?")
    dialog = page.page.get_by_role("dialog")
    assert dialog.is_visible()
    assert {"←", "+", "/", "c", "t", "?", "wheel"} <= set(dialog.locator("kbd").all_inner_texts())
    page.press("t")
    assert page.page.locator("#tables").is_hidden()
    page.press("Escape")
    assert not dialog.is_visible()


def test_zoom_and_pan(open_page: Open) -> None:
    """Wheel, keys, buttons, drags on the picture, the ruler and the overview; never beyond what there is."""
    page = open_page(service())
    window = "[app.view.from, app.view.to]"
    whole = page.get(window)
    box = page.page.locator("#over").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 4, box["y"] + 200
    page.page.mouse.move(x, y)
    under = page.get("app.view.from + (app.view.to - app.view.from) / 4")
    page.page.mouse.wheel(0, -400)
    page.frame()
    near = page.get(window)
    assert near[1] - near[0] < (whole[1] - whole[0]) * 0.7
    assert page.get("app.view.from + (app.view.to - app.view.from) / 4") == pytest.approx(under, abs=1400)
    page.press("ArrowRight")
    assert page.get(window)[0] - near[0] == pytest.approx((near[1] - near[0]) / 8)
    page.page.mouse.down()
    page.page.mouse.move(x + 50, y, steps=3)
    page.page.mouse.up()
    page.frame()
    assert page.get(window)[0] < near[0] + (near[1] - near[0]) / 8
    page.press("0")
    assert page.get(window) == whole
    page.press("-", "ArrowLeft")
    assert page.get(window) == whole
    page.press("+", "=")
    assert page.get("app.view.to - app.view.from") == pytest.approx((whole[1] - whole[0]) / 1.6**2)
    page.page.get_by_role("button", name="Fit").click()
    for selector, keys in (("#ruler", []), ("#over", ["Shift"]), ("#overview", [])):
        page.press("0")
        area = page.page.locator(selector).bounding_box()
        assert area
        for key in keys:
            page.page.keyboard.down(key)
        page.page.mouse.move(area["x"] + area["width"] * 0.5, area["y"] + 12)
        page.page.mouse.down()
        page.page.mouse.move(area["x"] + area["width"] * 0.75, area["y"] + 12, steps=4)
        page.page.mouse.up()
        for key in keys:
            page.page.keyboard.up(key)
        page.frame()
        length = whole[1] - whole[0]
        assert page.get(window) == pytest.approx(
            [whole[0] + length * 0.5, whole[0] + length * 0.75], abs=length / 200
        ), selector
    for _ in range(60):
        page.page.keyboard.press("+")
    page.frame()
    assert page.get("app.view.to - app.view.from") == pytest.approx(0.5)


def test_search_and_filter(open_page: Open) -> None:
    """By task, function and file; next and previous; hide the rest."""
    page = open_page(service())
    matches = page.page.locator("#matches")
    rows = page.page.locator("#labels .row.task")
    page.press("/")
    page.page.keyboard.type("REPORT")
    page.frame()
    assert matches.inner_text() == "1 of 1"
    page.page.fill("#query", "/srv/shop/s")
    page.frame()
    assert matches.inner_text() == "1 of 2"
    page.page.keyboard.press("Enter")
    assert matches.inner_text() == "2 of 2"
    assert page.page.locator("#panel h2").inner_text().startswith("check_stock")
    page.press("Escape", "n")
    assert page.page.locator("#panel h2").inner_text().startswith("Server.serve")
    page.press("N")
    assert page.page.locator("#panel h2").inner_text().startswith("check_stock")
    assert rows.count() == 6
    page.press("f")
    assert [text.split()[0] for text in rows.all_inner_texts()] == ["Server.serve", "check_stock"]
    page.page.fill("#query", "no such thing")
    page.frame()
    assert (matches.inner_text(), rows.count()) == ("none", 0)
    page.page.fill("#query", "")
    page.frame()
    assert rows.count() == 6


def test_details_and_links(open_page: Open) -> None:
    """A click opens a step: who woke it, the stall's stack, what it printed, and where it is in Jaeger."""
    page = open_page(service(), links=JAEGER)
    step = page.step("parse_report", 1)
    page.page.mouse.click(*page.place(step))
    page.frame()
    panel = page.panel()
    for text in (
        "parse_report 1",
        "150 ms",
        "reports.py:88",
        "had held the thread for 105 ms",
        "in parse\n",
        "report of 40,000 lines",
    ):
        assert text in panel
    link = page.page.locator("#panel a")
    span = page.get("model.steps.span").strip()[step * 16 : step * 16 + 16]
    assert link.get_attribute("href") == f"http://localhost:16686/trace/0af7651916cd43dd8448eb211c80319c?uiFind={span}"
    assert link.get_attribute("rel") == "noopener noreferrer"
    page.page.get_by_role("button", name="send_mail 1").click()
    assert "smtplib.SMTPServerDisconnected" in page.panel()
    page.page.get_by_role("button", name="Zoom to it").click()
    page.frame()
    assert page.get("app.view.to - app.view.from") < 300_000


def test_foreign_spans_are_bars_of_their_task(open_page: Open) -> None:
    """The request and its query stand in the task's row, one over the other, and tell who they are."""
    page = open_page(service())
    row = page.get(
        "(({ spans, y, height }) => ({ spans: spans.map((line) => line.map((one) => one.name)), y, height }))(app.layout.rows[app.layout.rowOf[1]])"
    )
    assert row["spans"] == [["GET /orders/{id}"], ["SELECT order"]]
    assert row["height"] > page.get("app.layout.rows[app.layout.rowOf[0]].height")
    box = page.page.locator("#over").bounding_box()
    assert box
    page.page.mouse.click(box["x"] + page.get("window.loopscope.xOf(500e3)"), box["y"] + row["y"] + 11)
    page.frame()
    assert "SELECT order" in page.panel() and "307 ms" in page.panel()


def test_table_sorts_and_leads_back(open_page: Open) -> None:
    """A real table: its headers sort, its presets too, a row's button chooses in the picture."""
    page = open_page(service())
    page.press("t")
    first = page.page.locator("tbody tr").first
    assert page.page.get_by_role("table").is_visible() and page.page.locator("#lanes").is_hidden()
    assert first.inner_text().split("\t")[:3] == ["parse_report 1", "652 ms", "150 ms"]
    page.page.get_by_role("button", name="Ran").click()
    assert page.page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    ran = [row.split("\t")[2] for row in page.page.locator("tbody tr").all_inner_texts()]
    assert ran[0] == "0" and ran[-1] == "150 ms"
    page.page.get_by_role("button", name="Most delayed").click()
    delayed = [row.split("\t")[0] for row in page.page.locator("tbody tr").all_inner_texts()][:3]
    assert delayed == ["send_mail 1", "check_stock 1", "fetch_order 2"]
    page.page.get_by_role("button", name="Most harmful").click()
    assert first.inner_text().split("\t")[5:7] == ["430 ms", "3"]
    page.page.get_by_role("button", name="Tasks").click()
    assert [row.split("\t")[0] for row in page.page.locator("tbody tr").all_inner_texts()][:2] == [
        "Server.serve",
        "fetch_order",
    ]
    page.page.get_by_role("button", name="Output").click()
    assert first.inner_text().split("\t")[:3] == ["order 17: price 9.90", "345 ms", "stdout"]
    page.page.get_by_role("button", name="order 17: price 9.90").click()
    assert page.page.locator("#lanes").is_visible()
    assert page.page.locator("#panel h2").inner_text() == "fetch_order 1"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(open_page: Open, scheme: str) -> None:
    """As the system has it, the other by the switch; the canvas goes with it, and text stays legible."""
    page = open_page(service(), scheme=scheme)
    ground = {"light": 255, "dark": (20 + 24 + 29) // 3}

    def corner() -> int:
        return page.lightness("app.view.width - 2", "app.height - 2", "1")[0]

    assert corner() == ground[scheme]
    page.press("l")
    assert corner() == ground["light"]
    page.press("l")
    assert corner() == ground["dark"]
    assert page.get("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    for theme in ("light", "dark"):
        page.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        for name in ("text", "quiet", "harm", "focus"):
            assert page.page.evaluate(CONTRAST, name) >= 4.5, (theme, name)
        for name in ("ready", *(f"task-{i}" for i in range(8))):
            assert page.page.evaluate(CONTRAST, name) >= 2.2, (theme, name)


#: WCAG's contrast of a colour to the ground
CONTRAST = """(name) => {
  const style = getComputedStyle(document.documentElement), light = (name) => {
    const parts = [1, 3, 5].map((at) => parseInt(style.getPropertyValue("--" + name).trim().slice(at, at + 2), 16) / 255);
    const [r, g, b] = parts.map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [a, b] = [light(name), light("paper")].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}"""


def test_phone(open_page: Open) -> None:
    """390 pixels wide: nothing sticks out, everything is there, details come from below."""
    page = open_page(service(), width=390, height=844)
    for key in ("Escape", "t", "t"):
        page.press(key)
        assert page.page.evaluate("document.documentElement.scrollWidth") == 390
        outside = page.page.evaluate(
            "[...document.querySelectorAll('button, input, canvas')].filter((one) => one.offsetParent && !one.closest('.sheet') && one.getBoundingClientRect().right > 390.5).length"
        )
        assert outside == 0
    page.page.mouse.click(*page.place(page.step("parse_report", 1)))
    page.frame()
    panel, lanes = page.page.locator("#panel").bounding_box(), page.page.locator("#lanes").bounding_box()
    assert panel and lanes
    assert panel["width"] == 390 and panel["y"] >= lanes["y"] + lanes["height"] - 1
    assert panel["height"] > 250 and lanes["height"] > 250
    assert "Kept 3 tasks waiting" in page.panel()


def test_fingers(open_page: Open) -> None:
    """Two fingers apart zoom, one moves, a tap chooses."""
    page = open_page(service(), width=390, height=844)
    touch = page.page.context.new_cdp_session(page.page)
    touch.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(places)]},
        )

    length = page.get("app.view.to - app.view.from")
    fingers("touchStart", (220, 300), (280, 300))
    for apart in (10, 20, 30):
        fingers("touchMove", (220 - apart, 300), (280 + apart, 300))
    fingers("touchEnd")
    page.frame()
    near, start = page.get("app.view.to - app.view.from"), page.get("app.view.from")
    assert near == pytest.approx(length / 2, rel=0.05)
    fingers("touchStart", (300, 300))
    for x in (280, 260, 240):
        fingers("touchMove", (x, 300))
    fingers("touchEnd")
    page.frame()
    assert page.get("app.view.from") > start and page.get("app.view.to - app.view.from") == pytest.approx(near)
    page.press("0")
    fingers("touchStart", page.place(page.step("parse_report", 1)))
    fingers("touchEnd")
    page.frame()
    assert page.page.locator("#panel h2").inner_text() == "parse_report 1"


def test_several_processes_and_threads(open_page: Open) -> None:
    """A row for each process, a lane for each thread, tasks under the thread that ran them."""
    b = Builder("web")
    b.timeline.processes["q"] = Process("q", "worker", 7, "other")
    main, second = b.task(1, "main"), b.task(2, "side", thread=2, thread_name="loop-2")
    b.step(main, 0, 1)
    b.step(second, 0.5, 2)
    timeline = b.done()
    moved = timeline.tasks[main]
    timeline.tasks["q", 1] = moved.__class__(
        ("q", 1), "Task-1", "consume", moved.start, moved.end, "returned", 0, 0, 0, 0, 9, "MainThread"
    )
    page = open_page(timeline)
    rows = [text.split("\n")[0] for text in page.page.locator("#labels .row").all_inner_texts()]
    assert rows == ["web", "MainThread", "main", "loop-2", "side", "worker", "MainThread", "consume"]


def test_empty(open_page: Open) -> None:
    """A trace without tasks is a page that says so."""
    page = open_page(Timeline(missing=["the trace is empty"]))
    assert "the trace is empty" in page.panel()
    page.press("ArrowDown", "+", "c", "d", "v", "n", "t", "t", "g", "z")
