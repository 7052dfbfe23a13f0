"""The background thread: starts, hurries, stops, lets go of the GIL between slices."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from loopscope import runtime
from loopscope.pipeline import worker as module
from loopscope.pipeline.worker import Worker
from loopscope.settings import Settings


def never() -> None:
    """For `failed`."""
    raise AssertionError("the worker failed")


def nothing() -> None:
    """For `glance`."""


class Rounds:
    """Work that counts its rounds, each of some pieces."""

    def __init__(self, pieces: int = 1) -> None:
        self.done = 0
        self.pieces = pieces
        self.threads: set[str] = set()
        self.ran = threading.Event()

    def __call__(self) -> Iterator[None]:
        self.threads.add(threading.current_thread().name)
        for _ in range(self.pieces):
            yield
        self.done += 1
        self.ran.set()


def test_a_start_that_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Ctrl-C in `Thread.start`: the thread is there, is known, and is stopped like any other."""
    start = threading.Thread.start

    def interrupted(self: threading.Thread) -> None:
        start(self)
        raise KeyboardInterrupt

    rounds = Rounds()
    worker = Worker(rounds, never, nothing)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            worker.start()
    assert worker.start()
    worker.hurry()
    assert rounds.ran.wait(10)
    assert [thread.name for thread in threading.enumerate()].count("loopscope") == 1
    assert worker.stop(10)
    assert "loopscope" not in [thread.name for thread in threading.enumerate()]


def to_a_pipe_that_nobody_reads() -> None:
    """What SIGPIPE comes of."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        os.write(writer, b"x")
    finally:
        os.close(writer)


def to_a_file_that_may_not_grow() -> None:
    """What SIGXFSZ comes of."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with tempfile.TemporaryFile() as file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
        try:
            os.pwrite(file.fileno(), b"x", 100)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="this system has no such signals")
@pytest.mark.parametrize(
    ("name", "fails"), [("SIGPIPE", to_a_pipe_that_nobody_reads), ("SIGXFSZ", to_a_file_that_may_not_grow)]
)
def test_a_write_that_fails_ends_no_program(name: str, fails: Callable[[], None]) -> None:
    """Whose signal's action is the system's own: the thread is kept from it, and so is who does its work. The rest is
    not.
    """
    results, one = [], getattr(signal, name)

    def write() -> Iterator[None]:
        with pytest.raises(OSError, match=r"Broken pipe|File too large"):
            fails()
        results.append(threading.current_thread().name)
        yield

    before = signal.signal(one, signal.SIG_DFL)
    try:
        worker = Worker(write, never, nothing)
        worker.round()
        assert one not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        worker.start()
        worker.hurry()
        assert worker.do(lambda: None, 10) and worker.stop(10)
    finally:
        signal.signal(one, before)
    assert set(results) == {"MainThread", "loopscope"}


def test_it_works_in_a_daemon_thread_of_its_own_until_it_is_stopped() -> None:
    """Started twice it is one; stopped it is gone; it can be started again."""
    rounds = Rounds()
    worker = Worker(rounds, never, nothing)
    assert not worker.running
    for _ in range(2):
        worker.start()
        worker.start()
        assert [thread.daemon for thread in threading.enumerate() if thread.name == "loopscope"] == [True]
        rounds.ran.clear()
        assert rounds.ran.wait(5)
        assert worker.stop(5)
        assert not worker.running
        assert "loopscope" not in {thread.name for thread in threading.enumerate()}
    assert rounds.threads == {"loopscope"}
    done = rounds.done
    assert worker.stop(5)
    worker.round()
    assert rounds.done == done + 1


