"""`loopscope view`: from files, ids and addresses, to the terminal and to a page."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import pytest

from loopscope.recording.assembly import assemble
from loopscope.recording.spans import Spans
from loopscope.views.page import render
from loopscope.views.terminal import Style, draw
from tests.cli.calling import Caller, trace_file
from tests.views import standin
from tests.views.made import TRACE
from tests.views.seed import seed
from tests.views.standin import StandIn

SEED = assemble(Spans(seed()))


def test_file(call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture of the views, as wide as is wanted, and as is usual where there is no terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)
    path = trace_file(tmp_path, seed())
    assert call("view", path) == (0, draw(SEED, Style(100)), "")
    assert call("view", "--width", "160", path) == (0, draw(SEED, Style(160)), "")
    monkeypatch.setenv("COLUMNS", "1000000")
    assert call("view", path) == (0, draw(SEED, Style(1000)), "")


def test_colours(call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = trace_file(tmp_path, seed())
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert call("view", "--width", "99", path)[1] == draw(SEED, Style(99, colour=True))
    assert "\x1b" not in call("view", "--no-color", path)[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in call("view", path)[1]


def test_backends(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """By options, by variables, by pasted address."""
    drawn = draw(SEED, Style(100))
    with StandIn(standin.jaeger(seed())) as jaeger, StandIn(standin.tempo(seed())) as tempo:
        for arguments in (
            [TRACE, "--jaeger-url", jaeger.base],
            ["--tempo-url", tempo.base, TRACE],
            [f"{jaeger.base}/trace/{TRACE}"],
        ):
            assert call("view", "--width", "100", *arguments) == (0, drawn, ""), arguments
        monkeypatch.setenv("OTEL_PYTHON_LOOPSCOPE_TEMPO_URL", tempo.base)
        assert call("view", "--width", "100", TRACE) == (0, drawn, "")
        assert call("view", "--width", "100", TRACE, "--header", "X-Scope-OrgID=shop", "--header", "A: b=c")[0] == 0
        assert (tempo.headers["x-scope-orgid"], tempo.headers["a"]) == ("shop", "b=c")


def test_several(call: Caller, tmp_path: Path) -> None:
    """The same trace twice is the same trace."""
    path = trace_file(tmp_path, seed())
    with StandIn(standin.tempo(seed())) as tempo:
        assert call("view", "--width", "100", path, TRACE, "--tempo-url", tempo.base)[1] == draw(SEED, Style(100))


def test_page(call: Caller, tmp_path: Path) -> None:
    path, page = trace_file(tmp_path, seed()), tmp_path / "page.html"
    assert call("view", path, "--html", str(page)) == (0, "", f"loopscope: wrote {page}\n")
    assert page.read_text() == render(SEED, f"{path} - loopscope")
    assert call("view", path, "--html", "-") == (0, page.read_text(), "")


def test_page_links_to_the_jaeger_that_is_known(call: Caller) -> None:
    with StandIn(standin.jaeger(seed(), "/ui")) as jaeger:
        link = f'["Jaeger","{jaeger.base}/ui/trace/{{trace_id}}?uiFind={{span_id}}"]'
        assert link in call("view", f"{jaeger.base}/ui/trace/{TRACE}", "--html", "-")[1]
        assert link in call("view", TRACE, "--jaeger-url", f"{jaeger.base}/ui", "--html", "-")[1]
    with StandIn(standin.tempo(seed())) as tempo:
        assert '"links":[]' in call("view", f"{tempo.base}/api/v2/traces/{TRACE}", "--html", "-")[1]


def test_open(call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the browser; a page without a path is kept among the temporary files."""
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    monkeypatch.setenv("DISPLAY", ":0")
    path = trace_file(tmp_path, seed())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert call("view", path, "--open", "--html", str(tmp_path / "a b.html"))[0] == 0
    assert call("view", path, "--open")[0] == 0
    assert opened[0] == f"file://{tmp_path}/a%20b.html"
    assert opened[1].startswith(f"file://{tmp_path}/loopscope-") and opened[1].endswith("/timeline.html")
    assert all(Path(url.removeprefix("file://").replace("%20", " ")).exists() for url in opened)


@pytest.mark.parametrize("display", [":0", ""])
def test_no_browser(call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, display: str) -> None:
    """Without a display not even a text browser is tried."""
    monkeypatch.setattr(webbrowser, "open", lambda url: not display)
    monkeypatch.setenv("DISPLAY", display)
    for name in ("BROWSER", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    code, _, err = call("view", trace_file(tmp_path, seed()), "--open", "--html", str(tmp_path / "x.html"))
    assert code == 0 and "found no browser" in err


def test_called_wrongly(call: Caller, tmp_path: Path) -> None:
    path = trace_file(tmp_path, seed())
    assert "--open needs a file" in call.refused(2, "view", path, "--open", "--html", "-")
    assert "SOURCE" in call.refused(2, "view")
    assert "--width" in call.refused(2, "view", "--width", "3", path)
    assert "--header 'x' is not" in call.refused(2, "view", "--header", "x", path)
    assert "cannot write /nowhere/x.html" in call.refused(1, "view", path, "--html", "/nowhere/x.html")


def test_a_page_is_not_written_over_its_source(call: Caller, tmp_path: Path) -> None:
    path = trace_file(tmp_path, seed())
    before = Path(path).read_bytes()
    assert "is a source" in call.refused(2, "view", path, "--html", path)
    assert Path(path).read_bytes() == before
