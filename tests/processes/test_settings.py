"""Bad settings in the environment: one clear warning each, and the application goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from loopscope.settings import Settings
from tests.ground.receiver import Receiver
from tests.processes.program import clean, run, to
from tests.support import Story

PROGRAM = """
import asyncio
async def job():
    await asyncio.sleep(0)
asyncio.run(job())
print("done")
"""
STEPS = ["job 0: start > yielded", "job 1: yield > returned"]
PREFIX = "OTEL_PYTHON_LOOPSCOPE_"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


#: INCLUDE, EXCLUDE and TRACE_FILE take any text; ENABLED has a test of its own
NONSENSE = {
    "DETAIL": "everything",
    "STALL_THRESHOLD": "-1",
    "DELAY_THRESHOLD": "soon",
    "MAX_STEPS_PER_TASK_SPAN": "1.5",
    "MAX_SPANS_PER_TRACE": "0",
    "MAX_SPANS_PER_SECOND": "many",
    "MAX_CPU_SHARE": "5",
    "SEGMENT_SECONDS": "nan",
    "BUFFER_SIZE": "1e3",
    "METRICS": "perhaps",
    "STACKS": "2",
    "CORE": "rust",
}


def test_every_setting_is_here() -> None:
    text = {"ENABLED", "INCLUDE", "EXCLUDE", "TRACE_FILE"}
    assert {name.upper() for name in Settings.__dataclass_fields__} == text | set(NONSENSE)


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense(receiver: Receiver, name: str) -> None:
    ended = run(PROGRAM, to(receiver, **{PREFIX + name: NONSENSE[name]}))
    assert (ended.code, ended.out) == (0, "done\n")
    [warning] = ended.err.splitlines()
    default = Settings.__dataclass_fields__[name.lower()].default
    assert warning.startswith(f"{PREFIX}{name}={NONSENSE[name]!r} is not usable (")
    assert warning.endswith(f"; using {default!r}")
    assert Story(list(receiver.spans())).lines() == STEPS


def test_all_nonsense_at_once(receiver: Receiver) -> None:
    ended = run(PROGRAM, to(receiver, **{PREFIX + name: value for name, value in NONSENSE.items()}))
    assert (ended.code, ended.out) == (0, "done\n")
    assert sorted(line.split("=")[0] for line in ended.err.splitlines()) == sorted(PREFIX + name for name in NONSENSE)
    assert Story(list(receiver.spans())).lines() == STEPS


LOGGING = """
import contextvars, logging
request = contextvars.ContextVar("request")
class Filter(logging.Filter):
    def filter(self, record):
        record.request = request.get()
        return True
