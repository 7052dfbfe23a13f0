"""Builds the native core into wheels and editable installs where that can be done; else the Python core serves."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeCoreHook(BuildHookInterface[Any]):
    """Adds `loopscope._native`, or says why not."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel is put together."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        try:
            built = build(root, root / ("src" if version == "editable" else "build"))
        except Exception as error:
            self.app.display_warning(f"loopscope comes without its native core, which is slower: {error}")
            return
        build_data["pure_python"], build_data["infer_tag"] = False, True
        if version != "editable":
            build_data["force_include"][str(built)] = f"loopscope/{built.name}"


def build(root: Path, into: Path) -> Path:
    """Compile the extension into the folder `into`; where it is. Raises where that cannot be done."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise RuntimeError("it is for CPython with the GIL")
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    extension = Extension("loopscope._native", sorted(map(str, (root / "native").glob("*.c"))))
    command = build_ext(Distribution({"name": "loopscope", "ext_modules": [extension]}))
    command.build_lib, command.build_temp, command.force = str(into), str(root / "build"), True
    command.ensure_finalized()
    command.run()
    return Path(command.get_ext_fullpath(extension.name))


if __name__ == "__main__":  # for the sources of a checkout: python hatch_build.py
    here = Path(__file__).resolve().parent
    print(build(here, here / "src"))
