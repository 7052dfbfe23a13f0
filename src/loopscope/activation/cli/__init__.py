"""The command line, a file a command. It never runs inside the instrumented process, nor does click."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from loopscope.activation.cli.command import NAMES, NotDone
from loopscope.activation.cli.demo import demo
from loopscope.activation.cli.doctor import doctor
from loopscope.activation.cli.export import export
from loopscope.activation.cli.run import run
from loopscope.activation.cli.view import view
from loopscope.activation.entry import interrupted
from loopscope.conventions import VERSION
from loopscope.views.terminal.text import safe


@click.group(
    no_args_is_help=False,
    context_settings=NAMES,
    epilog="""\b
Examples:
  loopscope demo
  loopscope run app.py
  loopscope view trace.jsonl

\b
Exit codes: 0 done, 1 not done, 2 called wrongly; of `run` the program's own.

\b
Completion in the shell, in its start-up file (zsh_source for zsh, fish_source for fish):
  eval "$(_LOOPSCOPE_COMPLETE=bash_source loopscope)"
""",
)
@click.version_option(VERSION, prog_name="loopscope", message="%(prog)s %(version)s")
def commands() -> None:
    """Shows what an asyncio event loop did: which task ran when, what it waited for, and who held the thread."""


for command in (run, view, export, demo, doctor):
    commands.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `loopscope`. Exit code 2 for wrong usage, else the command's."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed when this was started
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  (for as long as the process lives)
    try:
        code = commands.main(
            args=None if arguments is None else list(arguments), prog_name="loopscope", standalone_mode=False
        )
        sys.stdout.flush()
    except click.ClickException as error:
        return _tell(error)
    except (click.Abort, KeyboardInterrupt):
        return interrupted()
    except OSError as error:  # standard output cannot be written: what is still to be written at exit must go
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"loopscope: {error.strerror or error}\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NotDone.exit_code
    return code or 0


def _tell(error: click.ClickException) -> int:
    """One line, with the command's name."""
    context: click.Context | None = getattr(error, "ctx", None)
    name = context.command_path if context is not None else "loopscope"
    message = safe(" ".join(error.format_message().rstrip(".").split()))
    more = f" (see {name} --help)" if isinstance(error, click.UsageError) else ""
    sys.stderr.write(f"{name}: {message}{more}\n")
    return error.exit_code
