"""Stalls by hand-made records: which looks a step gets, what is counted, what is logged."""

from __future__ import annotations

import logging
from types import CodeType

import pytest

from loopscope.model import BLOCKING, COLLECTOR, GIL, PYTHON, Frame, Record, Step
from loopscope.pipeline import stalls as module
from loopscope.pipeline.assembler import Assembler
from loopscope.pipeline.frames import innermost, stack_text
from loopscope.pipeline.sinks import Sinks
from loopscope.pipeline.stalls import OTHER, PLACES, UNKNOWN, Stalls, events
from tests.records import MS, SECOND, Told, birth, collection, look, step

THRESHOLD = 100 * MS


def frame(name: str = "handler", file: str = "app.py", line: int = 3) -> Frame:
    """A frame of a function."""
    code = next(c for c in compile(f"def {name}(): pass", file, "exec").co_consts if isinstance(c, CodeType))
    return Frame(code, line)


class Fed:
    """A Stalls sink, and behind it one that notes what it is told."""

    def __init__(self) -> None:
        self.stalls, self.told = Stalls(THRESHOLD), Told()
        self.assembler = Assembler(Sinks(self.stalls, self.told))

    def feed(self, *records: Record) -> Fed:
        """Feed records."""
        for record in records:
            self.assembler.feed(record)
        return self

    @property
    def steps(self) -> list[Step]:
        """The steps, as a later sink was told of them."""
        return [event[2] for event in self.told.events if event[0] == "stepped"]

    def causes(self) -> list[list[tuple[str | None, int, int]]]:
        """Of each step's looks: cause, since, time."""
        return [[(look.cause, look.since, look.time) for look in step.looks or ()] for step in self.steps]


def long(task: int, index: int = 0, start: int = 0, duration: int = 150 * MS, thread: int = 1) -> Record:
    """A step that is a stall, if nothing else is said."""
    return step(task, index, start, start, start + duration, thread=thread)


def test_looks_come_before_the_step_they_belong_to() -> None:
    """By task and index, whatever else comes meanwhile; a short step has none."""
    fed = Fed().feed(
        birth(1), birth(2),
        step(2, 0, 0, 0, 99 * MS),
        look(1, 0, 0, 100 * MS, BLOCKING), look(2, 1, 0, 110 * MS, PYTHON, thread=2), look(1, 0, 0, 200 * MS, PYTHON),
        step(2, 1, 0, 99 * MS, 240 * MS, thread=2),
        long(1, duration=250 * MS),
    )  # fmt: skip
    assert fed.causes() == [
        [],
        [(PYTHON, 0, 110 * MS)],
        [(BLOCKING, 0, 100 * MS), (PYTHON, 0, 200 * MS)],
    ]
    fed.stalls.tick(SECOND)
    assert fed.stalls.stalls == 2


def test_a_look_that_comes_after_the_step() -> None:
    """It takes the place of what times alone told; it is the same stall."""
    fed = Fed().feed(birth(1), long(1))
    assert fed.causes() == [[(None, 0, 150 * MS)]], "none was taken: the step itself tells"
    fed.feed(look(1, 0, 0, 120 * MS, PYTHON))
    assert fed.causes() == [[(PYTHON, 0, 120 * MS)]]
    fed.feed(look(1, 0, 0, 140 * MS, BLOCKING))
    assert len(fed.steps[0].looks or ()) == 2
    fed.stalls.tick(SECOND)
    fed.stalls.tick(2 * SECOND)
    assert (fed.stalls.stalls, list(fed.stalls.by_place.values())) == (1, [1])


@pytest.mark.parametrize("late", [False, True])
def test_a_look_that_was_kept_from_seeing(late: bool) -> None:
    """Before or after the step's record: matched by the time in which the thread was held."""
    records = [look(-1, -1, 100 * MS, 150 * MS, GIL), long(1)]
    fed = Fed().feed(birth(1), *(reversed(records) if late else records))
    assert fed.causes() == [[(GIL, 0, 150 * MS)]]
    fed.feed(long(1, 1, SECOND))
    assert fed.causes()[1] == [(None, SECOND, SECOND + 150 * MS)], "it is told once"
    elsewhere = Fed().feed(birth(1), look(-1, -1, 100 * MS, 400 * MS, GIL), long(1))
    assert elsewhere.causes() == [[(None, 0, 150 * MS)]], "most of it was after the step"
    elsewhere = Fed().feed(birth(1), look(-1, -1, 100 * MS, 150 * MS, GIL, thread=2), long(1))
    assert elsewhere.causes() == [[(None, 0, 150 * MS)]]


