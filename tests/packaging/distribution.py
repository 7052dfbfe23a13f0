"""The wheel and the sdist, built once a session, and environments in which the wheel is installed."""

from __future__ import annotations

import atexit
import functools
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

#: one task of two steps, and what it must look like
JOB = """
import asyncio
async def job(): await asyncio.sleep(0)
asyncio.run(job())
"""
LINES = ["job 0: start > yielded", "job 1: yield > returned"]


@functools.cache
def built() -> Path:
    """A folder with the sdist of this checkout, and the wheel made from that sdist."""
    folder = Path(tempfile.mkdtemp(prefix="loopscope-dist-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run([*UV, "build", "--python", sys.executable, "--out-dir", folder, ROOT], check=True)
    return folder


def wheel() -> Path:
    """The wheel."""
    (found,) = built().glob("*.whl")
    return found


def sdist() -> Path:
    """The source distribution."""
    (found,) = built().glob("*.tar.gz")
    return found


def installed(version: str, *more: str, name: str = "wheel") -> Interpreter:
    """An environment of this Python version with the wheel, its dependencies and `more`; cached by their contents."""
    interpreter = HERE if version == HERE.version else pythons.pythons()[version]
    return pythons.venv(interpreter, (str(wheel()), *more), name)


@functools.cache
def with_uvloop(version: str) -> str:
    """The executable of an environment of this Python version with the wheel and uvloop."""
    return str(installed(version, "uvloop").executable)
