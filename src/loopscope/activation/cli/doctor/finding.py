"""What doctor found: a line, how good it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

OK, WARN, FAIL = "ok", "warn", "fail"


class Finding(NamedTuple):
    """`said` is a sentence; `advice` what to do about it, empty where nothing is to be done."""

    mark: str
    said: str
    advice: str = ""


Findings = Iterator[Finding]
