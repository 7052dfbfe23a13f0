"""A real PostgreSQL of this machine's package, empty, on 127.0.0.1, which trusts whoever comes, as in compose.yaml."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ground.ports import free_ports

#: PostgreSQL refuses root: then it is nobody
_NOBODY = 65534


class Unavailable(Exception):
    """Why there is no PostgreSQL on this machine, in one line."""


@contextmanager
def postgres(user: str) -> Iterator[str]:
    """Its address, with a database named as the user is."""
    initdb, server, createdb = (_program(name) for name in ("initdb", "postgres", "createdb"))
    who: dict[str, Any] = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="loopscope-postgres-") as folder:
        if who:
            os.chown(folder, _NOBODY, _NOBODY)
        data = str(Path(folder, "data"))
        options = ["--auth=trust", f"--username={user}", "--no-sync", "--encoding=UTF8", "--no-locale"]
        _run(initdb, *options, data, who=who)
        process = subprocess.Popen(
            [server, "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who,
        )  # fmt: skip
        try:
            _run(_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-U", user, tries=100)
            _run(createdb, "-h", "127.0.0.1", "-p", str(port), "-U", user, user)
            yield f"postgresql://{user}@127.0.0.1:{port}/{user}"
        finally:
            process.send_signal(signal.SIGINT)  # "fast": it does not wait for its clients
            process.wait(20)


def _program(name: str) -> str:
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(debian[-1]) if debian else shutil.which(name)
    if not found:
        raise Unavailable(f"needs {name} (Debian package postgresql), which is not installed")
    return found


def _run(*command: str, who: dict[str, Any] | None = None, tries: int = 1) -> None:
    for _ in range(tries):
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **(who or {}))
        if done.returncode == 0:
            return
        time.sleep(0.1)
    raise Unavailable(f"{Path(command[0]).name} failed: {done.stderr.strip()[-300:]}")