def test_a_look_at_a_callback_that_a_step_had_kept_from_being_seen() -> None:
    """The watchdog woke late and found the callback after the step."""
    fed = Fed().feed(birth(1), long(1), look(0, -1, 50 * MS, 151 * MS, GIL, (frame(),)))
    assert fed.causes() == [[(GIL, 0, 150 * MS)]]
    fed.stalls.tick(SECOND)
    assert (fed.stalls.stalls, fed.stalls.callback_at(1, 0, SECOND)) == (1, None)


def test_a_time_between_steps() -> None:
    """A task was ready, and what held the thread kept the watchdog too: one stall, whoever tells of it first and how often."""
    late = look(-1, -1, 100 * MS, 450 * MS, GIL)
    for records in ([late], []):
        fed = Fed().feed(*records)
        fed.stalls.between(1, 200 * MS, 400 * MS)
        fed.stalls.between(1, 50 * MS, 400 * MS)
        fed.stalls.tick(500 * MS)
        assert fed.stalls.stalls == 0, "a look may come yet"
        fed.feed(*([] if records else [late]))
        fed.stalls.tick(SECOND)
        assert fed.stalls.by_place == {("a callback", GIL): 1}
    fed.stalls.between(1, 50 * MS, 400 * MS)
    fed.stalls.between(1, 2 * SECOND, 2 * SECOND + 99 * MS)
    fed.feed(look(-1, -1, 2 * SECOND, 2 * SECOND + 99 * MS, GIL))
    fed.stalls.tick(3 * SECOND)
    assert fed.stalls.stalls == 1, "one was told, the other is too short"


def test_collections_tell_the_cause() -> None:
    """At least half of the step, on whichever thread: a collection holds the GIL."""
    fed = Fed().feed(birth(1), collection(0, 40 * MS), collection(60 * MS, 95 * MS, 2), long(1))
    assert fed.causes() == [[(COLLECTOR, 0, 150 * MS)]]
    fed = Fed().feed(birth(1), collection(0, 74 * MS), collection(200 * MS, 900 * MS), long(1))
    assert fed.causes() == [[(None, 0, 150 * MS)]]


def test_a_step_in_a_step() -> None:
    """An eager one that is a stall is told, its creator's only if it held the thread for long by itself too."""
    fed = Fed().feed(birth(1), birth(2), long(2, 0, 10 * MS), step(1, 0, 0, 0, 200 * MS))
    assert fed.causes() == [[(None, 10 * MS, 160 * MS)], []]
    fed = Fed().feed(birth(1), birth(2), long(2, 0, 10 * MS), step(1, 0, 0, 0, 250 * MS))
    assert fed.causes() == [[(None, 10 * MS, 160 * MS)], [(None, 0, 250 * MS)]]


def test_callbacks() -> None:
    """Looks at the same one are one stall; it is named by its function, where it was read."""
    inner, outer = frame("parse"), frame("data_received", line=9)
    fed = Fed().feed(
        look(0, -1, 0, 100 * MS, PYTHON, (outer, inner)),
        look(0, -1, 0, 200 * MS, PYTHON, (outer,)),
        look(0, -1, SECOND, SECOND + 100 * MS, BLOCKING, (inner,)),
        look(0, -1, 2 * SECOND, 2 * SECOND + 100 * MS, BLOCKING),
    )
    assert fed.stalls.stalls == 3
    assert fed.stalls.by_place == {
        ("app.py:3", PYTHON): 1,
        ("app.py:3", BLOCKING): 1,
        ("a callback", BLOCKING): 1,
    }
    assert fed.stalls.callback_at(1, 190 * MS, 300 * MS) == outer, "the second look made it longer"
    assert fed.stalls.callback_at(1, 150 * MS, 2 * SECOND) == inner, "the one that held it longer"
    assert fed.stalls.callback_at(1, 2 * SECOND, 3 * SECOND) is None
    assert fed.stalls.callback_at(2, 0, SECOND) is None


