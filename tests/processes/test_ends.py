"""How a process ends: what was recorded arrives, and the end is the one that it has without loopscope."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator

import pytest

from tests.ground.pythons import VERSIONS, pythons
from tests.ground.receiver import Protocol, Receiver
from tests.processes.program import PROTOCOLS, Ended, Program, assert_unique, clean, lateness, python, run, to
from tests.support import Story

JOB = """
import asyncio, os, signal, sys, threading, time
async def job():
    await asyncio.sleep(0.01)
    {end}
asyncio.run(job())
"""
FIRST = "job 0: start > suspended asyncio.sleep"

#: what the second step does: exit code, the steps that arrive, state and error of the task
ENDS: dict[str, tuple[int, list[str], str, str | None]] = {
    "return": (0, [FIRST, "job 1: timer > returned"], "returned", None),
    "sys.exit(3)": (3, [FIRST, "job 1: timer > raised"], "raised", "SystemExit"),
    "1 / 0": (1, [FIRST, "job 1: timer > raised"], "raised", "ZeroDivisionError"),
    "raise KeyboardInterrupt": (-signal.SIGINT, [FIRST, "job 1: timer > raised"], "raised", "KeyboardInterrupt"),
    # the process dies within the second step
    "signal.raise_signal(signal.SIGTERM)": (-signal.SIGTERM, [FIRST], "running", None),
    "os.kill(os.getpid(), signal.SIGTERM)": (-signal.SIGTERM, [FIRST], "running", None),
    "os.setpgrp() or os.kill(0, signal.SIGTERM)": (-signal.SIGTERM, [FIRST], "running", None),
    "os.setpgrp() or os.killpg(os.getpid(), signal.SIGTERM)": (-signal.SIGTERM, [FIRST], "running", None),
    "signal.pthread_kill(threading.get_ident(), signal.SIGTERM)": (-signal.SIGTERM, [FIRST], "running", None),
    "os.kill(os.getpid(), signal.SIGKILL)": (-signal.SIGKILL, [FIRST], "running", None),
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_an_error_of_ours_at_the_end_is_the_applications_concern_nowhere(receiver: Receiver) -> None:
    """Before a signal that it raises on itself, at the exit, as it is switched off: logged once."""
    for end, code in (("signal.raise_signal(signal.SIGTERM)", -signal.SIGTERM), ("pass", 0)):
        source = f"""
        import asyncio, signal
        from loopscope import LoopscopeInstrumentor
        from loopscope.runtime.composition import Runtime
        asyncio.run(asyncio.sleep(0))
        Runtime._send_all = lambda self: 1 / 0
        {end}
        LoopscopeInstrumentor().uninstrument()
        print("goes on")
        """
        ended = Program(source, to(receiver)).end()
        assert (ended.code, ended.out) == (code, "" if code else "goes on\n"), ended.err
        assert ended.told == ["loopscope stopped recording after an error of its own; the application goes on"]


def assert_ended_as_without(ended: Ended, plain: Ended) -> None:
    """The same exit code, output and last line of a traceback."""
    assert (ended.code, ended.out) == (plain.code, plain.out)
    assert ended.err.splitlines()[-1:] == plain.err.splitlines()[-1:]
    assert ended.told == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("end", ENDS)
def test_short_program(receiver: Receiver, protocol: Protocol, end: str) -> None:
    """All of it is shorter than the delay after which a batch is sent."""
    code, lines, state, error = ENDS[end]
    ended = run(JOB.format(end=end), to(receiver, protocol))
    assert_ended_as_without(ended, run(JOB.format(end=end), clean()))
    assert ended.code == code
    story = Story(list(receiver.spans()))
    assert story.lines() == lines
    [task] = story.tasks
    assert (task.attributes["asyncio.task.state"], task.attributes.get("error.type")) == (state, error)
    assert {span.protocol for span in receiver.spans()} == {protocol}
    assert_unique(receiver.spans())


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("version", [version for version in VERSIONS if version != "3.11"])
def test_short_program_elsewhere(receiver: Receiver, protocol: Protocol, version: str) -> None:
    """What may be done at exit differs by version: 3.12 starts no thread then."""
    if version not in pythons():
        pytest.skip(f"no Python {version} here")
    environment = to(receiver, protocol, OTEL_SERVICE_NAME="short")
    ended = run(JOB.format(end="return"), environment, python=python(version), flags=("-W", "error"))
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    story = Story(list(receiver.spans()))
    assert story.lines() == [FIRST, "job 1: timer > returned"]
    assert {span.resource["service.name"] for span in story.spans} == {"short"}
    assert all("telemetry.sdk.version" in span.resource for span in story.spans)


def test_interrupt_from_the_keyboard(receiver: Receiver) -> None:
    waiting = "asyncio.get_running_loop().call_soon(lambda: print('ready', flush=True)); await asyncio.sleep(30)"
    ended = []
    for environment in (clean(), to(receiver)):
        program = Program(JOB.format(end=waiting), environment)
        assert program.hear() == "ready"
        program.signal(signal.SIGINT)
        ended.append(program.end())
    assert_ended_as_without(ended[1], ended[0])
    story = Story(list(receiver.spans()))
    assert story.lines() == [
        FIRST,
        "job 1: timer > suspended asyncio.sleep",
        "job 2: cancel by Runner._on_sigint > cancelled",
    ]
    assert story.task("job").attributes["asyncio.task.state"] == "cancelled"


#: told when the program is over, but for what is done at exit
OVER = """
import threading
threading._register_atexit(print, "over", flush=True)
sys.exit(7)
"""


@pytest.mark.parametrize("sending", [True, False])
@pytest.mark.parametrize("version", VERSIONS)
def test_interrupt_while_the_exit_waits(version: str, sending: bool) -> None:
    """Nobody answers, and somebody does not want to wait: the program ends as it would, and what is lost is told."""
    if version not in pythons():
        pytest.skip(f"no Python {version} here")
    with Receiver("hang") as hanging:
        source = JOB.format(end="return") + OVER
        program = Program(source, to(hanging), python=python(version))
        assert program.hear() == "over"
        while sending and not hanging.requests():
            time.sleep(0.02)
        time.sleep(0.3 if sending else 0.05)  # from the program's own print
        began = time.monotonic()
        program.signal(signal.SIGINT)
        ended = program.end()
    assert (ended.code, ended.out) == (7, "")
    assert ended.at - began < 3
    assert re.fullmatch(r"loopscope lost .*\(shutdown\)\n", ended.err)


def test_immediate_exit_loses_and_does_not_hang(receiver: Receiver) -> None:
    ended = run(JOB.format(end="os._exit(4)"), to(receiver), timeout=10)
    assert (ended.code, ended.out, ended.err) == (4, "", "")
    assert receiver.spans() == []


def test_caught_signal_is_only_a_signal(receiver: Receiver) -> None:
    """A program that handles the SIGTERM it raises goes on, recorded to its end."""
    source = """
    import asyncio, signal
    signal.signal(signal.SIGTERM, lambda number, frame: print("caught"))
    async def job():
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(0)
    asyncio.run(job())
    """
    ended = run(source, to(receiver))
    assert (ended.code, ended.out, ended.told) == (0, "caught\n", [])
    assert Story(list(receiver.spans())).lines() == ["job 0: start > yielded", "job 1: yield > returned"]


LATE = """
import asyncio, threading
begun = threading.Event()
async def late():
    begun.set()
    for _ in range(20):
        await asyncio.sleep(0.01)
