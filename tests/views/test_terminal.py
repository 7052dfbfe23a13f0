"""The picture in a terminal: written drawings at several widths, hostile names, thousands of tasks."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from loopscope import conventions as c
from loopscope.recording.assembly import assemble
from loopscope.recording.spans import Event, Span, Spans
from loopscope.recording.timeline import Printed, Timeline
from loopscope.settings import wants_colour
from loopscope.views.terminal import Style, draw
from loopscope.views.terminal.text import columns, fit, pad
from tests.views.made import at, link, span, step, task
from tests.views.seed import seed

DRAWINGS = Path(__file__).parent / "drawings"


def made(*spans: Span) -> Timeline:
    """Their Timeline."""
    return assemble(Spans(list(spans)))


def busy() -> Timeline:
    """A culprit, two victims, a stall, a request, a pool's thread, coalesced steps, a failure, and a cut trace."""
    stack = 'File "/a/app.py", line 3, in parse_report\nFile "/lib/json/decoder.py", line 355, in raw_decode'
    behind = {c.DELAYED_BY_NAME: "parse_report", c.DELAYED_BY_TASK: "Task-1", c.DELAYED_BY_DURATION: 0.3}
    many = {c.STEP_INDEX: 1, c.STEP_COUNT: 900, c.STEP_RUNNING: 0.02, c.STEP_READY: 0.003, c.TASK_NAME: "Task-4"}
    return made(
        span("GET /report", 2, 395, kind="SERVER", scope="asgi"),
        task(1, "parse_report", 0, 400, 2, running=400),
        step(1, "parse_report", 0, 0, 390, said={c.DELAYED_COUNT: 2, c.DELAYED_DURATION: 0.58}, events=[
            Event(c.STALL, at(100), {c.STALL_CAUSE: "python", c.STALL_HELD: 0.1, c.CODE_STACKTRACE: stack}),
            Event(c.PRINTED, at(380), {c.PRINTED_STREAM: "stderr", c.PRINTED_TEXT: "slow!"})]),
        step(1, "parse_report", 1, 390, 400, said={c.STEP_OUTCOME: "returned", c.STEP_AWAITING: None}),
        task(2, "fetch_user", 0, 420, 1, running=20, ready=300),
        step(2, "fetch_user", 0, 400, 420, 300, said={**behind, c.STEP_OUTCOME: "returned", c.STEP_AWAITING: None},
             links=[link(c.DELAYED_BY, 1, 0)]),
        task(3, "fetch_user", 0, 430, 1, running=10, ready=310, state="raised", said={c.ERROR_TYPE: "ValueError"}),
        step(3, "fetch_user", 0, 420, 430, 310, said={**behind, c.STEP_OUTCOME: "raised", c.ERROR_TYPE: "ValueError"}),
        span("executor resize", 405, 700, {c.TASK_ID: 2}, parent=f"{2:016x}"),
        task(4, "poll", 430, 1000, 902, running=40),
        step(4, "poll", 0, 430, 440),
        span("steps poll", 440, 990, many, parent=f"{4:016x}"),
        step(4, "poll", 901, 990, 1000),
        task(5, "cut", 900, 1000, 4, parent="9" * 16),
    )  # fmt: skip


def drawn(timeline: Timeline, width: int, **style: bool) -> list[str]:
    """The lines of a drawing."""
    return draw(timeline, Style(width=width, **style)).splitlines()


@pytest.mark.parametrize("name", ["seed", "busy"])
@pytest.mark.parametrize("width", [40, 100, 160])
def test_written_drawings(name: str, width: int) -> None:
    timeline = made(*seed()) if name == "seed" else busy()
    expected = (DRAWINGS / f"{name}-{width}.txt").read_text(encoding="utf-8")
    assert drawn(timeline, width, plain=name == "busy") == expected.splitlines()


def test_nothing() -> None:
    assert draw(Timeline()) == "Nothing was recorded: no task took a step that was to be.\n"
    assert draw(Timeline(missing=["1 line could not be read"])).endswith("missing: 1 line could not be read\n")


