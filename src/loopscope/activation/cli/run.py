"""`loopscope run`: one program with loopscope on. Without an OTLP endpoint, a trace file and a picture at the end."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from loopscope.recording import file
from loopscope.recording.assembly import assemble
from loopscope.recording.errors import SourceError
from loopscope.settings import PREFIX, PRINTED, Settings, Standard, child_environment, wants_colour
from loopscope.views.terminal import Style, draw

_HELP = {
    "detail": "steps, tasks, or none: no spans, metrics only",
    "include": "only tasks whose module.qualname matches, e.g. 'app.*,worker.*'",
    "exclude": "not tasks whose module.qualname matches",
    "trace_file": "keep the trace file (OTLP JSON lines) here",
}


def add(commands: Any) -> None:
    """Add this command's parser."""
    parser = commands.add_parser(
        "run",
        usage="loopscope run [options] app.py [args ...]  |  loopscope run [options] -m module [args ...]",
        help="run a Python program and show what its event loop did",
        description="Runs a Python program with loopscope on. Its exit code is the program's. With no OTLP endpoint "
        "set (OTEL_EXPORTER_OTLP_ENDPOINT and the like), the timeline is printed to standard error at the end.",
        epilog="example: loopscope run --exclude 'uvicorn.*' -m app --port 8000",
    )
    for field in fields(Settings):
        if field.name != "enabled":
            option = "--" + field.name.replace("_", "-")
            parser.add_argument(option, metavar="VALUE", help=_HELP.get(field.name, f"default {field.default}"))
    parser.set_defaults(call=lambda chosen, program: _run(parser, chosen, program))


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """(arguments of `loopscope run`, the program's command line); every option of ours takes a value."""
    if list(arguments[:1]) != ["run"]:
        return list(arguments), []
    at = 1
    while at < len(arguments) and arguments[at] != "-m" and arguments[at].startswith("-"):
        at += 1 if "=" in arguments[at] or arguments[at] in ("-h", "--help") else 2
    return list(arguments[:at]), list(arguments[at:])


def _run(parser: argparse.ArgumentParser, chosen: argparse.Namespace, command: list[str]) -> int:
    if not command or command == ["-m"]:
        parser.error("name a program: app.py, or -m module")
    if command[0] != "-m" and not os.path.exists(command[0]):
        parser.error(f"no such file: {command[0]}")
    given = {f.name: getattr(chosen, f.name) for f in fields(Settings) if getattr(chosen, f.name, None) is not None}
    standard = Standard.load()
    keep = given.get("trace_file")
    show = keep is not None or not (standard.endpoint or standard.exporters)
    with tempfile.TemporaryDirectory(prefix="loopscope-") as folder:
        path = os.path.abspath(keep) if keep is not None else os.path.join(folder, "trace.jsonl")
        if show:
            try:
                open(path, "w").close()
            except OSError as error:
                parser.error(f"cannot write the trace file {path}: {error.strerror}")
            given["trace_file"] = path
        given["enabled"] = "true"
        variables = {PREFIX + name.upper(): str(item) for name, item in given.items()}
        code = _child(command, child_environment({**variables, PRINTED: str(show).lower()}))
        if show:
            _show(path)
    return code


def _child(command: list[str], environment: dict[str, str]) -> int:
    """Run the program; signals meant for it reach it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the program too
    try:
        child = subprocess.Popen(
            [sys.executable, *command], env=environment, preexec_fn=_default_interrupt if os.name == "posix" else None
        )
        terminate = signal.signal(signal.SIGTERM, lambda number, frame: child.send_signal(number))
        try:
            code = child.wait()
        finally:
            signal.signal(signal.SIGTERM, terminate)
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else 128 - code


def _default_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _show(path: str) -> None:
    try:
        timeline = assemble(file.read(path))
    except SourceError as error:
        sys.stderr.write(f"\nloopscope: {error}\n")
        return
    style = Style(
        width=shutil.get_terminal_size((100, 24)).columns,
        colour=wants_colour(sys.stderr.isatty()),
        plain=not (sys.stderr.encoding or "").lower().startswith("utf"),
    )
    sys.stderr.write("\n" + draw(timeline, style))
