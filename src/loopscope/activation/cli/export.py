"""`loopscope export`: traces from anywhere, as a file that another program opens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import click

from loopscope.activation.cli import output
from loopscope.activation.cli import sources as asked
from loopscope.activation.cli.command import Command
from loopscope.activation.cli.progress import working
from loopscope.recording import jaegerjson
from loopscope.recording.spans import Spans
from loopscope.recording.timeline import Timeline
from loopscope.views import page, perfetto

#: spans, Timeline, title, links
_Make = Callable[[Spans, Timeline, str, Mapping[str, str]], str]


def _perfetto(found: Spans, timeline: Timeline, title: str, links: Mapping[str, str]) -> str:
    return json.dumps(perfetto.trace_events(timeline)) + "\n"


def _jaeger(found: Spans, timeline: Timeline, title: str, links: Mapping[str, str]) -> str:
    return json.dumps(jaegerjson.write(found.spans)) + "\n"


def _html(found: Spans, timeline: Timeline, title: str, links: Mapping[str, str]) -> str:
    return page.render(timeline, title, links)


FORMATS: dict[str, _Make] = {"perfetto": _perfetto, "jaeger": _jaeger, "html": _html}


@click.command(
    cls=Command,
    short_help="Write traces for Perfetto, Jaeger or a browser.",
    help=f"""Write traces as a file for ui.perfetto.dev or chrome://tracing (perfetto), for the upload of Jaeger's page
    (jaeger), or for any browser (html).

    {asked.HELP}""",
    epilog="""\b
Examples:
  loopscope export trace.jsonl --to perfetto -o trace.json
  loopscope export trace.jsonl --to jaeger -o - | gzip > trace.json.gz
  loopscope export 0af7651916cd43dd8448eb211c80319c --tempo-url http://localhost:3200 --to html -o trace.html
""",
)
@asked.options
@click.option("--to", "form", type=click.Choice(list(FORMATS)), required=True, help="The format.")
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(),
    metavar="FILE",
    required=True,
    help="The file, `-` for standard output.",
)
def export(
    sources: tuple[str, ...], jaeger_url: str | None, tempo_url: str | None, header: tuple[str, ...],
    form: str, path: str,
) -> None:  # fmt: skip
    """See the help above."""
    output.spare(path, sources, "a source")
    known = asked.backends(jaeger_url, tempo_url, header)
    links = asked.links(sources, known)
    found, timeline = asked.read(sources, known)
    with working(f"writing {path}"):
        content = FORMATS[form](found, timeline, asked.title(sources), links)
    output.write(path, content)
