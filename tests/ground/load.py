"""The example service's own load: locust with the fixed mix of `examples/service/load.py`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.ground.shop import ROOT

#: customers, each with two requests a second: as many as in deploy's stack
CUSTOMERS = 20


@contextmanager
def load(url: str) -> Iterator[list[dict[str, Any]]]:
    """It comes while this is entered; afterwards the list has its figures, by request. RuntimeError if one failed."""
    command = [sys.executable, "-m", "locust", "-f", "examples/service/load.py", "--headless", "--json", "--skip-log"]
    command += ["-u", str(CUSTOMERS), "-r", str(CUSTOMERS), "-H", url]
    figures: list[dict[str, Any]] = []
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        try:
            yield figures
            process.terminate()  # it prints its figures then
            code = process.wait(30)
        finally:
            process.kill()
        output.seek(0)
        errors.seek(0)
        if code:
            raise RuntimeError(f"locust ended with {code}: {(output.read() + errors.read()).decode()[-2000:]}")
        figures += json.load(output)
