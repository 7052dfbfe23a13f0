"""`loopscope run`: one program with loopscope on. Without an OTLP endpoint, a trace file and a picture at the end."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from loopscope.activation.cli import child, output
from loopscope.activation.cli.command import Command
from loopscope.activation.cli.progress import working
from loopscope.activation.cli.sources import page as page_of
from loopscope.activation.cli.where import Ran, where
from loopscope.recording import file
from loopscope.recording.assembly import assemble
from loopscope.recording.errors import SourceError
from loopscope.recording.timeline import Timeline
from loopscope.settings import PREFIX, PRINTED, Backends, Settings, Standard, child_environment, trace_file
from loopscope.views import page

#: every setting but `enabled`, as an option: what stands for its value, and what it is
_OPTIONS = {
    "trace_file": ("PATH", "Keep the trace file (OTLP JSON lines) here."),
    "detail": ("LEVEL", "steps, states, slow, tasks, or none: no spans, metrics only."),
    "include": ("PATTERNS", "Only tasks whose module.qualname matches, e.g. 'app.*,worker.*'."),
    "exclude": ("PATTERNS", "Not tasks whose module.qualname matches."),
    "stall_threshold": ("SECONDS", "From which a step that holds the thread is a stall."),
    "delay_threshold": ("SECONDS", "From which a ready step counts as delayed."),
    "max_steps_per_task_span": ("COUNT", "Beyond it neighbouring steps are coalesced."),
    "max_spans_per_trace": ("COUNT", "Beyond it neighbouring steps are coalesced."),
    "max_spans_per_second": ("COUNT", "Beyond it fast steps and quick tasks are told with less detail."),
    "max_cpu_share": ("SHARE", "Of a processor for loopscope's thread; beyond it there is less detail too."),
    "segment_seconds": ("SECONDS", "After which a living task is exported in part."),
    "buffer_size": ("RECORDS", "That may wait for the background thread."),
    "metrics": ("FLAG", "Whether there are metrics."),
    "stacks": ("FLAG", "Whether stalls have stacks."),
    "core": ("NAME", "What records: native (in C), python, or auto: native where it can be loaded."),
}
_DEFAULTS = Settings()
#: what `--html` stands for without a path
_BESIDE = ""


def _option(name: str, metavar: str, told: str) -> click.Option:
    default = getattr(_DEFAULTS, name)
    shown = f" [{str(default).lower()}]" if default not in (None, ()) else ""
    return click.Option(["--" + name.replace("_", "-")], metavar=metavar, help=told + shown)


class _Run(Command):
    """Its own options end where the program begins: what comes after is the program's, whatever it looks like."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params += [_option(name, *about) for name, about in _OPTIONS.items()]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click.Command."""
        alone = {name for option in self.params if isinstance(option, click.Option) and option.is_flag
                 for name in option.opts} | set(ctx.help_option_names) | {"--html"}  # fmt: skip
        at = 0
        while at < len(args) and args[at] not in ("-m", "--") and args[at].startswith("-"):
            at += 1 if "=" in args[at] or args[at] in alone else 2
        if at > len(args) and not ctx.resilient_parsing:
            raise click.UsageError(f"{args[-1]} needs a value", ctx)
        own = [f"--html={_BESIDE}" if one == "--html" else one for one in args[:at]]
        return super().parse_args(ctx, [*own, "--", *args[at + (args[at : at + 1] == ["--"]) :]])

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See click.Command."""
        formatter.write_usage(ctx.command_path, "[OPTIONS] app.py [ARGS]... | -m module [ARGS]...")


@click.command(
    cls=_Run,
    short_help="Run a program and show what its event loop did.",
    help="""Run a Python program with loopscope on, and show what its event loop did. The exit code is the program's.

    With no OTLP endpoint set (OTEL_EXPORTER_OTLP_ENDPOINT and the like) the timeline is drawn on standard error at the
    end. With one, the spans go there, and where to look is told.""",
    epilog="""\b
Examples:
  loopscope run app.py
  loopscope run --html app.py
  loopscope run --trace-file trace.jsonl --exclude 'uvicorn.*' -m app --port 8000
