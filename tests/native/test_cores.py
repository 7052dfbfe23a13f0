"""Which core serves, and what is said where it is not the one that was asked for."""

from __future__ import annotations

import logging
import sys
import sysconfig
from types import ModuleType

import pytest

from loopscope import runtime
from loopscope.capture import cores
from loopscope.capture.buffer import Buffer
from loopscope.capture.core import Core
from loopscope.settings import Settings


@pytest.fixture
def unloadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A foreign file of the native core's name."""
    monkeypatch.setitem(sys.modules, "loopscope._native", ModuleType("loopscope._native"))
    monkeypatch.delitem(sys.modules, "loopscope.capture.native", raising=False)
    monkeypatch.delattr("loopscope._native", raising=False)


def test_python_by_choice() -> None:
    assert cores.choose("python") == (Core, "CORE=python asks for it")


@pytest.mark.usefixtures("unloadable")
@pytest.mark.parametrize("wanted", ["native", "auto"])
def test_one_that_cannot_be_loaded(wanted: str, caplog: pytest.LogCaptureFixture) -> None:
    """One warning where it was asked for, none where it was not."""
    with caplog.at_level(logging.WARNING, "loopscope"):
        runtime.start(Settings(core=wanted, trace_file="/dev/null"))
        assert runtime.statistics()["core"] == "python"
        runtime.stop()
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == (wanted == "native")
    assert all("Python core: the native core cannot be loaded: " in line for line in told)


def test_another_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.implementation, "name", "pypy")
    assert "is for CPython" in str(cores.choose("native").reason)


def test_free_threaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: 1)
    assert "needs the GIL" in str(cores.choose("native").reason)


def test_records_go_into_a_deque() -> None:
    core = cores.choose("auto").core(Buffer(10), lambda name: True, lambda: None)
    if core.name == "python":
        pytest.skip("it is the native core that puts them there in C")
    with pytest.raises(TypeError):
        core.queue = []  # type: ignore[assignment]
    with pytest.raises(TypeError):
        del core.queue
    assert core.queue is core.buffer.queue


def test_a_version_that_is_not_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "_LAST", (3, 9))
    assert "not tested" in str(cores.choose("auto").reason)
    assert "not tested" not in str(cores.choose("native").reason)
