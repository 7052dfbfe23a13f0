"""The cache folder outside the repository, and how a thing in it is built once."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def folder() -> Path:
    """The cache folder, made if absent: $LOOPSCOPE_TEST_CACHE, else loopscope in $XDG_CACHE_HOME or ~/.cache."""
    named = os.environ.get("LOOPSCOPE_TEST_CACHE")
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "loopscope")
    path = Path(named or usual).expanduser().absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def once(name: str, build: Callable[[Path], None]) -> Path:
    """The file or folder `name` of the cache, made by `build` if it is not there whole.

    It is made in its place, because a virtual environment cannot be moved, and holds good once its mark stands beside
    it: another process waits, and what an interrupted build left is removed before the next.
    """
    thing = folder() / name
    mark = thing.with_name(f".{thing.name}.whole")
    if mark.exists() and thing.exists():
        return thing
    thing.parent.mkdir(parents=True, exist_ok=True)
    with _locked(thing.with_name(f".{thing.name}.lock")):
        if not (mark.exists() and thing.exists()):
            mark.unlink(missing_ok=True)
            _remove(thing)
            build(thing)
            mark.touch()
    return thing


def _remove(thing: Path) -> None:
    if thing.is_dir():
        shutil.rmtree(thing)
    else:
        thing.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