""",
)
@click.argument("program", nargs=-1, type=click.Path())
@click.option(
    "--html", metavar="[=PATH]",
    help="Write a page too: to PATH, else beside the trace file or among the temporary files; on a terminal open it.",
)  # fmt: skip
@click.option("--no-open", is_flag=True, help="Do not open the page.")
def run(program: tuple[str, ...], html: str | None, no_open: bool, **given: Any) -> int:
    """See the help above."""
    _check(program)
    if html == "-":
        raise click.UsageError("standard output is the program's: give --html a path, or none")
    settings = {name: value for name, value in given.items() if value is not None}
    standard, known = Standard.load(), Backends.load()
    links = {"Jaeger": page_of(known.jaeger)} if known.jaeger else {}
    keep = settings.get("trace_file")
    exporting = bool(standard.endpoint or standard.exporters)
    with tempfile.TemporaryDirectory(prefix="loopscope-") as folder:
        path = None
        if keep is not None or html is not None or not exporting:
            path = settings["trace_file"] = output.writable(keep or os.path.join(folder, "trace.jsonl"), "trace file")
        if html is not None:
            html = output.writable(html or _beside(keep, program), "page")
        _empty(path, html, program)
        start = time.time_ns()
        code = child.run(program, _environment(settings))
        ran = Ran(start, time.time_ns())
        if path is not None and keep is None:
            _append(path, trace_file())
        try:
            timeline = _read(path) if path is not None else None
            if timeline is not None:
                if keep is not None or not exporting:
                    sys.stderr.write("\n")
                    output.show(timeline, sys.stderr)
                    if not timeline.tasks:
                        output.say("if something should have been, `loopscope doctor` tells why it was not")
                if html is not None:
                    _write_page(html, timeline, _name(program), links)
                    if sys.stderr.isatty() and not no_open:
                        output.open_page(html)
                ran = ran._replace(trace_ids=timeline.trace_ids)
            if exporting:
                for line in where(standard, known, ran):
                    output.say(line)
        except (BrokenPipeError, click.ClickException) as error:
            _complain(error)
    return code


def _check(program: tuple[str, ...]) -> None:
    if not program or program == ("-m",):
        raise click.UsageError("name a program: app.py, or -m module")
    if program[0] != "-m" and not os.path.exists(program[0]):
        raise click.UsageError(f"no such file: {program[0]}")


def _empty(trace_file: str | None, html: str | None, program: tuple[str, ...]) -> None:
    """What was written earlier goes, once it is sure that neither is needed."""
    files = [path for path in (trace_file, html) if path is not None]
    for path in files:
        output.spare(path, program[:1], "the program")
        if path.endswith(".py") and os.path.getsize(path):
            raise click.UsageError(f"{path} is a program: write to another file")
    if len(files) == 2 and os.path.samefile(*files):
        raise click.UsageError("page and trace file cannot be the same file")
    for path in files:
        if os.path.isfile(path):
            os.truncate(path, 0)


def _environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """The program's environment. What it prints is noted where there is a trace file."""
    given = {**settings, "enabled": "true"}
    variables = {PREFIX + name.upper(): str(value) for name, value in given.items()}
    return child_environment({**variables, PRINTED: str("trace_file" in settings).lower()})


def _beside(trace_file: str | None, program: tuple[str, ...]) -> str:
    """Where the page goes if nobody says."""
    if trace_file is not None:
        return str(Path(trace_file).with_suffix(".html"))
    return output.kept(f"{Path(_name(program)).stem}.html")


def _name(program: tuple[str, ...]) -> str:
    return program[1] if program[0] == "-m" else os.path.basename(program[0])


def _read(path: str) -> Timeline | None:
    try:
        with working("reading the trace"):
            return assemble(file.read(path))
    except SourceError as error:
        output.say(str(error))
        return None


def _append(path: str, named: str) -> None:
    """What was recorded goes where the environment says, too: the program could write one trace file only."""
    if not named:
        return
    try:
        with open(path, "rb") as recorded, open(named, "ab") as other:
            shutil.copyfileobj(recorded, other)
    except OSError as error:
        output.say(f"cannot write the trace file {named}: {error.strerror or error}")


def _write_page(path: str, timeline: Timeline, title: str, links: Mapping[str, str]) -> None:
    with working("drawing the page"):
        content = page.render(timeline, title, links)
    output.write(path, content)


def _complain(error: Exception) -> None:
    """The program has run: what could not be shown of it does not change its exit code."""
    if isinstance(error, click.ClickException):
        output.say(error.format_message())
