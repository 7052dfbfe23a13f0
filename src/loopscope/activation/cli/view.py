"""`loopscope view`: traces from anywhere, in the terminal or as a page."""

from __future__ import annotations

import sys

import click

from loopscope.activation.cli import output
from loopscope.activation.cli import sources as asked
from loopscope.activation.cli.command import Command
from loopscope.activation.cli.progress import working
from loopscope.views import page


@click.command(
    cls=Command,
    short_help="Draw traces from files, Jaeger or Tempo.",
    help=f"""Draw traces: lanes of tasks, who held the thread, and the slowest, most delayed and most harmful steps.

    {asked.HELP}""",
    epilog="""\b
Examples:
  loopscope view trace.jsonl
  loopscope view trace.jsonl --html trace.html --open
  loopscope view 0af7651916cd43dd8448eb211c80319c --jaeger-url http://localhost:16686
  loopscope view http://localhost:16686/trace/0af7651916cd43dd8448eb211c80319c
""",
)
@asked.options
@click.option(
    "--html",
    type=click.Path(),
    metavar="PATH",
    help="Write one self-contained HTML page instead, `-` for standard output.",
)
@click.option("--open", "opened", is_flag=True, help="Open the page in the browser; without --html it is temporary.")
@click.option("--width", type=click.IntRange(40, output.WIDEST), metavar="COLUMNS", help="Draw this wide.")
@click.option("--no-color", "--no-colour", is_flag=True, help="Without colours, as with NO_COLOR set.")
def view(
    sources: tuple[str, ...], jaeger_url: str | None, tempo_url: str | None, header: tuple[str, ...],
    html: str | None, opened: bool, width: int | None, no_color: bool,
) -> None:  # fmt: skip
    """See the help above."""
    if opened and html == "-":
        raise click.UsageError("--open needs a file: give --html a path, or leave it out")
    if html is not None:
        output.spare(html, sources, "a source")
    known = asked.backends(jaeger_url, tempo_url, header)
    links = asked.links(sources, known)
    _, timeline = asked.read(sources, known)
    if html is None and not opened:
        return output.show(timeline, sys.stdout, width, not no_color)
    path = html or output.kept("timeline.html")
    with working("drawing"):
        content = page.render(timeline, asked.title(sources), links)
    output.write(path, content)
    if opened:
        output.open_page(path)
