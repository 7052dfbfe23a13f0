"""How the native core is compiled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.native.built import build


def test_flags_of_the_environment_do_not_make_it_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As images set them: what Python was compiled with is not asked then."""
    commands, compiler = tmp_path / "commands", tmp_path / "compiler"
    compiler.write_text(f'#!/bin/sh\necho "$@" >> {commands}\nexec false\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    monkeypatch.setenv("CFLAGS", "-g")
    with pytest.raises(Exception, match="compiler"):
        build(tmp_path, tmp_path / "scratch")
    first = commands.read_text().splitlines()[0].split()
    assert "-g" in first and "-O3" in first and "-DNDEBUG" in first