def test_what_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Duration, place, function, cause, stack; once per place and minute."""
    stack = (frame("serve", line=1), frame("handler"))
    fed = Fed().feed(birth(1), look(1, 0, 0, 100 * MS, BLOCKING, stack), long(1, duration=312 * MS))
    with caplog.at_level(logging.WARNING, "loopscope"):
        fed.stalls.tick(400 * MS)
        assert caplog.messages == [], "a look may be on its way"
        fed.stalls.tick(600 * MS)
        assert caplog.messages == [
            "loopscope: handler held the event loop for 0.312 s at app.py:3"
            " (a blocking call: the thread mostly waited):\n"
            '  File "app.py", line 1, in serve\n  File "app.py", line 3, in handler'
        ]
        for index in (1, 2, 3):
            start = index * 25 * SECOND
            fed.feed(look(1, index, start, start + 100 * MS, PYTHON, stack), long(1, index, start))
        fed.stalls.tick(0, final=True)
    assert len(caplog.messages) == 2, "at 75 s again"
    assert fed.stalls.stalls == 4
    assert fed.stalls.by_place == {("app.py:3", BLOCKING): 1, ("app.py:3", PYTHON): 3}


def test_what_is_logged_without_a_stack(caplog: pytest.LogCaptureFixture) -> None:
    """The step's function; one that is no text does no harm."""
    fed = Fed().feed(birth(1, qualname="work"), long(1))
    with caplog.at_level(logging.WARNING, "loopscope"):
        fed.stalls.tick(0, final=True)
    assert caplog.messages == ["loopscope: app.work held the event loop for 0.150 s (cause unknown)"]
    assert fed.stalls.by_place == {("app.work", UNKNOWN): 1}

    class Bad(str):
        def __str__(self) -> str:
            raise ValueError("theirs")

    fed = Fed().feed(birth(1), long(1))
    fed.told.lives[0].place.qualname = Bad("bad")
    fed.stalls.tick(0, final=True)
    assert fed.stalls.stalls == 1


def test_one_that_lasts_is_told_while_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    """And not again at its end."""
    stack = (frame(),)
    with caplog.at_level(logging.WARNING, "loopscope"):
        fed = Fed().feed(birth(1), look(1, 0, 0, 9 * SECOND, BLOCKING, stack))
        assert caplog.messages == []
        fed.feed(look(1, 0, 0, 11 * SECOND, BLOCKING, stack), look(1, 0, 0, 22 * SECOND, BLOCKING, stack))
        assert [line.splitlines()[0] for line in caplog.messages] == [
            "loopscope: handler has held the event loop for 11.000 s at app.py:3"
            " (a blocking call: the thread mostly waited):"
        ]
        fed.feed(long(1, duration=200 * SECOND))
        fed.stalls.tick(0, final=True)
    assert (len(caplog.messages), fed.stalls.stalls) == (1, 1)


def test_memory_is_bounded() -> None:
    """Looks that no step takes, places, threads."""
    fed = Fed()
    for number in range(1000):
        fed.feed(look(number + 1, 0, 0, 100 * MS, thread=number))
        fed.feed(look(0, -1, 0, 100 * MS, PYTHON, (frame(file=f"{number}.py"),), thread=number))
        fed.feed(look(-1, -1, 0, 100 * MS))
    stalls = fed.stalls
    assert len(stalls.by_place) == PLACES + 1
    assert stalls.by_place[OTHER, PYTHON] == 1000 - PLACES
    assert stalls.stalls == 1000
    assert len(stalls._looks) == module._WAITING
    assert len(stalls._threads) <= module._THREADS
    assert len(stalls._thread(1).missed) <= module._KEPT


def test_events() -> None:
    """One a look; one with no stack for a stall that nobody saw; none for other steps."""
    fed = Fed().feed(
        birth(1),
        look(1, 0, 0, 100 * MS, BLOCKING, (frame(),)), look(1, 0, 0, 200 * MS, None), long(1, duration=250 * MS),
        long(1, 1, SECOND),
        step(1, 2, 2 * SECOND, 2 * SECOND, 2 * SECOND + MS),
    )  # fmt: skip
    assert [events(step) for step in fed.steps] == [
        [
            (
                100 * MS,
                [
                    ("asyncio.stall.cause", BLOCKING),
                    ("asyncio.stall.held", 0.1),
                    ("code.stacktrace", '  File "app.py", line 3, in handler\n'),
                ],
            ),
            (200 * MS, [("asyncio.stall.held", 0.2)]),
        ],
        [(SECOND + 150 * MS, [("asyncio.stall.held", 0.15)])],
        [],
    ]


def test_stacks_as_text(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As a traceback shows them, with the source where it can be read."""
    path = tmp_path_factory.mktemp("source") / "theirs.py"
    path.write_text("def f():\n    pass\n\n    return 1\n")
    here, nul = frame("f", str(path), 4), frame("f", "no\udcff.py", 4)
    assert stack_text([here, nul, frame("g", str(path), 99)]) == (
        f'  File "{path}", line 4, in f\n    return 1\n'
        '  File "no\udcff.py", line 4, in f\n'
        f'  File "{path}", line 99, in g\n'
    )


def test_the_innermost_frame_of_the_application() -> None:
    """Else the outermost; none of an empty stack."""
    theirs, library, standard = frame(), frame(file="/x/site-packages/lib.py"), frame(file="<frozen runpy>")
    assert innermost((theirs, frame("inner"), library, standard)) == frame("inner")
    assert innermost((library, standard)) is library
    assert innermost(()) is None
