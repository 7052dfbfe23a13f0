"""How recording starts: nothing is missed of loops that several threads make at once."""

from __future__ import annotations

import _thread
import asyncio
import functools
import os
import sys
from pathlib import Path
from py_compile import compile as compile_file

import pytest

from loopscope import runtime
from loopscope.capture import cores
from loopscope.settings import Settings
from tests.ground.pythons import pythons
from tests.ground.receiver import Receiver
from tests.processes.program import Program, clean, python, run, to
from tests.support import Story

THREADS = 3

JOBS = """
import asyncio, sys, threading, {module}

async def job(barrier):
    await asyncio.create_task(asyncio.sleep(0))

def work(barrier):
    barrier.wait()
    loop = {module}.new_event_loop()
    loop.run_until_complete(job(barrier))
    loop.close()

barrier = threading.Barrier({threads})
threads = [threading.Thread(target=work, args=(barrier,)) for _ in range({threads})]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("opentelemetry.sdk" in sys.modules)
"""


def test_who_looks_for_a_module_sees_its_loader() -> None:
    """Before the first loop, of the modules that are watched for: uvloop is not imported here."""
    source = """
    from importlib.util import find_spec
    loader = find_spec("uvloop").loader
    print(loader.is_package("uvloop"), loader.get_filename("uvloop"), loader.name, hasattr(loader, "nonsense"))
    """
    with Receiver() as receiver:
        on, off = Program(source, to(receiver)).end(), Program(source, clean()).end()
    assert (on.code, on.out, on.err) == (off.code, off.out, off.err) and on.code == 0


@pytest.mark.parametrize("module", ["asyncio", "uvloop"])
def test_loops_made_while_it_starts(module: str) -> None:
    with Receiver() as receiver:
        ended = run(JOBS.format(module=module, threads=THREADS), to(receiver))
        assert (ended.code, ended.out, ended.told) == (0, "True\n", [])
        story = Story(list(receiver.spans()))
    assert [task.name for task in story.tasks].count("task job") == THREADS
    assert [task.name for task in story.tasks].count("task sleep") == THREADS
    assert not any(task.attributes.get("asyncio.task.seen_late") for task in story.tasks)
    assert len(story.steps) == THREADS * 4


REFUSED = """
import asyncio, threading, time
original, began, refused = threading.Thread.start, time.monotonic(), set()

def start(self):
    if self.name.startswith("loopscope") and time.monotonic() - began < {seconds}:
        refused.add(self.name)
        raise RuntimeError("can't start new thread")
    return original(self)

async def main():
    while time.monotonic() - began < {seconds} + 2.5:
        await asyncio.sleep(0.01)
    print(sorted(refused), sorted(thread.name for thread in threading.enumerate()))

threading.Thread.start = start
asyncio.run(main())
"""


@pytest.mark.parametrize("seconds", [0.5, 5])
def test_threads_that_the_system_refuses_at_first(seconds: float) -> None:
    """A limit of processes that was reached for a moment: they are asked for again; for long, that is said of each."""
    with Receiver() as receiver:
        ended = run(REFUSED.format(seconds=seconds), to(receiver))
    ours = ["loopscope", "loopscope-watchdog"]
    assert (ended.code, ended.out) == (0, f"{ours} {sorted(['MainThread', *ours])}\n")
    said = [
        f"loopscope cannot start its thread {name!r}, and goes on asking for it: can't start new thread"
        for name in ours
    ]
    assert sorted(ended.told) == (said if seconds > 3 else [])


INTERRUPTED = """
import asyncio, signal, sys, uvloop

def handle(number, frame):
    raise ValueError

def trace(frame, event, argument):
    code = frame.f_code
    if event == "call" and code.co_filename.endswith(sys.argv[1]) and code.co_name == "__init__":
        sys.settrace(None)
        signal.raise_signal(signal.SIGINT)

async def main():
    await asyncio.sleep(0)

if sys.argv[2] == "ValueError":
    signal.signal(signal.SIGINT, handle)
sys.settrace(trace)
try:
    {module}.new_event_loop()
except (KeyboardInterrupt, ValueError) as error:
    print(type(error).__name__)
asyncio.run(main())
"""


@pytest.mark.parametrize("module", ["asyncio", "uvloop"])
@pytest.mark.parametrize("error", ["KeyboardInterrupt", "ValueError"])
@pytest.mark.parametrize("place", ["pipeline/pipeline.py", "spans/notes.py"])
def test_a_signal_while_it_starts(place: str, error: str, module: str) -> None:
    """It takes a third of a second: what the application's handler raises is the application's. Then it starts."""
    if place == "spans/notes.py" and cores.choose(Settings.load().core).core.name != cores.NATIVE:
        pytest.skip("the native core makes one as it is loaded, the Python core does not")
    with Receiver() as receiver:
        ended = Program(INTERRUPTED.format(module=module), to(receiver), arguments=[place, error]).end()
        assert (ended.code, ended.out, ended.err) == (0, f"{error}\n", "")
        assert [task.name for task in Story(list(receiver.spans())).tasks] == ["task main"]


