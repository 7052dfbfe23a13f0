"""CPython 3.14 and 3.15 out of Debian sid, for a machine with an older system.

The packages are only unpacked, not installed. Each interpreter is given sid's own loader and libraries, and then is a
plain program of this machine: same files, network, signals and process id, no chroot, and virtual environments work.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.ground import cache
from tests.ground.elf import Unsuitable, transplant

VERSIONS = ("3.14", "3.15")
_PACKAGES = (
    "ca-certificates",
    *(f"{part}{version}{rest}" for version in VERSIONS for part, rest in (("python", "-venv"), ("python", "-dev"))),
    *(f"libpython{version}-testsuite" for version in VERSIONS),
)


class Unavailable(Exception):
    """Why there is no sid on this machine, in one line."""


def interpreter(version: str) -> Path:
    """The executable of `version` ("3.14" or "3.15"), unpacked at the first call."""
    if sys.platform != "linux":
        raise Unavailable("Debian's interpreters run on Linux only")
    name = "sid-" + hashlib.sha256(" ".join(_PACKAGES).encode()).hexdigest()[:8]
    return cache.once(name, _unpack) / "usr/bin" / f"python{version}"


def _unpack(root: Path) -> None:
    _run(
        _mmdebstrap(),
        "--variant=extract",
        # A mirror may lag behind by weeks; the signatures are checked all the same.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        f"--include={','.join(_PACKAGES)}",
        "sid",
        str(root),
    )
    for version in VERSIONS:
        _settle(root, version)


def _mmdebstrap() -> str:
    found = shutil.which("mmdebstrap")
    if found:
        return found
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise Unavailable("needs mmdebstrap (Debian package mmdebstrap), which is not installed")
    _run("apt-get", "update", "-q")
    _run("apt-get", "install", "-q", "-y", "--no-install-recommends", "mmdebstrap")
    return "mmdebstrap"


def _settle(root: Path, version: str) -> None:
    """Make the interpreter at home in `root`: loader and libraries, pip's wheel, the headers, compiled modules."""
    loader = next(root.glob("usr/lib/*-linux-gnu*/ld-linux-*.so.*"))
    program = root / "usr/bin" / f"python{version}"
    try:
        transplant(program, loader, f"$ORIGIN/../lib/{loader.parent.name}")
    except Unsuitable as error:
        raise Unavailable(str(error)) from error
    library = root / "usr/lib" / f"python{version}"
    for build_facts in library.glob("_sysconfigdata_*.py"):
        text = build_facts.read_text()
        for place in ("/usr/share/python-wheels", "/usr/include"):
            text = text.replace(f"'{place}", f"'{root}{place}")
        build_facts.write_text(text)
    # pyconfig.h includes its half for this architecture by a path from /usr/include
    headers = root / "usr/include" / f"python{version}" / loader.parent.name
    headers.symlink_to(Path("..") / loader.parent.name)
    # Debian compiles when it installs; without it, each start would compile anew.
    _run(str(program), "-m", "compileall", "-q", "-j", "0", "-x", "/(test|idlelib|config-.*)/", str(library))


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        last = (done.stdout.strip().splitlines() or ["no output"])[-1]
        raise Unavailable(f"{Path(command[0]).name} failed: {last}")
