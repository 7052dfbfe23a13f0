"""A page opened from disk in a real Chromium, that remembers whatever it complains of and asks of the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.ground.chromium import browser_path


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; without its sandbox, which root cannot have."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Opened:
    """A page, what it said on the console, and what it asked for besides itself."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_function("window.loopscope !== undefined")
        self.frame()

    def get(self, expression: str) -> Any:
        """A value of the page, with `app` and `model` at hand."""
        return self.page.evaluate(f"(() => {{ const {{ app, model }} = window.loopscope; return {expression}; }})()")

    def frame(self) -> None:
        """Let what was asked for be drawn."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def press(self, *keys: str) -> None:
        """Keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)
        self.frame()

    def step(self, qualname: str, index: int) -> int:
        """The number of a step, by its function or its task's name."""
        found: int = self.page.evaluate(
            """([name, index]) => { const { model } = window.loopscope, { steps, tasks, names } = model;
            for (let i = 0; i < steps.n; i++) {
              const task = steps.task[i];
              if ([names[tasks.qualname[task]], names[tasks.name[task]]].includes(name) && steps.index[i] === index) return i;
            }
            return -1; }""",
            [qualname, index],
        )
        assert found >= 0, f"no step {qualname} {index}"
        return found

    def place(self, step: int) -> tuple[float, float]:
        """The middle of a step's bar, in the page's pixels."""
        x, y = self.page.evaluate(
            """(step) => { const { app, model, xOf } = window.loopscope, box = document.getElementById("over").getBoundingClientRect();
            const row = app.layout.rows[app.layout.rowOf[model.steps.task[step]]];
            const x = (xOf(model.steps.start[step]) + xOf(model.steps.end[step])) / 2;
            return [box.left + x, box.top + row.y - app.scroll + row.height - 13]; }""",
            step,
        )
        return x, y

    def lightness(self, x: str, y: str, width: str) -> list[int]:
        """A line of pixels of the lower canvas, as greys; expressions over the page's `app`, `model` and `xOf`."""
        found: list[int] = self.page.evaluate(
            f"""() => {{ const {{ app, model, xOf }} = window.loopscope, [x, y, width] = [{x}, {y}, {width}].map(Math.round);
            const copy = new OffscreenCanvas(width, 1), pen = copy.getContext("2d", {{ willReadFrequently: true }});
            pen.drawImage(app.ctx.canvas, -x, -y);
            const data = pen.getImageData(0, 0, width, 1).data;
            return Array.from({{ length: width }}, (_, i) => Math.round((data[4 * i] + data[4 * i + 1] + data[4 * i + 2]) / 3)); }}"""
        )
        return found

    def hover(self, step: int) -> str:
        """Rest on a step; what the tip says."""
        self.page.mouse.move(*self.place(step))
        self.frame()
        return self.page.locator("#tip").inner_text()

    def panel(self) -> str:
        """What the details say."""
        return self.page.locator("#panel").inner_text()
