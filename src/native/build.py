"""Builds the native core into wheels and editable installs where that can be done; else the Python core serves."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).resolve().parent
#: of this Python's extensions: several may build from one folder at once
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
#: Python's own flags have as much, but a CFLAGS in the environment stands for all of them
FAST = [] if sys.platform == "win32" else ["-O3", "-DNDEBUG"]


class NativeCoreHook(BuildHookInterface[Any]):
    """Adds `loopscope._native`, or says why not."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel is put together."""
        if self.target_name != "wheel":
            return
        editable = version == "editable"
        try:
            built = build(Path(self.root, "src" if editable else "build"), Path(self.root, "build", f"objects{SUFFIX}"))
        except Exception as error:
            self.app.display_warning(f"loopscope comes without its native core, which is slower: {error}")
            return
        build_data["pure_python"], build_data["infer_tag"] = False, True
        if not editable:
            build_data["force_include"][str(built)] = f"loopscope/{built.name}"


def build(into: Path, scratch: Path, flags: list[str] | None = None) -> Path:
    """Compile the extension, with more compiler flags if any, into the folder `into`; where it is.

    Raises whatever stands in the way.
    """
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise RuntimeError("it is for CPython with the GIL")
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    sources = sorted(map(str, HERE.glob("*.c")))
    compiling = [*FAST, *(flags or [])]
    extension = Extension("loopscope._native", sources, extra_compile_args=compiling, extra_link_args=flags)
    command = build_ext(Distribution({"name": "loopscope", "ext_modules": [extension]}))
    command.build_lib, command.build_temp, command.force = str(into), str(scratch), True
    command.ensure_finalized()
    command.run()
    return Path(command.get_ext_fullpath(extension.name))
