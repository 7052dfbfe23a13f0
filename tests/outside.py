"""The environment in which the tests were started, for the programs that they start."""

from __future__ import annotations

import os

from loopscope.capture import cores
from loopscope.settings import PREFIX, Settings

#: the core that the tests are to run on, `make test CORE=...`: every program that they start runs on it too
CORE = PREFIX + "CORE"


def core() -> str:
    """The name of the core that they run on."""
    return cores.choose(Settings.load().core).core.name


def without(*prefixes: str) -> dict[str, str]:
    """All but the variables whose names begin so."""
    return {name: value for name, value in os.environ.items() if name == CORE or not name.startswith(prefixes)}
