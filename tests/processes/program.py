"""Programs run in processes of their own with loopscope on, and what became of them and of their spans."""

from __future__ import annotations

import functools
import hashlib
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path
from typing import IO

from tests.ground import native_core, pythons
from tests.ground.receiver import Protocol, ReceivedSpan, Receiver
from tests.ground.spans import Span
from tests.outside import without

ROOT = Path(__file__).parents[2]

PROTOCOLS: dict[Protocol, str] = {"http": "http/protobuf", "grpc": "grpc"}


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended: its exit code, what it printed, and when it ended by time.monotonic()."""

    code: int
    out: str
    err: str
    at: float

    @property
    def told(self) -> list[str]:
        """The lines of loopscope's own warnings: without handlers, logging prints the bare message."""
        return [line for line in self.err.splitlines() if line.startswith(("loopscope", "OTEL_PYTHON_LOOPSCOPE"))]


class Program:
    """A process that runs; `source` is Python, indented as it may be."""

    def __init__(
        self,
        source: str,
        environment: dict[str, str],
        *,
        python: str = sys.executable,
        flags: Sequence[str] = (),
        arguments: Sequence[str] = (),
    ) -> None:
        self._process = subprocess.Popen(
            [python, *flags, "-c", textwrap.dedent(source), *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def say(self, line: str) -> None:
        """A line for its standard input."""
        _of(self._process.stdin).write(line + "\n")
        _of(self._process.stdin).flush()

    def hear(self) -> str:
        """The next line that it prints."""
        return _of(self._process.stdout).readline().rstrip("\n")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self, timeout: float = 30) -> Ended:
        """Wait for its end; one that does not end within `timeout` seconds is killed, and TimeoutExpired raised."""
        try:
            out, err = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            out, err = self._process.communicate()
            print(out, err, file=sys.stderr)
            raise
        return Ended(self._process.returncode, out, err, time.monotonic())


def _of(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def run(
    source: str,
    environment: dict[str, str],
    *,
    python: str = sys.executable,
    flags: Sequence[str] = (),
    timeout: float = 30,
) -> Ended:
    """Run a program to its end."""
    return Program(source, environment, python=python, flags=flags).end(timeout)


def clean() -> dict[str, str]:
    """The environment of a user who has set nothing of Python's, of OpenTelemetry's or of ours."""
    return without("OTEL_", "PYTHON")


#: no stalls are told: what takes long is the machine's
CALM = {"OTEL_PYTHON_LOOPSCOPE_STALL_THRESHOLD": "3600"}


def switched_on(endpoint: str, protocol: Protocol = "http", **more: str) -> dict[str, str]:
    """An environment that switches loopscope on and sends to `endpoint`."""
    return {
        **clean(),
        "OTEL_PYTHON_LOOPSCOPE_ENABLED": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": PROTOCOLS[protocol],
        "OTEL_EXPORTER_OTLP_TIMEOUT": "5",
        **more,
    }


def to(receiver: Receiver, protocol: Protocol = "http", **more: str) -> dict[str, str]:
    """An environment that switches loopscope on and sends to this receiver."""
    return switched_on(receiver.http if protocol == "http" else receiver.grpc, protocol, **more)


@functools.cache
def python(version: str) -> str:
    """The executable of a virtual environment of this version with this checkout installed in it."""
    needed = tuple(line for line in requires("loopscope") or () if "extra ==" not in line)
    # an editable install copies the start-up files
    copied = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(ROOT.glob("src/loopscope_autostart.*"))))
    name = f"processes-{copied.hexdigest()[:6]}"
    interpreter = pythons.pythons()[version]
    native_core.build(interpreter)
    return str(pythons.venv(interpreter, ("-e", str(ROOT), *needed), name).executable)


def steps_by_task(spans: Iterable[Span]) -> Counter[str]:
    """Steps by task name. Each is counted once: by its own span, or in the span of coalesced ones."""
    counted: Counter[str] = Counter()
    for span in spans:
        if span.name.startswith(("step ", "steps ")):
            counted[span.attributes["asyncio.task.name"]] += span.attributes.get("asyncio.step.count", 1)
    return counted


def assert_unique(spans: Sequence[Span]) -> None:
    """No span came twice, and no id was given twice."""
    twice = [key for key, count in Counter(span.span_id for span in spans).items() if count > 1]
    assert not twice, f"{len(twice)} span ids came more than once"


def lateness(spans: Sequence[ReceivedSpan]) -> dict[str, float]:
    """Seconds from each span's end to its arrival."""
    offset = time.time() - time.monotonic()
    return {f"{span.name} {span.span_id}": span.arrived + offset - span.end / 1e9 for span in spans}
