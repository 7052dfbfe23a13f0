"""A program as a child process, as if it had been started directly: exit code, terminal and signals are its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO

#: signals that are passed on. An interrupt is not: the terminal sends it to the program too
_PASSED = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)]


def run(command: Sequence[str], environment: Mapping[str, str], errors: IO[bytes] | None = None) -> int:
    """Run Python with this command line; signals meant for the program reach it. Its exit code, 128 + n of signal n.

    `errors`: a file in the place of its standard error.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    passed = [number for number in _PASSED if signal.getsignal(number) is signal.SIG_DFL]  # what is ignored stays so
    try:
        child = subprocess.Popen(
            [sys.executable, *command], env=environment, stderr=errors,
            preexec_fn=_default_interrupt if os.name == "posix" else None,
        )  # fmt: skip
        for number in passed:
            signal.signal(number, lambda number, frame: child.send_signal(number))
        try:
            code = child.wait()
        finally:
            for number in passed:
                signal.signal(number, signal.SIG_DFL)
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else 128 - code


def _default_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