ISOLATED = """
try:
    import _interpreters as interpreters
    made = interpreters.create("isolated")
except ImportError:
    import _xxsubinterpreters as interpreters
    made = interpreters.create(isolated=True)
interpreters.run_string(made, "import asyncio; asyncio.run(asyncio.sleep(0))")
interpreters.destroy(made)
print("end")
"""


def test_a_standard_library_that_was_compiled_elsewhere(tmp_path: Path) -> None:
    """Its code has relative file names, as in frozen programs: asyncio is known all the same."""
    for module in (asyncio, functools):
        file = Path(module.__file__ or "")
        for source in file.parent.glob("*.py") if file.name == "__init__.py" else [file]:
            name = source.relative_to(Path(asyncio.__file__).parents[1])
            (tmp_path / name).parent.mkdir(exist_ok=True)
            compile_file(str(source), cfile=str(tmp_path / f"{name}c"), dfile=str(name), doraise=True)
    source = """
    import asyncio
    async def taker(queue):
        await queue.get()
    async def main():
        queue = asyncio.Queue()
        task = asyncio.create_task(taker(queue))
        await asyncio.sleep(0.001)
        queue.put_nowait(1)
        await task
    asyncio.run(main())
    print(asyncio.run.__code__.co_filename)
    """
    with Receiver() as receiver:
        ended = run(source, to(receiver, PYTHONPATH=str(tmp_path)))
        story = Story(list(receiver.spans()))
    assert (ended.code, ended.out, ended.told) == (0, f"asyncio{os.sep}runners.py\n", [])
    assert {task.name for task in story.tasks} == {"task main", "task taker"}
    step = story.steps_of("taker")[0]
    assert step.attributes["asyncio.step.awaiting"] == "asyncio.Queue.get"
    assert step.attributes["code.function.name"] == "__main__.taker"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="threads are as everywhere in a subinterpreter before 3.12")
def test_an_isolated_interpreter() -> None:
    """It has no daemon threads: nothing is recorded there, and that is said in a line."""
    with Receiver() as receiver:
        ended = Program(ISOLATED, to(receiver)).end()
    assert (ended.code, ended.out) == (0, "end\n")
    assert ended.err.splitlines() == ["loopscope stays off: this interpreter allows no daemon threads"]


def test_greenlets_in_the_place_of_threads(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A thread of ours that waits would stop the application."""

    def start_new_thread() -> None: ...

    start_new_thread.__module__ = "gevent.thread"
    monkeypatch.setattr(_thread, "start_new_thread", start_new_thread)
    assert runtime.start() is None and runtime.current() is None
    assert [record.getMessage() for record in caplog.records] == [
        "loopscope stays off: gevent made greenlets of threads"
    ]


@pytest.mark.parametrize("began", ["was made", "ran in the parent"])
def test_greenlets_once_there_was_a_loop(began: str) -> None:
    """As gunicorn's --preload has it with a worker class of gevent's: recording stops there, and nothing else does."""
    source = f"""
    import asyncio, os
    made = {began == "was made"}
    async def main():
        await asyncio.sleep(0.01)
    if made:
        loop = asyncio.new_event_loop()
    else:
        asyncio.run(main())
    if made or not os.fork():
        from gevent import monkey
        monkey.patch_all()
        loop.run_until_complete(main()) if made else asyncio.run(main())
        print("done")
    else:
        os.wait()
    """
    with Receiver() as receiver:
        ended = Program(source, to(receiver)).end(30)
    assert (ended.code, ended.out) == (0, "done\n"), ended.err
    assert ended.told == ["loopscope stopped recording: gevent made greenlets of threads"], ended.err


# A warning that is told once for each place that it comes from, before and after the first loop.
WARNED = """
import asyncio, warnings
filters = warnings.filters[:]
for _ in range(2):
    warnings.warn_explicit("once", UserWarning, "place.py", 1, registry=(registry := globals().setdefault("seen", {})))
    asyncio.run(asyncio.sleep(0.1))
print(warnings.filters == filters)
"""


@pytest.mark.parametrize("version", ["3.11", "3.12"])
def test_warnings_are_told_as_without(version: str) -> None:
    """Some modules of the SDK's change the filters as they are imported, and what was told once is told again."""
    if version not in pythons():
        pytest.skip(f"no Python {version} here")
    with Receiver() as receiver:
        ended = run(WARNED, to(receiver), python=python(version))
        assert receiver.spans()
    assert ended.out == "True\n" and ended.err.count("UserWarning: once") == 1, ended.err
