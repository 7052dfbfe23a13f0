"""A Chromium to look at pages with: the machine's own, or Debian's package, installed at the first call."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Unavailable(Exception):
    """Why there is no browser on this machine, in one line."""


def browser_path() -> str:
    """The browser's path; installs Debian's package where there is none and this is root."""
    return _found() or _installed()


def _found() -> str:
    return next((path for name in NAMES if (path := shutil.which(name))), "")


def _installed() -> str:
    if not shutil.which("apt-get"):
        raise Unavailable("no Chromium or Chrome in PATH, and no apt-get to install one")
    if os.geteuid() != 0:
        raise Unavailable("no Chromium or Chrome in PATH; as root: apt-get install chromium")
    _run("apt-get", "update")
    _run("apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core")
    path = _found()
    if not path:
        raise Unavailable("apt-get installed chromium, but there is none in PATH")
    return path


def _run(*command: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{' '.join(command[:2])} failed: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")


def main() -> int:
    """Install it if need be and print where it is."""
    try:
        print(browser_path())
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
