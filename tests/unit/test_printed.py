"""Which step a printed line belongs to, how many are noted, and where they go."""

from __future__ import annotations

import io
import json
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from loopscope.capture import printed as module
from loopscope.capture.buffer import Buffer
from loopscope.capture.core import Core
from loopscope.capture.life import Life, LoopState, enter, local
from loopscope.capture.patches import Patches
from loopscope.capture.printed import Lines, streams
from loopscope.model import UNKNOWN, Anchor
from loopscope.pipeline import otlp, otlpjson
from loopscope.pipeline import printed as waiting
from loopscope.pipeline.assembler import Assembler
from loopscope.pipeline.printed import PrintedLines
from loopscope.pipeline.sinks import Sinks
from loopscope.pipeline.spans.visit import Caps
from loopscope.settings import PRINTED, notes_printed
from tests.records import MS, Cold, Told, birth, said, step
from tests.records import printed as line


class Printer:
    """Streams with a Lines on them, and steps that are entered by hand."""

    def __init__(self) -> None:
        self.failed = 0
        self.core = Core(Buffer(100_000), lambda name: True, self._fail)
        self.lines = Lines(self.core)
        self.file = io.BytesIO()
        self.out = io.TextIOWrapper(io.BufferedWriter(self.file), "utf-8")  # type: ignore[type-var]
        self.err = io.TextIOWrapper(io.BytesIO(), "utf-8")
        self.patches = Patches()
        for name, stream in ("stdout", self.out), ("stderr", self.err):
            self.patches.put(stream, "write", lambda original, name=name: self.lines.write(name, original))

    def _fail(self) -> None:
        self.failed += 1

    def task(self, id: int, excluded: bool = False) -> Life:
        """A task before its first step."""
        return Life(id, UNKNOWN, LoopState(1, ""), excluded)

    def run(self, life: Life | None) -> None:
        """From now on this task's step runs on this thread, None for none."""
        enter().life = life

    def end(self, life: Life) -> None:
        """Its step is over."""
        life.index += 1
        self.run(None)

    def say(self, *texts: str) -> None:
        """Write texts to stdout."""
        for text in texts:
            self.out.write(text)

    @property
    def noted(self) -> list[tuple[int, int, str]]:
        """(task, step, text) of the lines noted so far."""
        return [(record[1], record[2], record[5]) for record in self.core.buffer.queue]

    @property
    def written(self) -> str:
        """What arrived on stdout."""
        self.out.flush()
        return self.file.getvalue().decode()


@pytest.fixture
def printer() -> Iterator[Printer]:
    before = vars(local).pop("here", None)
    yield Printer()
    vars(local).pop("here", None)
    if before is not None:
        local.here = before


# ---------------------------------------------------------------- whose it is


def test_lines_are_those_of_the_step_that_runs(printer: Printer) -> None:
    a, b = printer.task(1), printer.task(2)
    printer.say("before\n")
    printer.run(a)
    printer.say("a", " ", "0", "\n", "a 0 again\nand again\n")
    printer.end(a)
    printer.say("in a callback\n")
    printer.run(b)
    print("b 0", file=printer.err)
    print(file=printer.out)
    printer.end(b)
    printer.run(a)
    printer.say("a 1\n")
    assert printer.noted == [
        (1, 0, "a 0"),
        (1, 0, "a 0 again"),
        (1, 0, "and again"),
        (2, 0, "b 0"),
        (2, 0, ""),
        (1, 1, "a 1"),
    ]
    assert [record[4] for record in printer.core.buffer.queue] == ["stdout"] * 3 + ["stderr"] + ["stdout"] * 2
    assert printer.written == "before\na 0\na 0 again\nand again\nin a callback\n\na 1\n"


def test_time_is_that_of_the_first_piece(printer: Printer, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10, 20, 30])
    monkeypatch.setattr("loopscope.capture.core.clock", lambda: next(times))
    printer.run(printer.task(1))
    printer.say("first ", "second ", "third\n")
    assert [record[3:] for record in printer.core.buffer.queue] == [(10, "stdout", "first second third")]


def test_a_step_within_a_step_does_not_take_its_line(printer: Printer) -> None:
    """An eager task's first step ends a line that its creator began."""
    outer, inner = printer.task(1), printer.task(2)
    printer.run(outer)
    printer.say("begun ")
    printer.run(inner)
    printer.say("ended\ninner\n")
    assert printer.noted == [(1, 0, "begun ended"), (2, 0, "inner")]


def test_a_line_that_a_later_step_ends_is_the_later_steps(printer: Printer) -> None:
    """The first one's record is written already; by a callback it is ended in the name of the step that began it."""
    a, b = printer.task(1), printer.task(2)
    for life, text in ((a, "."), (b, "."), (a, ".\n"), (b, "begun ")):
        printer.run(life)
        printer.say(text)
        printer.end(life)
    printer.say("ended by a callback\nand more\n")
    printer.run(a)
    printer.say("next\n")
    assert printer.noted == [(1, 1, "..."), (2, 1, "begun ended by a callback"), (1, 2, "next")]


