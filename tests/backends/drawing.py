"""The drawing that the project began from: the program examples/seed.py, and all that its spans must tell.

Its seconds are a tenth of the drawing's.
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from loopscope import __version__
from tests.ground.spans import Span
from tests.processes.program import ROOT
from tests.support import Story, check_sums

SEED = (ROOT / "examples" / "seed.py").read_text()

#: what one `asyncio.run` prints
PRINTED = """
create task1, create task2, enter task1, enter task2, continue task2, continue task1, finish task2, hello,
finish task1, all done task1 done task2 done
"""

#: parent, state and creator of each task, by start
TASKS = [
    "main: returned, 3 steps",
    "task1: returned, 3 steps, under main, by main",
    "task2: returned, 3 steps, under main, by main",
]

#: the thread's order: who ran, woken by whom, awaiting what in which line of his own
STEPS = [
    "main 0: start > suspended, task model_gen at 'result2 = await task2'",
    "task1 0: start by main > suspended, asyncio.sleep at 'enter'",
    "task2 0: start by main > suspended, asyncio.sleep at 'enter'",
    "task2 1: timer > suspended, asyncio.sleep at 'continue'",
    "task1 1: timer > suspended, asyncio.sleep at 'continue'",
    "task2 2: timer > returned",
    "main 1: task by task2 > suspended, task model_gen at 'result1 = await task1'",
    "task1 2: timer > returned",
    "main 2: task by task1 > returned",
]
LINKS = ["task1 0 < main 0", "task2 0 < main 0", "main 1 < task2 2", "main 2 < task1 2"]

#: seconds that each task waits for its timers
WAITING = {"task1": 0.8, "task2": 0.4}


def seed(folder: Path, loop: str) -> Path:
    """The program, run by `asyncio.run` or `uvloop.run`."""
    text = SEED.replace("asyncio.run(", f"{loop}.run(").replace("import asyncio\n", "import asyncio, uvloop\n")
    path = folder / "seed.py"
    path.write_text(text)
    return path


def run(path: Path, environment: dict[str, str], python: str, service: str) -> None:
    """Run it in an environment where the wheel is installed; it prints what it prints without loopscope."""
    environment = {**environment, "OTEL_SERVICE_NAME": service}
    ended = subprocess.run([python, path], env=environment, capture_output=True, text=True, timeout=30, check=False)
    once = PRINTED.strip().replace("\n", " ").split(", ")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == ["main1", *once, "main2", *once]


def assert_drawing(spans: Sequence[Span], path: Path, service: str) -> None:
    """Two traces, each with everything that the drawing shows."""
    assert len(spans) == 24
    assert {span.resource["service.name"] for span in spans} == {service}
    assert {(span.scope_name, span.scope_version) for span in spans} == {("loopscope", __version__)}
    assert {(span.kind, span.status_code) for span in spans} == {("INTERNAL", "UNSET")}
    traces = {span.trace_id: None for span in sorted(spans, key=lambda span: span.start)}
    first, second = (Trace([span for span in spans if span.trace_id == each], path) for each in traces)
    assert first.story.spans[-1].end <= second.story.spans[0].start
    for trace in (first, second):
        assert [trace.task(span) for span in trace.story.tasks] == TASKS
        assert [trace.step(span) for span in trace.story.steps] == STEPS
        assert trace.links() == LINKS
        trace.assert_durations()


class Trace:
    """One trace, its tasks called main, task1 and task2 by their start."""

    def __init__(self, spans: list[Span], path: Path) -> None:
        self.story = Story(spans)
        self._lines = path.read_text().splitlines()
        self._path = str(path)
        assert [span.name for span in self.story.tasks] == ["task main", "task model_gen", "task model_gen"]
        self.names = dict(zip((span.span_id for span in self.story.tasks), ("main", "task1", "task2"), strict=True))
        self._of_task = {span.attributes["asyncio.task.name"]: self.names[span.span_id] for span in self.story.tasks}

    def task(self, span: Span) -> str:
        """A task span in one line."""
        a = span.attributes
        words = [f"{self.names[span.span_id]}: {a['asyncio.task.state']}", f"{a['asyncio.task.step.count']} steps"]
        if span.parent_id:
            words += [f"under {self.names[span.parent_id]}", f"by {self._of_task[a['asyncio.task.creator.name']]}"]
        function = span.name.removeprefix("task ")
        assert (a["code.function.name"], a["code.file.path"]) == (f"__main__.{function}", self._path)
        assert self._lines[a["code.line.number"] - 1].startswith(f"async def {function}(")
        return ", ".join(words)

    def step(self, span: Span) -> str:
        """A step span in one line."""
        a = span.attributes
        assert span.name.removeprefix("step ") == self._function(span)
        text = f"{self._name(span)}: {a['asyncio.step.waker.kind']}"
        if "asyncio.step.waker.task" in a:
            text += f" by {self._of_task[a['asyncio.step.waker.task']]}"
        text += f" > {a['asyncio.step.outcome']}"
        if "asyncio.step.awaiting" in a:
            text += f", {a['asyncio.step.awaiting']} at {self._place(span)!r}"
        return text

    def links(self) -> list[str]:
        """`woken step < waking step`, in the thread's order."""
        steps = {span.span_id: span for span in self.story.steps}
        found = [(step, link) for step in self.story.steps for link in step.links]
        woken = [(step, link) for step, link in found if link.attributes == {"asyncio.link": "woken_by"}]
        return [f"{self._name(step)} < {self._name(steps[link.span_id])}" for step, link in woken]

    def assert_durations(self) -> None:
        """Running, ready and waiting add up; no two steps overlap; a timer's wait is as long as was asked for."""
        check_sums(self.story)
        steps = self.story.steps
        assert len({span.attributes["thread.id"] for span in steps}) == 1
        assert all(one.start <= one.end <= other.start for one, other in itertools.pairwise(steps))
        for task in self.story.tasks:
            a, own = task.attributes, self.story.steps_of(task)
            running = sum(span.end - span.start for span in own) / 1e9
            ready = sum(span.attributes["asyncio.step.ready.duration"] for span in own)
            assert a["asyncio.task.running.duration"] == pytest.approx(running, abs=1e-6)
            assert a["asyncio.task.ready.duration"] == pytest.approx(ready, abs=1e-6)
            asked = WAITING.get(self.names[task.span_id])
            if asked is not None:  # it counts from inside of a step, and a loop's clock may tick in milliseconds
                assert a["asyncio.task.waiting.duration"] == pytest.approx(asked, abs=running + 0.005)

    def _name(self, step: Span) -> str:
        return f"{self.names[step.parent_id]} {step.attributes['asyncio.step.index']}"

    def _function(self, step: Span) -> str:
        (task,) = (span for span in self.story.tasks if span.span_id == step.parent_id)
        return task.name.removeprefix("task ")

    def _place(self, step: Span) -> str:
        """The first words of the line where it suspended."""
        a = step.attributes
        assert (a["code.function.name"], a["code.file.path"]) == (f"__main__.{self._function(step)}", self._path)
        text: str = self._lines[a["code.line.number"] - 1].strip()
        end = " " if text.startswith("print") else ";"
        return text.removeprefix('print("').partition(end)[0]
