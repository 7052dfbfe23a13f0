"""`loopscope doctor`: whether it is on, what it sees, where it exports to, and what to do about what is wrong."""

from __future__ import annotations

import platform
import sys
import textwrap
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

import click

from loopscope.activation.cli import output
from loopscope.activation.cli.command import Command
from loopscope.activation.cli.doctor import conflicts, environment, exporting, recording, startup
from loopscope.activation.cli.doctor.finding import FAIL, OK, WARN, Finding
from loopscope.activation.cli.progress import working
from loopscope.conventions import VERSION
from loopscope.settings import Settings, Standard, switched_on
from loopscope.views.terminal import Style
from loopscope.views.terminal.summary import count
from loopscope.views.terminal.text import safe

_COLOURS = {OK: "green", WARN: "yellow", FAIL: "red"}
_PACKAGES = ("opentelemetry-sdk", "opentelemetry-exporter-otlp", "opentelemetry-instrumentation", "wrapt")
_WIDEST = 110
_BLIND = (
    "event loops that are neither asyncio's nor uvloop's, or whose call_soon somebody replaces later: the log says so",
    "the steps of a task that was suspended before loopscope was switched on, up to its next wake",
    "what holds the thread outside of steps and callbacks: asyncio.eventloop.coverage says how much is known",
    "the last second of a process that is killed",
)


@click.command(
    cls=Command,
    short_help="Check whether it is on, and where it exports to.",
    help="""Check whether loopscope is on in this environment, what it sees, where it exports to and whether that
    answers; with what to do about each thing that is wrong.

    It starts a small program with loopscope on, and sends an empty request to the OTLP endpoint that is set. Exit code
    1 if something fails.""",
    epilog="""\b
Examples:
  loopscope doctor
  OTEL_PYTHON_LOOPSCOPE_ENABLED=true OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 loopscope doctor
""",
)
def doctor() -> int:
    """See the help above."""
    standard = Standard.load()
    print(f"loopscope {VERSION}, Python {platform.python_version()} ({sys.executable})")
    print(", ".join(map(_versioned, _PACKAGES)))
    failed = _section("switched on", [*environment.findings(standard), *startup.findings()])
    on, settings = environment.quietly(lambda: (switched_on() is True, Settings.load()))
    with working("starting a program with loopscope on"):
        recorded = list(recording.findings(settings.core))
    failed += _section("recording", recorded)
    failed += _section("exporting", list(exporting.findings(standard, settings, on)))
    failed += _section("other packages", list(conflicts.findings()))
    print("\n" + output.style(sys.stdout).head("cannot be seen in any case"))
    for sentence in _BLIND:
        _line(output.style(sys.stdout), "-", sentence)
    print(f"\n{count(failed, 'check')} failed." if failed else "\nNo check failed.")
    return int(failed > 0)


def _versioned(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} missing"


def _section(title: str, found: Iterable[Finding]) -> int:
    """Write it; how many of it fail."""
    found, style = list(found), output.style(sys.stdout)
    print("\n" + style.head(title))
    arrow = "->" if style.plain else "→"
    for mark, said, advice in found:
        _line(style, f"{mark:<4}", safe(said, style.plain), _COLOURS[mark])
        if advice:
            _line(style, " " * 4, f"{arrow} {safe(advice, style.plain)}")
    sys.stdout.flush()
    return sum(one.mark == FAIL for one in found)


def _line(style: Style, mark: str, said: str, colour: str = "") -> None:
    """A mark, and beside it what is said, in as many lines as it needs."""
    indent = " " * (len(mark) + 4)
    body = textwrap.fill(
        said, min(style.columns, _WIDEST), initial_indent=indent, subsequent_indent=indent, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    shown = click.style(mark, fg=colour) if colour and style.colour else mark
    print(f"  {shown}{body[2 + len(mark) :]}")