def test_traces_apart_in_time_are_apart_in_the_picture() -> None:
    """Two runs one after the other: two pictures; a request within another task's trace: one picture."""
    other = "cd" * 16
    later = [task(11, "main", 500, 600, 1, trace=other), step(11, "main", 0, 500, 505, trace=other)]
    lines = drawn(made(task(1, "main", 0, 400, 1), step(1, "main", 0, 0, 5), *later), 100)
    assert [line for line in lines if line.startswith("trace ")] == [
        f"trace {'ab' * 16}  400 ms",
        f"trace {other}  100 ms",
    ]
    lines = drawn(made(task(1, "main", 0, 550, 1), step(1, "main", 0, 0, 5), *later), 100)
    assert lines[0] == f"2 traces  600 ms  {'ab' * 16}, {other}"
    within = task(12, "main", 10, 20, 0, trace="ef" * 16)
    lines = drawn(made(task(1, "main", 0, 550, 1), step(1, "main", 0, 0, 5), within, *later), 100)
    assert lines[0].startswith("3 traces  600 ms")
    same = task(1, "main", 700, 800, 1, trace=other, id="7" * 16)  # the same task, in another trace
    lines = drawn(made(task(1, "main", 0, 400, 1), step(1, "main", 0, 0, 5), same), 96)
    assert lines[0].startswith("2 traces  800 ms")
    assert lines[4] == "  a main Task-1 █" + "·" * 39 + " " * 30 + "·" * 10


def test_lines_that_no_step_printed() -> None:
    """They stand in the picture of their moment."""
    timeline = made(task(1, "main", 0, 100, 0), task(2, "main", 200, 300, 0, trace="cd" * 16))
    timeline.printed = [Printed(at(time), "stdout", f"at {time}", None, 0) for time in (50, 250, 400)]
    text = draw(timeline, Style())
    first, second = text.split("trace cdcd")
    assert "at 50" in first and "at 250" in second and "at 400" in second


def test_nested_steps_show_the_innermost() -> None:
    """An eager task's first step runs inside of its creator's: the thread is the inner one's meanwhile."""
    lines = drawn(
        made(task(1, "outer", 0, 100, 1), step(1, "outer", 0, 0, 100),
             task(2, "inner", 40, 60, 1), step(2, "inner", 0, 40, 60)), 117,
    )  # fmt: skip
    lane = next(line for line in lines if line.startswith("  MainThread"))
    assert lane.split()[1] == "a" * 40 + "b" * 20 + "a" * 40
    assert "held 100 % of the time" in lines[3]


@pytest.mark.parametrize(
    ("text", "wide", "cut"),
    [("plain", 5, "pla…"), ("e\u0301e\u0301e\u0301e\u0301e\u0301", 5, "e\u0301e\u0301e\u0301…"), ("界界界", 6, "界…")],
)
def test_columns(text: str, wide: int, cut: str) -> None:
    """Accents take none, ideographs two."""
    assert columns(text) == wide and fit(text, 4) == cut and columns(pad(text, 4)) == 4


HOSTILE = {
    "escape": "\x1b]0;owned\x07\x1b[2J\x1b[31mred",
    "lines": "a\r\nb\x00c\x85d\u2028e\tf",
    "c1": "\x9b31mred\x9d0;x\x9c",
    "right to left": "\u202eevil\u202c \u05d0\u05d1\u05d2 \u0627\u0644 \u2066x\u2069 \u200f",
    "long": "x" * 10_000,
    "wide": "界" * 5000,
    "accents": "e" + "\u0301" * 10_000,
    "surrogate": "\udc80\ud800",
    "emoji": "👩‍👩‍👧" * 50,
    "percent": "%s %d {0} {name}",
}


