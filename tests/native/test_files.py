"""A file of the native core's name that cannot serve: the Python core does, and says why."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ground import native_core, pythons
from tests.packaging.distribution import HERE
from tests.processes.program import ROOT, clean, run

CHOICE = "from loopscope.capture.cores import choose; print(*choose('native'))"

native = pytest.importorskip("loopscope._native", exc_type=ImportError)
FILE = Path(native.__file__)

#: what is made of the file, None for none, and what is said of it
BROKEN: dict[str, tuple[Callable[[bytes], bytes] | None, str]] = {
    "missing": (None, "was not built for this Python: that takes a C compiler and Python's headers"),
    "empty": (lambda good: b"", "cannot be loaded: "),
    "text": (lambda good: b"no such thing\n" * 100, "cannot be loaded: "),
    "cut short": (lambda good: good[: len(good) // 10], "cannot be loaded: "),
    "nearly whole": (lambda good: good[:-1], "cannot be loaded: "),
}


def chosen(place: Path, content: bytes | None) -> str:
    """The core that serves where the file has this content."""
    shutil.copytree(ROOT / "src", place / "src", ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.pyd"))
    if content is not None:
        (place / "src" / "loopscope" / FILE.name).write_bytes(content)
    ended = run(CHOICE, {**clean(), "PYTHONPATH": str(place / "src")})
    assert ended.code == 0, ended
    return ended.out.strip()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file(name: str, tmp_path: Path) -> None:
    change, told = BROKEN[name]
    said = chosen(tmp_path, None if change is None else change(FILE.read_bytes()))
    assert said.startswith(f"<class 'loopscope.capture.core.Core'> the native core {told}"), said


def test_the_file_itself(tmp_path: Path) -> None:
    assert chosen(tmp_path, FILE.read_bytes()) == "<class 'loopscope.capture.native.NativeCore'> None"


@pytest.mark.parametrize("version", [version for version in pythons.VERSIONS if version != HERE.version])
def test_one_for_another_python(version: str, tmp_path: Path) -> None:
    """Under this Python's name."""
    interpreter = pythons.pythons().get(version)
    if interpreter is None:
        pytest.skip(pythons.missing()[version])
    native_core.build(interpreter)
    (other,) = FILE.parent.glob(f"_native.cpython-{version.replace('.', '')}-*")
    said = chosen(tmp_path, other.read_bytes())
    assert said.startswith("<class 'loopscope.capture.core.Core'> the native core cannot be loaded: "), said
