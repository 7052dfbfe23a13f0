"""The command line. It never runs inside the instrumented process."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from loopscope.activation.cli import run
from loopscope.conventions import VERSION


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `loopscope`. Exit code 2 for wrong usage, else the command's."""
    parser = argparse.ArgumentParser(prog="loopscope", description="Shows what an asyncio event loop did.")
    parser.add_argument("--version", action="version", version=f"loopscope {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    run.add(commands)
    own, program = run.split(sys.argv[1:] if arguments is None else arguments)
    chosen = parser.parse_args(own)
    code: int = chosen.call(chosen, program)
    return code
