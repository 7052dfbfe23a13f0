"""One self-contained HTML page of a Timeline: opens from disk, asks no network, and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from importlib import resources

from loopscope.recording.timeline import Timeline
from loopscope.views.columns import columns

#: in the order in which they build on each other
SCRIPTS = (
    "text.js", "model.js", "critical.js", "layout.js", "theme.js", "view.js", "series.js", "draw.js", "overlay.js",
    "panel.js", "tables.js", "search.js", "pointer.js", "keyboard.js", "main.js",
)  # fmt: skip


def render(timeline: Timeline, title: str = "loopscope", links: Mapping[str, str] | None = None) -> str:
    """The page.

    `links` are addresses by label, with `{trace_id}` and `{span_id}` in them, offered for each span; an address that
    is not http or https is a ValueError.
    """
    for label, address in (links or {}).items():
        if not re.match(r"https?://", address):
            raise ValueError(f"link {label!r} is neither http nor https: {address!r}")
    style = asset("page.css")
    script = "(() => {\n'use strict';\n" + "\n".join(asset(name) for name in SCRIPTS) + "\n})();"
    document = {"title": title, "links": [list(link) for link in (links or {}).items()], **columns(timeline)}
    parts = {
        "title": html.escape(title.encode("utf-8", "replace").decode()),
        "policy": _policy(style, script),
        "style": style,
        "script": script,
        "data": embedded(document),
    }
    # In one pass: what is filled in is never looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], asset("page.html"))


def embedded(document: object) -> str:
    """JSON that can stand in a script element: ASCII without any `<`, so that no text in it ever ends the element."""
    return json.dumps(document, separators=(",", ":")).replace("<", "\\u003c")


def asset(name: str) -> str:
    """A file of `assets`."""
    return (resources.files("loopscope.views") / "assets" / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Nothing may be loaded or run but this very style and script."""
    return f"default-src 'none'; img-src data:; style-src {_sha(style)}; script-src {_sha(script)}; base-uri 'none'"


def _sha(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
