"""`loopscope demo`: two small programs, run with loopscope on, drawn and told. No server is needed."""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from importlib import resources

import click

from loopscope.activation.cli import child, output
from loopscope.activation.cli.command import Command, NotDone
from loopscope.activation.cli.demo import story
from loopscope.activation.entry import INTERRUPTED
from loopscope.recording import file
from loopscope.recording.assembly import assemble
from loopscope.recording.timeline import Timeline
from loopscope.settings import PREFIX, child_environment

_SEED = (
    "1. Who runs when?",
    "`main` starts two tasks on one thread, and does so twice; each task prints, sleeps, prints, sleeps. It takes four "
    "seconds:",
)
_SERVICE = (
    "2. Who is to blame?",
    "A small service answers six requests at once, each of which asks a database twice for 30 ms or so. They take far "
    "longer, and no span of their own says why:",
)
_NEXT = (
    "Now your own",
    "A program: `loopscope run app.py`. A service: `loopscope doctor` tells what to set. Any trace in Jaeger or Tempo: "
    "`loopscope view`.",
)
Part = tuple[str, str]


@click.command(
    cls=Command,
    short_help="Run, draw and tell two small programs.",
    help="""Run two small programs with loopscope on, draw what their event loops did, and tell it in a few sentences.

    It needs no server and writes nothing that stays.""",
    epilog="""\b
Example:
  loopscope demo
""",
)
def demo() -> None:
    """See the help above."""
    _part("seed.py", _SEED, story.of_seed)
    _part("service.py", _SERVICE, story.of_service)
    _introduce(_NEXT)


def _part(name: str, introduction: Part, told: Callable[[Timeline], Iterator[str]]) -> None:
    """Run a program, draw it, tell it. Raises NotDone."""
    _introduce(introduction)
    timeline = _recorded(name)
    print()
    output.show(timeline, sys.stdout)
    print()
    for sentence in told(timeline):
        _paragraph(sentence)


def _recorded(name: str) -> Timeline:
    program = resources.files(__name__) / "programs" / name
    with tempfile.TemporaryDirectory(prefix="loopscope-") as folder, resources.as_file(program) as path:
        trace = output.writable(os.path.join(folder, "trace.jsonl"), "trace file")
        settings = {PREFIX + "ENABLED": "true", PREFIX + "TRACE_FILE": trace}
        with tempfile.TemporaryFile() as errors:
            code = child.run([str(path)], child_environment(settings, standard=False), errors)
            if code == INTERRUPTED:  # where it was is nobody's concern
                raise KeyboardInterrupt
            errors.seek(0)
            sys.stderr.write(errors.read().decode(errors="replace"))
        if code:
            raise NotDone(f"the program {name} ended with exit code {code}")
        timeline = assemble(file.read(trace))
    if not timeline.steps:
        raise NotDone(f"nothing was recorded of {name}: `loopscope doctor` tells why")
    return timeline


def _introduce(part: Part) -> None:
    heading, text = part
    print(output.style(sys.stdout).head(heading) + "\n")
    _paragraph(text)


def _paragraph(text: str) -> None:
    print(textwrap.fill(text, min(output.style(sys.stdout).columns, 100)) + "\n")
    sys.stdout.flush()