def test_hurry_does_the_next_round_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the next one would come in an hour."""
    monkeypatch.setattr(module, "SOON", 3600)
    monkeypatch.setattr(module, "LATE", 3600)
    rounds = Rounds()
    worker = Worker(rounds, never, nothing)
    worker.start()
    try:
        assert not rounds.ran.wait(0.05)
        worker.hurry()
        assert rounds.ran.wait(5)
    finally:
        assert worker.stop(5)
    assert rounds.done == 2, "the one that was hurried, and the last one"


def test_an_error_ends_the_thread_and_is_told() -> None:
    """Once; a start makes a new thread."""
    told: list[BaseException | None] = []
    failed = threading.Event()

    def work() -> Iterator[None]:
        yield
        raise ValueError("of ours")

    def tell() -> None:
        import sys

        told.append(sys.exc_info()[1])
        failed.set()

    worker = Worker(work, tell, nothing)
    for _ in range(2):
        failed.clear()
        worker.start()
        assert failed.wait(5)
        assert worker.stop(5)
    assert [str(error) for error in told] == ["of ours"] * 2


def test_a_stop_that_takes_too_long_says_so_and_can_be_taken_back() -> None:
    """A start while the thread is on its way out: there is one that works, and but one."""
    gate, inside = threading.Event(), threading.Event()
    rounds = 0

    def work() -> Iterator[None]:
        nonlocal rounds
        inside.set()
        gate.wait(10)
        rounds += 1
        yield

    worker = Worker(work, never, nothing)
    worker.start()
    assert inside.wait(5)
    assert not worker.stop(0.01)
    assert worker.running
    worker.start()
    before = rounds
    gate.set()
    deadline = time.monotonic() + 5
    while rounds < before + 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert rounds >= before + 3
    assert sum(thread.name == "loopscope" for thread in threading.enumerate()) == 1
    assert worker.stop(5)


def test_it_sleeps_after_each_slice_but_not_when_somebody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of ours: pieces of 0.1 ms, so a pause after every third."""
    now = 0
    slept: list[float] = []
    pieces: list[int] = []

    def work() -> Iterator[None]:
        nonlocal now
        for number in range(9):
            now += 100_000
            pieces.append(number)
            yield
        worker._stopping = True

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        pieces.append(-1)

    monkeypatch.setattr(module, "clock", lambda: now)
    monkeypatch.setattr(module, "SOON", 0)
    worker = Worker(work, never, nothing, sleep)
    worker._run()
    assert pieces == [0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1]
    assert slept == [module.PAUSE] * 3
    assert module.SLICE + 200_000 <= 500_000, "a slice and a long piece stay below half a millisecond"
    slept.clear()
    worker._stopping, worker._urgent = False, True
    worker._run()
    assert slept == []


def test_in_a_forked_child_there_is_no_thread() -> None:
    """A new one can be started."""
    rounds = Rounds()
    worker = Worker(rounds, never, nothing)
    worker._thread = threading.Thread(target=never, name="the parent's")
    worker.forked()
    assert not worker.running
    worker.start()
    assert rounds.ran.wait(5)
    assert worker.stop(5)


def test_while_it_is_barred_it_is_not_started() -> None:
    """Others do its work meanwhile: two at once would be too many."""
    rounds = Rounds()
    worker = Worker(rounds, never, nothing)
    with worker.barred():
        worker.start()
        assert not worker.running
    assert not worker.running
    worker.start()
    assert rounds.ran.wait(5) and worker.stop(5)


@pytest.mark.parametrize("name", ["flush", "finish"])
def test_a_step_in_another_thread_starts_no_thread_while_its_work_is_done(name: str) -> None:
    """It was about to when the work began; the next step starts it."""
    runtime.start(Settings(trace_file="/dev/null"))
    try:
        active = runtime.current()
        assert active is not None
        core, work, running = active.core, active.pipeline.round, []

        def stepping(final: bool) -> Iterator[None]:
            core.awaken()
            running.append(active.worker.running)
            return work(final)

        active.pipeline.round = stepping  # type: ignore[method-assign]
        core.asleep = False
        getattr(active, name)()
        assert running == [False] and core.asleep
        assert not active.worker.running
    finally:
        runtime.stop()


def test_a_job_is_done_by_the_thread_between_two_rounds() -> None:
    """It goes on then. Without a thread the job is done at once, by who wants it."""
    rounds, by = Rounds(), list[str]()

    def job() -> None:
        by.append(threading.current_thread().name)

    worker = Worker(rounds, never, nothing)
    assert worker.do(job, 5)
    worker.start()
    assert worker.do(job, 5) and worker.running
    assert worker.end(job, 5) and not worker.running
    assert worker.end(job, 5)
    here = threading.current_thread().name
    assert by == [here, "loopscope", "loopscope", here]


@pytest.mark.parametrize("how", ["do", "end"])
def test_a_job_that_hangs_is_left_behind(how: str) -> None:
    """And what is wanted after it is not done any more, once it is forgotten."""
    free, by = threading.Event(), list[str]()

    def late() -> None:
        by.append("late")

    worker = Worker(Rounds(), never, nothing)
    worker.start()
    assert not getattr(worker, how)(free.wait, 0.05)
    assert not worker.end(late, 0.05)
    worker.forget(late)
    free.set()
    assert worker.stop(5) and by == []