handler = logging.StreamHandler()
handler.addFilter(Filter())
logging.getLogger().addHandler(handler)
"""


@pytest.mark.parametrize("bad", [{PREFIX + "CORE": "none such"}, {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "-5"}])
def test_logging_of_the_applications_that_raises(receiver: Receiver, bad: dict[str, str]) -> None:
    """A line of ours outside of a request, which its filter does not expect: the line is lost, and nothing else."""
    ended = run(LOGGING + PROGRAM, to(receiver, **bad))
    assert (ended.code, ended.out, ended.err) == (0, "done\n", "")
    assert Story(list(receiver.spans())).lines() == (STEPS if PREFIX + "CORE" in bad else [])


def test_enabled_is_neither_true_nor_false(receiver: Receiver) -> None:
    ended = run(PROGRAM, to(receiver, OTEL_PYTHON_LOOPSCOPE_ENABLED="sometimes"))
    assert (ended.code, ended.out) == (0, "done\n")
    [warning] = ended.err.splitlines()
    assert warning == "OTEL_PYTHON_LOOPSCOPE_ENABLED='sometimes' is neither true nor false; loopscope stays off"
    assert receiver.requests() == []


@pytest.mark.parametrize("where", ["missing/trace.json", "."])
def test_trace_file_that_cannot_be_opened(receiver: Receiver, tmp_path: Path, where: str) -> None:
    """Said once; the exporter beside it gets its spans."""
    path = tmp_path / where
    ended = run(PROGRAM, to(receiver, OTEL_PYTHON_LOOPSCOPE_TRACE_FILE=str(path)))
    assert (ended.code, ended.out) == (0, "done\n")
    [warning] = ended.err.splitlines()
    reason = "No such file or directory" if "missing" in where else "Is a directory"
    assert warning == f"loopscope cannot write its trace file {path}: {reason}"
    assert Story(list(receiver.spans())).lines() == STEPS


def test_trace_file_on_a_full_disk(receiver: Receiver) -> None:
    """Said once and counted; the exporter beside it gets its spans."""
    ended = run(PROGRAM, to(receiver, OTEL_PYTHON_LOOPSCOPE_TRACE_FILE="/dev/full"))
    assert (ended.code, ended.out) == (0, "done\n")
    warning, losses = ended.err.splitlines()
    assert warning.startswith("loopscope's spans do not reach /dev/full: ") and "No space left on device" in warning
    assert losses == "loopscope lost 3 spans (export_failed)"
    assert Story(list(receiver.spans())).lines() == STEPS


def test_trace_file_alone_that_cannot_be_opened(tmp_path: Path) -> None:
    """Without any exporter named, nothing is sent elsewhere instead."""
    path = tmp_path / "missing" / "trace.json"
    environment = {**clean(), PREFIX + "ENABLED": "true", PREFIX + "TRACE_FILE": str(path)}
    ended = run(PROGRAM, environment)
    assert (ended.code, ended.out) == (0, "done\n")
    assert ended.err.splitlines() == [
        f"loopscope cannot write its trace file {path}: No such file or directory",
        "loopscope lost 3 spans (no_exporter)",
    ]


def test_trace_file_that_can(receiver: Receiver, tmp_path: Path) -> None:
    """The control: the same spans in the file and at the exporter."""
    path = tmp_path / "trace.json"
    ended = run(PROGRAM, to(receiver, OTEL_PYTHON_LOOPSCOPE_TRACE_FILE=str(path)))
    assert (ended.code, ended.err) == (0, "")
    [line] = path.read_text().splitlines()
    written = json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert {span["spanId"] for span in written} == {span.span_id for span in receiver.spans()}
    assert len(written) == 3


def test_exporter_that_does_not_exist() -> None:
    environment = {**clean(), PREFIX + "ENABLED": "true", "OTEL_TRACES_EXPORTER": "carrier-pigeon"}
    ended = run(PROGRAM, environment)
    assert (ended.code, ended.out) == (0, "done\n")
    assert ended.err.splitlines() == [
        "loopscope cannot use the exporter 'carrier-pigeon': no installed package has an exporter of this name",
        "loopscope lost 3 spans (no_exporter)",
    ]


@pytest.mark.parametrize("name", ["STALL_THRESHOLD", "DELAY_THRESHOLD", "SEGMENT_SECONDS"])
@pytest.mark.parametrize("seconds", ["1e-9", "1e9", "1e300"])
def test_extreme_durations(receiver: Receiver, name: str, seconds: str) -> None:
    """The smallest and the longest are taken as they are, more than that is refused; all is told."""
    ended = run(PROGRAM, to(receiver, **{PREFIX + name: seconds}))
    assert (ended.code, ended.out) == (0, "done\n")
    stalls = [line for line in ended.err.splitlines() if "held the event loop" in line]
    assert bool(stalls) is (name == "STALL_THRESHOLD" and seconds == "1e-9")
    refused = [line for line in ended.err.splitlines() if "is not usable" in line]
    assert len(refused) == (seconds == "1e300")
    assert "Traceback" not in ended.err and "error of its own" not in ended.err
    assert Story(list(receiver.spans())).lines() == STEPS


def test_off_in_code(receiver: Receiver) -> None:
    """Whoever switched it off in code, before the first loop, is not overridden by the variable."""
    off = "from loopscope import LoopscopeInstrumentor, runtime; LoopscopeInstrumentor().instrument(enabled=False)"
    ended = run(off + PROGRAM + "print(runtime.current())", to(receiver))
    assert (ended.code, ended.out, ended.err) == (0, "done\nNone\n", "")
