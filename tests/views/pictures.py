"""The pictures of the documents, made anew: `python -m tests.views.pictures`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, ViewportSize

from loopscope.recording.timeline import Timeline
from loopscope.views.page import render
from tests.ground.chromium import Unavailable
from tests.views.chromium import Opened, chromium
from tests.views.png import shrunk
from tests.views.timelines import seed, service

FOLDER = Path(__file__).parents[2] / "examples" / "pictures"
#: a picture's most bytes
LIMIT = 60_000
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def take(
    browser: Browser, timeline: Timeline, name: str, size: tuple[int, int], pose: Callable[[Opened], None]
) -> list[Path]:
    """A page of this width and height in both themes, as `pose` leaves it."""
    taken = []
    for scheme in SCHEMES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "page.html")
            path.write_text(render(timeline, f"{name}.py"), encoding="utf-8")
            viewport: ViewportSize = {"width": size[0], "height": size[1]}
            context = browser.new_context(viewport=viewport, color_scheme=scheme)
            page = Opened(context.new_page(), path)
            pose(page)
            page.page.mouse.move(1, 1)
            page.frame()
            taken.append(FOLDER / f"{name}-{scheme}.png")
            taken[-1].write_bytes(shrunk(page.page.screenshot()))
            context.close()
    return taken


def culprit(page: Opened) -> None:
    """The step that held the others up, chosen."""
    page.page.mouse.click(*page.place(page.step("parse_report", 1)))
    page.frame()


def main() -> int:
    """All pictures, light and dark; one as wide as a phone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        with chromium() as browser:
            taken = take(browser, seed(), "seed", (1320, 330), lambda page: None)
            taken += take(browser, service(), "culprit", (1320, 520), culprit)
            taken += take(browser, service(), "phone", (390, 760), culprit)
    except Unavailable as why:
        print(why, file=sys.stderr)
        return 1
    for path in taken:
        print(path.relative_to(Path.cwd()), path.stat().st_size)
    return int(any(path.stat().st_size > LIMIT for path in taken))


if __name__ == "__main__":
    sys.exit(main())