def hostile(name: str) -> Timeline:
    """A trace in which every text is that name."""
    texts = [value for key, value in vars(c).items() if key.isupper() and isinstance(value, str) and "." in value]
    numbers = {c.TASK_ID, c.STEP_INDEX, c.THREAD_ID, c.LOOP_ID, c.TASK_STEP_COUNT, c.STEP_READY, c.DELAYED_BY_DURATION}
    said = {key: name for key in texts if key not in numbers}
    events = [Event(c.STALL, at(1), {**said, c.STALL_HELD: 0.2}), Event(c.PRINTED, at(1), said)]
    more = {**said, c.DELAYED_BY_DURATION: 0.01, c.DELAYED_DURATION: 0.01, c.DELAYED_COUNT: 1}
    timeline = made(
        task(1, name, 0, 100, 2, said=said, resource={"service.name": name}),
        step(1, name, 0, 10, 50, 10, said=more, events=events, resource={"service.name": name}),
        step(2, name, 0, 60, 90, 10, said=more, links=[link(c.WOKEN_BY, 1, 0)]),
        span(name, 20, 30, {}, scope="other", status="ERROR", message=name, resource={"service.name": name}),
    )
    timeline.missing.append(name)
    return timeline


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("width", [1, 40, 71, 120, 300])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_never_reach_the_terminal(name: str, width: int, plain: bool) -> None:
    import unicodedata

    for colour in (False, True):
        text = draw(hostile(HOSTILE[name]), Style(width, colour, plain))
        text.encode("ascii" if plain else "utf-8")
        bare = re.sub(r"\x1b\[(?:0|1|2|3[0-9])m", "", text) if colour else text
        for line in bare.split("\n"):
            assert line.isprintable() and columns(line) <= max(width, 40), repr(line)
            assert not {unicodedata.bidirectional(letter) for letter in line} & {"R", "AL", "AN", "RLO", "RLI", "LRO"}
    assert len(text) < 60_000


def test_colour_only_repeats_what_marks_say() -> None:
    timeline = busy()
    coloured = draw(timeline, Style(colour=True))
    assert re.sub(r"\x1b\[\d+m", "", coloured) == draw(timeline, Style())
    assert "\x1b[32m██" in coloured and "\x1b[33m▒▒" in coloured and "\x1b[2m··" in coloured


@pytest.mark.parametrize(
    ("terminal", "environment", "wanted"),
    [
        (True, {}, True), (False, {}, False), (True, {"NO_COLOR": "1"}, False), (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True), (True, {"TERM": "dumb"}, False), (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)  # fmt: skip
def test_who_gets_colours(terminal: bool, environment: dict[str, str], wanted: bool) -> None:
    assert wants_colour(terminal, environment) is wanted


def crowd(count: int) -> Timeline:
    """Thousands of quick tasks of 40 kinds, one of which keeps the others waiting, and one that fails."""
    spans = []
    for number in range(1, count + 1):
        kind, start = f"kind{number % 40}", float(number)
        harm = {c.DELAYED_COUNT: 9, c.DELAYED_DURATION: 5.0} if number == 77 else {}
        state = {"state": "raised", "said": {c.ERROR_TYPE: "KeyError"}} if number == 99 else {}
        spans.append(task(number, kind, start, start + 40, 4, running=0.4, **state))
        spans += [
            step(number, kind, index, start + 10 * index, start + 10 * index + 0.1, said=harm) for index in range(4)
        ]
    return made(*spans)


def test_thousands_of_tasks() -> None:
    timeline = crowd(5000)
    assert len(timeline.steps) == 20_000
    began = time.process_time()
    lines = drawn(timeline, 120)
    assert time.process_time() - began < 5
    text = "\n".join(lines)
    assert len(lines) < 100 and all(len(line) <= 120 for line in lines)
    assert "kind37 Task-77" in text and "kind19 Task-99: raised KeyError" in text
    folded = [int(found) for found in re.findall(r"^    (\d+) x kind\d+ ", text, re.M)]
    rest = re.search(r"and (\d+) more tasks of (\d+) other kinds", text)
    assert rest is not None and len(folded) == 16 and sum(folded) + int(rest[1]) + 18 == 5000 and int(rest[2]) == 24
    assert re.search(r"most harmful steps\n +5000 ms  Task-77 kind37 \d", text)


def test_hundreds_of_traces() -> None:
    spans: list[Span] = []
    for number in range(1, 41):
        trace = f"{number:032x}"
        spans += [
            task(number, "job", number * 100, number * 100 + 50, 1, running=number, trace=trace),
            step(number, "job", 0, number * 100, number * 100 + number, trace=trace),
        ]
    lines = drawn(made(*spans), 80)
    shown = [int(line.split()[1], 16) for line in lines if line.startswith("trace ")]
    assert shown == list(range(29, 41)) and "... and 28 more traces, in which less happened" in lines
