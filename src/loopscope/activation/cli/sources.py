"""The arguments and options that say which traces, and where they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import click

from loopscope.activation.cli.progress import working
from loopscope.recording import addresses, api, http
from loopscope.recording.errors import SourceError
from loopscope.recording.load import load_spans, timeline
from loopscope.recording.spans import Spans
from loopscope.recording.timeline import Timeline
from loopscope.settings import Backends

_Function = TypeVar("_Function", bound=Callable[..., Any])

HELP = """SOURCE is a trace file (OTLP JSON lines, or what Jaeger and Tempo give for download), a trace id, or the
    address of the page that shows the trace in Jaeger or Grafana. Several are drawn together."""


def options(function: _Function) -> _Function:
    """Add them to a command, whose function takes `sources`, `jaeger_url`, `tempo_url` and `header`."""
    for add in (
        click.option(
            "--header", metavar="NAME=VALUE", multiple=True, help="Send this with each question to a backend."
        ),
        click.option("--tempo-url", metavar="URL", help="Where Tempo's API is [OTEL_PYTHON_LOOPSCOPE_TEMPO_URL]."),
        click.option("--jaeger-url", metavar="URL", help="Where Jaeger is [OTEL_PYTHON_LOOPSCOPE_JAEGER_URL]."),
        click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path()),
    ):
        function = add(function)
    return function


def backends(jaeger_url: str | None, tempo_url: str | None, header: Sequence[str]) -> Backends:
    """What the environment says, and the options above it. Raises click.UsageError."""
    known = Backends.load()
    return replace(
        known,
        jaeger=known.jaeger if jaeger_url is None else jaeger_url,
        tempo=known.tempo if tempo_url is None else tempo_url,
        headers={**known.headers, **dict(map(_header, header))},
    )


def _header(written: str) -> tuple[str, str]:
    """`Name=value` or, as curl has it, `Name: value`."""
    at = min((written.index(sign) for sign in "=:" if sign in written), default=0)
    if not at:
        raise click.UsageError(f"--header {written!r} is not of the form NAME=VALUE")
    return written[:at].strip(), written[at + 1 :].strip()


def read(sources: Sequence[str], known: Backends) -> tuple[Spans, Timeline]:
    """The spans of all sources, and their Timeline. Raises SourceError."""
    named = http.without_secrets(sources[0]) if len(sources) == 1 else f"{len(sources)} sources"
    with working(f"reading {named}"):
        found = load_spans(sources, known)
        return found, timeline(sources, found)


def title(sources: Sequence[str]) -> str:
    """A page's title."""
    return ", ".join(map(http.without_secrets, sources)) + " - loopscope"


def links(sources: Sequence[str], known: Backends) -> Mapping[str, str]:
    """The page that shows a trace in Jaeger, as far as it is known where that is."""
    bases = [known.jaeger, *map(_jaeger, filter(addresses.is_address, sources))]
    return next(({"Jaeger": page(base)} for base in bases if base), {})


def page(base: str) -> str:
    """The address of a trace's page, for any trace and span."""
    return f"{http.without_secrets(addresses.base(base))}/trace/{{trace_id}}?uiFind={{span_id}}"


def _jaeger(address: str) -> str:
    """Where the Jaeger is that an address is of, empty for an address of something else."""
    try:
        asked = addresses.parse(address)
    except SourceError:
        return ""
    return asked.base if asked.paths == api.JAEGER else ""
