"""Which core serves: the native one where it is asked for or may be chosen, and can be loaded; else the Python core."""

from __future__ import annotations

import sys
import sysconfig
from typing import NamedTuple

from loopscope.capture import extension
from loopscope.capture.core import Core

#: the settings
AUTO, NATIVE, PYTHON = "auto", "native", "python"

#: the CPython versions on which the native core is tested
_FIRST, _LAST = (3, 10), (3, 15)


class Choice(NamedTuple):
    """A core's class; and for the Python core why it is that one, in a sentence."""

    core: type[Core]
    reason: str | None


def choose(wanted: str) -> Choice:
    """The core for this setting."""
    if wanted == PYTHON:
        return Choice(Core, "CORE=python asks for it")
    reason = _unfit(wanted == NATIVE)
    if reason is None:
        try:
            extension.check()
            from loopscope.capture.native import NativeCore
        except ModuleNotFoundError:
            reason = "the native core was not built for this Python: that takes a C compiler and Python's headers"
        except Exception as error:  # a foreign or broken file of its name, a subinterpreter
            reason = f"the native core cannot be loaded: {error}"
        else:
            return Choice(NativeCore, None)
    return Choice(Core, reason)


def _unfit(asked: bool) -> str | None:
    """Why this Python is none for the native core; an untested one may be `asked` for."""
    if sys.implementation.name != "cpython":
        return f"the native core is for CPython, this is {sys.implementation.name}"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "the native core needs the GIL, and this Python is a free-threaded one"
    if not asked and not _FIRST <= sys.version_info[:2] <= _LAST:
        version = "{}.{}".format(*sys.version_info)
        return f"the native core is not tested on Python {version}; CORE=native takes it all the same"
    return None
