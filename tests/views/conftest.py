"""A browser for a module of tests, and pages opened in it from disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from loopscope.recording.timeline import Timeline
from loopscope.views.page import render
from tests.ground.chromium import Unavailable
from tests.views.chromium import Opened, chromium

Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the whole session: while playwright is there, its loop runs in this thread."""
    try:
        with chromium() as browser:
            yield browser
    except Unavailable as why:
        pytest.skip(f"no browser: {why}")


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Render a timeline and open it; whatever was opened must have kept silent and asked for nothing."""
    opened: list[Opened] = []

    def open_it(timeline: Timeline, width: int = 1280, height: int = 720, scheme: Any = "light", **more: Any) -> Opened:
        path = tmp_path / f"page{len(opened)}.html"
        path.write_text(render(timeline, **more), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.set_default_timeout(20_000)
        opened.append(Opened(context.new_page(), path))
        return opened[-1]

    yield open_it
    for one in opened:
        assert one.complaints == []
        assert [request for request in one.requests if not request.startswith("data:")] == [one.page.url]
        one.page.context.close()
