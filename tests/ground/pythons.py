"""The CPython versions at hand, and virtual environments made from them."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.ground import cache, sid

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A CPython that can be run: `version` such as "3.14", `release` such as "3.14.10"."""

    version: str
    release: str
    executable: Path

    @property
    def command(self) -> list[str]:
        """What to put before a program's arguments."""
        return [str(self.executable)]

    @property
    def scripts(self) -> Path:
        """The folder of the console scripts, if this is a virtual environment."""
        return self.executable.parent


def pythons() -> dict[str, Interpreter]:
    """The interpreters at hand by version. The first call may unpack 3.14 and 3.15: half a minute, then cached."""
    return {version: found for version, found in _survey().items() if isinstance(found, Interpreter)}


def missing() -> dict[str, str]:
    """For each version that is not at hand, why."""
    return {version: found for version, found in _survey().items() if isinstance(found, str)}


def venv(interpreter: Interpreter, requirements: tuple[str, ...], name: str) -> Interpreter:
    """A virtual environment with `requirements`, made once for each interpreter and set of requirements.

    A requirement may be the path of a wheel: another content makes another environment. Raises CalledProcessError,
    with the installer's output on stderr, if one cannot be installed.
    """
    facts = (interpreter.release, str(interpreter.executable), *map(_content, requirements))
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:10]

    def build(place: Path) -> None:
        _make_venv(interpreter, requirements, place)

    place = cache.once(f"venvs/{name}-{interpreter.version}-{digest}", build)
    return Interpreter(interpreter.version, interpreter.release, place / "bin" / "python")


def _make_venv(interpreter: Interpreter, requirements: tuple[str, ...], place: Path) -> None:
    subprocess.run([*interpreter.command, "-m", "venv", str(place)], check=True)
    python = str(place / "bin" / "python")
    uv = _uv()
    if uv:
        install = [*uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python]
    else:
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if requirements:
        subprocess.run([*install, *requirements], check=True, stdout=sys.stderr)


def _uv() -> list[str]:
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    found = shutil.which("uv")
    return [found] if found else []


def _content(requirement: str) -> str:
    path = Path(requirement)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else requirement


@functools.cache
def _survey() -> dict[str, Interpreter | str]:
    return {version: _find(version) for version in VERSIONS}


def _find(version: str) -> Interpreter | str:
    for executable in _installed(version):
        found = _probe(version, executable)
        if found:
            return found
    if version not in sid.VERSIONS:
        return f"no python{version} in pyenv's versions nor on PATH"
    try:
        unpacked = sid.interpreter(version)
    except sid.Unavailable as error:
        return str(error)
    return _probe(version, unpacked) or f"Debian sid's python{version} does not run here"


def _installed(version: str) -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    releases = (path for path in (pyenv / "versions").glob(f"{version}.*") if path.name.replace(".", "").isdigit())
    for release in sorted(releases, key=lambda path: int(path.name.rpartition(".")[2]), reverse=True):
        yield release / "bin" / f"python{version}"
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)


def _probe(version: str, executable: Path) -> Interpreter | None:
    """The interpreter, if it runs and is what its name says: a pyenv shim may be there without its version."""
    question = "import platform as p, sys; print(p.python_implementation(), p.python_version(), sys.executable)"
    try:
        done = subprocess.run([executable, "-c", question], capture_output=True, text=True, check=False)
    except OSError:
        return None
    match done.stdout.split(maxsplit=2):
        case ["CPython", release, path] if release.startswith(f"{version}."):
            return Interpreter(version, release, Path(path.strip()))
    return None


def main() -> None:
    """Prepare every interpreter and print what there is."""
    for version, found in _survey().items():
        if isinstance(found, Interpreter):
            print(f"{version:5} {found.release:9} {' '.join(found.command)}")
        else:
            print(f"{version:5} {'-':9} {found}")


if __name__ == "__main__":
    main()