def test_streams_and_threads_do_not_mix(printer: Printer) -> None:
    printer.run(printer.task(1))

    def other(life: Life | None, text: str) -> None:
        if life is not None:
            enter().life = life
        printer.say(text)

    printer.say("of a ")
    for life, text in ((printer.task(2), "of b\n"), (None, "of nobody\n")):
        thread = threading.Thread(target=other, args=(life, text))
        thread.start()
        thread.join()
    printer.err.write("error\n")
    printer.say("step\n")
    assert printer.noted == [(2, 0, "of b"), (1, 0, "error"), (1, 0, "of a step")]


def test_tasks_that_are_not_told(printer: Printer) -> None:
    excluded, muted = printer.task(1, excluded=True), printer.task(2)
    muted.muted = True
    for life in (excluded, muted):
        printer.run(life)
        printer.say("a line\n")
    assert printer.noted == [] and printer.lines.dropped == 0
    assert printer.written == "a line\n" * 2


# ---------------------------------------------------------------- how many


def test_a_long_line_is_cut(printer: Printer) -> None:
    printer.run(printer.task(1))
    printer.say("x" * 1_000 + "\n", "y" * 1_001 + "\n", *["z" * 400] * 400, "\nnext\n")
    assert [text for _, _, text in printer.noted] == [
        "x" * 1_000,
        "y" * 1_000 + "…",
        "z" * 400 * 2 + "z" * 200 + "…",
        "next",
    ]


