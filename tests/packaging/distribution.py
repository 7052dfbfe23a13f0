"""The wheels and the sdist, built once a session, and fresh environments in which they are installed."""

from __future__ import annotations

import atexit
import functools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.ground import pythons
from tests.ground.pythons import Interpreter
from tests.processes.program import ROOT

#: the Python that runs the tests
HERE = Interpreter(".".join(map(str, sys.version_info[:2])), platform.python_version(), Path(sys.executable))
UV = (sys.executable, "-m", "uv", "--quiet")

_OTLP = "opentelemetry.exporter.otlp.proto"
_SLOW = ("loopscope.activation.instrumentor", f"{_OTLP}.grpc.trace_exporter", f"{_OTLP}.http.trace_exporter")

#: one task of two steps, and what it must look like
JOB = """
import asyncio
async def job(): await asyncio.sleep(0)
asyncio.run(job())
"""
LINES = ["job 0: start > yielded", "job 1: yield > returned"]


@functools.cache
def folder() -> Path:
    """A folder that is gone when the session ends."""
    made = Path(tempfile.mkdtemp(prefix="loopscope-dist-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def interpreter_of(version: str) -> Interpreter:
    """The interpreter of this Python version."""
    return HERE if version == HERE.version else pythons.pythons()[version]


@functools.cache
def sdist() -> Path:
    """The source distribution of this checkout."""
    place = folder() / "sdist"
    subprocess.run([*UV, "build", "--sdist", "--python", sys.executable, "--out-dir", place, ROOT], check=True)
    (found,) = place.glob("*.tar.gz")
    return found


@functools.cache
def wheel(version: str = HERE.version, compiler: str | None = None) -> Path:
    """The wheel that is made for this Python version from that sdist, with this C compiler."""
    place = folder() / f"wheel-{version}-{compiler}"
    environment = {**os.environ, "CC": compiler} if compiler is not None else None
    command = [*UV, "build", "--wheel", "--python", interpreter_of(version).executable, "--out-dir", place, sdist()]
    subprocess.run(command, check=True, env=environment)
    (found,) = place.glob("*.whl")
    return found


@functools.cache
def environment(version: str, name: str, *requirements: str) -> str:
    """The executable of a fresh environment of this Python version; `name` tells it from others."""
    place = folder() / f"{name}-{version}"
    subprocess.run([*UV, "venv", "--python", interpreter_of(version).executable, place], check=True)
    python = str(place / "bin" / "python")
    if requirements:
        subprocess.run([*UV, "pip", "install", "--python", python, *requirements], check=True)
        # uv does not compile what it installs, pip does: without it the first program would be slow.
        subprocess.run([python, "-c", f"import {', '.join(_SLOW)}"], check=True)
    return python


def with_uvloop(version: str) -> str:
    """The executable of an environment with the wheel and uvloop."""
    return environment(version, "uvloop", str(wheel(version)), "uvloop")