threading.Thread(target=asyncio.run, args=(late(),)).start()
"""


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_loop_in_a_thread_that_outlives_the_main_one(receiver: Receiver, protocol: Protocol) -> None:
    """Its steps come after the main program's end, when thread pools are closed already."""
    ended = run(LATE + "begun.wait()", to(receiver, protocol))
    assert (ended.code, ended.err) == (0, "")
    story = Story(list(receiver.spans()))
    assert story.task("late").attributes["asyncio.task.step.count"] == 21
    assert len(story.steps_of("late")) == 21


def test_first_loop_after_the_end_of_the_main_program(receiver: Receiver) -> None:
    """Resource detectors need a thread pool, and there is none any more; the name of the service stays."""
    ended = run(LATE, to(receiver, OTEL_SERVICE_NAME="late"))
    assert (ended.code, ended.err) == (0, "")
    story = Story(list(receiver.spans()))
    assert story.task("late").attributes["asyncio.task.step.count"] == 21
    assert {span.resource["service.name"] for span in story.spans} == {"late"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("rest", ["time.sleep(1.5)", "busy(1.5)", "asyncio.run(asyncio.sleep(1.5))"])
def test_spans_leave_within_a_second(receiver: Receiver, protocol: Protocol, rest: str) -> None:
    """Of their end, while the program goes on: in its loop, without one, and computing."""
    source = f"""
    import asyncio, time
    def busy(seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pass
    async def tick():
        await asyncio.sleep(0.01)
    async def main():
        for _ in range(4):
            await asyncio.create_task(tick())
            await asyncio.sleep(0.25)
    asyncio.run(main())
    print("ran", flush=True)
    {rest}
    print("done", flush=True)
    input()
    """
    for _ in range(2):  # on a machine that is busy elsewhere once is no proof
        receiver.clear()
        program = Program(source, to(receiver, protocol))
        assert [program.hear(), program.hear()] == ["ran", "done"]
        # 4 ticks of a task and two steps, main with nine
        ours = [s for s in receiver.spans() if s.name.split()[-1] in ("tick", "main")]
        assert len(ours) == 4 * 3 + 1 + 9
        late = lateness(ours)
        program.say("")
        assert program.end().told == []
        assert_unique(receiver.spans())
        if max(late.values()) < 1.0:
            return
    raise AssertionError(late)


UNRULY = """
import asyncio, sys, threading, time
from loopscope import LoopscopeInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

class Unruly(SpanExporter):
    def export(self, spans):
        if sys.argv[1] != "hangs" and threading.current_thread() is not threading.main_thread():
            raise {{"exits": SystemExit(3), "interrupts": KeyboardInterrupt(), "base": BaseException("base")}}[sys.argv[1]]
        return SpanExportResult.SUCCESS

class Sampler(TraceIdRatioBased):
    def should_sample(self, *args, **options):
        if sys.argv[1] == "hangs":
            time.sleep(1000)
        return super().should_sample(*args, **options)

LoopscopeInstrumentor().instrument(
    tracer_provider=TracerProvider(sampler=Sampler(1.0)), span_exporter=Unruly(), metrics=False
)

async def main():
    for _ in range({steps}):
        await asyncio.sleep(0.1)
    return "done"

print(asyncio.run(main()))
"""


@pytest.mark.parametrize("how", ["exits", "interrupts", "base", "hangs"])
def test_an_application_object_that_is_unruly(how: str) -> None:
    """An exporter that raises what is no Exception in the background thread, a sampler that hangs there: all is lost,
    counted, and the end is the one that it has without."""
    environment = {**clean(), "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    ended = Program(UNRULY.format(steps=8), environment, arguments=[how]).end(30)
    assert (ended.code, ended.out) == (0, "done\n")
    assert "Traceback" not in ended.err, ended.err
    lost = "records" if how == "hangs" else "spans"
    assert re.search(rf"loopscope lost \d+ {lost} \((export_failed|shutdown)\)", ended.err), ended.err


HANGING = """
import asyncio, sys, time
from loopscope import LoopscopeInstrumentor, runtime
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

class Hanging(SpanExporter):
    def export(self, spans):
        if sys.argv[1] == "export":
            time.sleep(1000)
        return SpanExportResult.SUCCESS

    def shutdown(self):
        if sys.argv[1] == "shutdown":
            time.sleep(1000)

LoopscopeInstrumentor().instrument(span_exporter=Hanging(), metrics=False)
asyncio.run(asyncio.sleep(0.01))
if "flush" in sys.argv:
    began = time.monotonic()
    print(runtime.flush(0.5), time.monotonic() - began < 1)
print(time.monotonic())
"""


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.14"])
@pytest.mark.parametrize("where", ["export", "shutdown"])
def test_an_exporter_that_hangs_is_left_behind(where: str, version: str) -> None:
    """At the exit of a program too that ends before anything was ever exported."""
    if version not in pythons():
        pytest.skip(f"no Python {version} here")
    environment = {**clean(), "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    ended = Program(HANGING, environment, python=python(version), arguments=[where]).end(30)
    assert ended.code == 0 and ended.at - float(ended.out) < 3.5, ended.err
    assert ended.told == (["loopscope lost 3 spans (shutdown)"] if where == "export" else []), ended.err


def test_a_flush_that_hangs_is_left_behind() -> None:
    """After the time that it was given."""
    ended = Program(HANGING, {**clean(), "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}, arguments=["export", "flush"]).end(30)
    assert ended.code == 0 and ended.out.startswith("False True\n"), (ended.out, ended.err)