def test_at_most_so_many_a_second(printer: Printer, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 5 * 10**9
    monkeypatch.setattr("loopscope.capture.core.clock", lambda: now)
    monkeypatch.setattr(module, "A_SECOND", 3)
    monkeypatch.setattr(module, "ALL", 5)
    printer.run(printer.task(1))
    printer.say("1\n2\n3\n4\n5\nbegun ", "6\n")
    assert ([text for _, _, text in printer.noted], printer.lines.dropped) == (["1", "2", "3"], 3)
    now += 10**9
    printer.say("7\n8\n9\n")
    assert ([text for _, _, text in printer.noted], printer.lines.dropped) == (["1", "2", "3", "7", "8"], 4)
    now += 10**9
    printer.say("10\n")
    assert printer.lines.dropped == 5
    printer.lines.forked()
    printer.say("11\n")
    assert (printer.noted[-1], printer.lines.dropped) == ((1, 0, "11"), 0)


# ---------------------------------------------------------------- the program's own


def test_a_write_that_fails_is_the_programs(printer: Printer) -> None:
    printer.run(printer.task(1))
    printer.say("begun ")
    with pytest.raises(UnicodeEncodeError):
        printer.say("\udc80\n")
    with pytest.raises(TypeError, match=r"write\(\) argument must be str, not int"):
        printer.out.write(1)  # type: ignore[arg-type]
    printer.say("ended\n")
    printer.out.close()
    with pytest.raises(ValueError, match="closed file"):
        printer.say("closed\n")
    assert printer.noted == [(1, 0, "begun ended")] and printer.failed == 0


def test_an_error_of_our_own_is_not(printer: Printer, caplog: pytest.LogCaptureFixture) -> None:
    printer.run(printer.task(1))
    enter().lines = None  # type: ignore[assignment]
    printer.say("one\n", "two\n")
    assert printer.written == "one\ntwo\n"
    assert printer.failed == 1 and not printer.core.on
    assert [record.message for record in caplog.records] == [
        "loopscope stopped recording after an error of its own; the application goes on"
    ]


def test_a_recursion_that_ends_while_printing(printer: Printer) -> None:
    """The line is written or the error is raised, as the program would have it; recording goes on."""
    printer.run(printer.task(1))
    begun = 0

    def deeper() -> None:
        nonlocal begun
        begun += 1
        printer.say("deep\n")
        deeper()

    with pytest.raises(RecursionError):
        deeper()
    assert printer.failed == 0 and printer.core.on
    assert begun - 1 <= printer.written.count("deep\n") <= begun
    assert len(printer.noted) + printer.lines.dropped == printer.written.count("deep\n")


def test_off_it_leaves_nothing(printer: Printer) -> None:
    held, before = printer.out.write, vars(printer.out).copy()
    assert before["write"] is held
    printer.patches.undo()
    assert "write" not in vars(printer.out)
    printer.run(printer.task(1))
    printer.say("after\n")
    printer.core.on = False
    held("by what was looked up before\n")
    assert printer.noted == [] and printer.written == "after\nby what was looked up before\n"


def test_a_write_that_the_program_put_there_stays(printer: Printer) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8")
    told: list[str] = []
    stream.write = told.append  # type: ignore[method-assign, assignment]
    patches = Patches()
    patches.put(stream, "write", lambda original: printer.lines.write("stdout", original))
    printer.run(printer.task(1))
    print("a line", file=stream)
    patches.undo()
    print("another", file=stream)
    assert told == ["a line", "\n", "another", "\n"] and printer.noted == [(1, 0, "a line")]


# ---------------------------------------------------------------- which streams


def test_which_streams(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    class Own(io.TextIOWrapper):
        pass

    first, second = (open(1, "w", closefd=False) for _ in range(2))
    own, file = Own(second.buffer), open(tmp_path / "file", "w")

    def found(now: Any, given: Any) -> list[str]:
        names = {id(first): "first", id(second): "second"}
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", now)
            patch.setattr(sys, "__stdout__", given)
            return [names[id(stream)] for stream in streams("stdout", 1)]

    assert found(first, first) == ["first"]
    assert found(second, first) == ["first", "second"]  # the same file in another encoding
    assert found(own, first) == ["first"]  # a kind of its own may write on to the first
    assert found(file, first) == found(io.StringIO(), first) == ["first"]
    assert found(None, None) == []
    file.close()
    own.detach()
    first.detach()
    assert found(file, file) == found(first, first) == []


def test_the_switch() -> None:
    assert notes_printed({PRINTED: "true"})
    assert not notes_printed({}) and not notes_printed({PRINTED: "false"})


# ---------------------------------------------------------------- to the spans


def cold(caps: Caps = Caps(2_000, 15_000, MS, 10 * MS)) -> tuple[Cold, PrintedLines]:
    """A cold side with the sink before the tracer."""
    made, lines = Cold(caps), PrintedLines()
    made.assembler = Assembler(Sinks(lines, made.tracer), made.tracer.kin.lives)
    return made, lines


def texts(events: Any) -> list[tuple[int, str, str]]:
    """(time, stream, text) of events."""
    assert all(event.name == "asyncio.printed" for event in events)
    return [(event.time, *(value for _, value in event.attributes)) for event in events]


def test_assembler_tells_it_before_the_step() -> None:
    told = Told()
    assembler = Assembler(told)
    for record in (birth(1), line(1, 0, 3, "a"), step(1, 0, 1, 2, 4)):
        assembler.feed(record)
    assert [event[:3] for event in told.events if event[0] != "born"] == [
        ("printed", 1, 0), ("stepped", 1, told.steps[id(told.lives[0])][0]),
    ]  # fmt: skip
    assert told.events[1][3] == (3, "stdout", "a")


def test_steps_have_their_lines_in_the_trace_file_alone() -> None:
    made, _ = cold(Caps(2_000, 15_000, MS, 10 * MS, hold=50))
    made.feed(
        birth(1), birth(2),
        line(1, 0, 3, "outer"), line(2, 0, 4, "inner"), step(2, 0, 0, 4, 5), line(1, 0, 6, "outer again", "stderr"),
        step(1, 0, 0, 2, 99), step(1, 1, 100, 101, 102, "returned"),
    )  # fmt: skip
    made.finish(200)
    found = {
        (span.name, said(span, "asyncio.task.id"), said(span, "asyncio.step.index"), span.start): span
        for span in made.steps
    }
    lines = {start: texts(span.printed or ()) for (_, _, _, start), span in found.items()}
    assert lines == {4: [(4, "stdout", "inner")], 2: [(3, "stdout", "outer"), (6, "stderr", "outer again")], 101: []}
    span = next(span for span in made.steps if span.start == 2)
    assert [event["name"] for event in json.loads(otlpjson.encode(span, Anchor(0)))["events"]] == [
        "asyncio.printed"
    ] * 2
    assert b"outer" not in otlp.Encoding(Anchor(0)).encoder().span(span)


def test_a_step_that_printed_keeps_its_span_as_long_as_there_is_room() -> None:
    """Later its lines are on the span of the steps that it is coalesced with."""
    made, lines = cold(Caps(16, 15_000, MS, 10 * MS))
    made.feed(birth(1))
    for index in range(60):
        at = 10 * index
        if index in (13, 30, 31, 50):
            made.feed(line(1, index, at + 2, f"line {index}"))
        made.feed(step(1, index, at, at + 1, at + 3, "returned" if index == 59 else None))
    made.finish(1_000)
    own = [texts(span.printed)[0][2] for span in made.steps if span.printed and span.name.startswith("step ")]
    shared = [
        text
        for span in made.steps
        if span.printed and span.name.startswith("steps ")
        for _, _, text in texts(span.printed)
    ]
    assert (own, shared) == (["line 13"], ["line 30", "line 31", "line 50"])
    assert lines.dropped == 0


def test_lines_of_lost_steps_do_not_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAITING", 3)
    made, lines = cold()
    made.feed(birth(1), *[line(1, index, index, "lost") for index in range(5) for _ in range(2)])
    assert (len(lines._lines), lines.dropped) == (3, 4)
