"""Which problems are on: a file each in the folder that the workers share, so a switch reaches all of them at once."""

from __future__ import annotations

import os
from pathlib import Path

NAMES = {
    "blocking_json": "a report is written as JSON on the event loop",
    "lock_convoy": "every order passes through one lock, and its holder waits with it in hand",
    "pool_exhaustion": "a database connection is held while another service is asked",
    "task_burst": "a recommendation is thousands of short tasks at once",
    "late_timeout": "what a timeout cancels takes its time to end, so the timeout ends late",
    "slow_dependency": "the warehouse answers slowly",
    "swallowed_cancellation": "a search that was given up goes on",
    "gil_native": "a regular expression scans for long, and never lets other threads have the GIL",
}


def is_on(name: str) -> bool:
    return _switch(name).exists()


def turn(name: str, on: bool) -> None:
    """KeyError for a name that no problem has."""
    if on:
        _switch(name).touch()
    else:
        _switch(name).unlink(missing_ok=True)


def switch_on_what_the_environment_names() -> None:
    """PROBLEMS=blocking_json,lock_convoy"""
    for name in filter(None, map(str.strip, os.environ.get("PROBLEMS", "").split(","))):
        if name not in NAMES:
            raise SystemExit(f"PROBLEMS names {name!r}; there are {', '.join(NAMES)}")
        turn(name, True)


def _switch(name: str) -> Path:
    if name not in NAMES:
        raise KeyError(name)
    return Path(os.environ["SHOP_FOLDER"], f"{name}.on")
