"""The command `loopscope`: what it is made of takes a moment to import, in which it may be interrupted too."""

from __future__ import annotations

import signal
import sys

#: the exit code of what was interrupted, as shells have it
INTERRUPTED = 128 + signal.SIGINT


def interrupted() -> int:
    """Say that the command was; its exit code."""
    sys.stderr.write("loopscope: interrupted\n")
    return INTERRUPTED


def main() -> int:
    """Entry point of `loopscope`: its exit code."""
    try:
        from loopscope.activation.cli import main as run

        return run()
    except KeyboardInterrupt:
        return interrupted()
