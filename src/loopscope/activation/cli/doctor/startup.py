"""Whether the start-up file is where this interpreter looks for it."""

from __future__ import annotations

import site
import sys
import sysconfig
from pathlib import Path

from loopscope.activation.cli.doctor.finding import FAIL, OK, Finding, Findings

#: Python 3.15 and later read the second, those before the first
_NAME = "loopscope_autostart.start" if sys.version_info >= (3, 15) else "loopscope_autostart.pth"
_ADVICE = (
    "install loopscope with pip into this interpreter (no --target, no bare PYTHONPATH); "
    "or switch it on by opentelemetry-instrument or instrument()"
)


def findings() -> Findings:
    """The line."""
    folders = list(dict.fromkeys([sysconfig.get_path("purelib"), *site.getsitepackages(), *_of_user()]))
    found = [path for path in (Path(folder, _NAME) for folder in folders) if path.exists()]
    if found:
        yield Finding(OK, f"start-up file: {found[0]}")
    else:
        yield Finding(FAIL, f"{_NAME} is in none of {', '.join(folders)}", _ADVICE)


def _of_user() -> list[str]:
    return [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
