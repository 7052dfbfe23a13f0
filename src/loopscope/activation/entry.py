"""The command `loopscope`: what it is made of takes a moment to import, in which it may be interrupted too."""

from __future__ import annotations

import sys


def main() -> int:
    """Entry point of `loopscope`: its exit code."""
    try:
        from loopscope.activation.cli import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("loopscope: interrupted\n")
        return 130
