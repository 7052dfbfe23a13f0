"""The plain picture of a hand-made timeline, against a written drawing."""

from __future__ import annotations

from loopscope.recording.timeline import StepBar, TaskLane, Timeline, TraceTimeline
from loopscope.views.lanes import draw

MS = 1_000_000


def bar(name: str, index: int, start: int, end: int, ready: int = 0, **more: str) -> StepBar:
    """A step; times in milliseconds."""
    said = {"outcome": "suspended", "awaiting": "asyncio.sleep", "waker": "timer", "place": "/a/app.py:7", **more}
    return StepBar(name, index, 1, start * MS, end * MS, ready * MS, thread=1, **said)  # type: ignore[arg-type]


DRAWING = """\
trace abababababababababababababababab  100 ms
  thread      #########                       #################               ################
  main Task-1 #########.......................................................################
  child Task-2    ................============#################

  main Task-1: returned after 100 ms, 2 steps: running 30.0 ms, ready 0.00 ms, waiting 70.0 ms
  child Task-2: returned after 55.0 ms, 1 steps: running 20.0 ms, ready 15.0 ms, waiting 20.0 ms

        at    ready      ran  step                     woken by           then
   0.00 ms  0.00 ms  10.0 ms  Task-1 main 0            start              suspended asyncio.sle…
   40.0 ms  15.0 ms  20.0 ms  Task-2 child 0           start main         suspended asyncio.sle…
   80.0 ms  0.00 ms  20.0 ms  Task-1 main 1            timer              returned  app.py:7

# running  = ready, waits for the thread  . waiting
"""


def test_written_drawing() -> None:
    first = TaskLane(1, "Task-1", "main", 0, 100 * MS, "returned", 30 * MS, 0, 70 * MS, "MainThread", count=2)
    first.steps = [bar("main", 0, 0, 10, waker="start"), bar("main", 1, 80, 100, outcome="returned", awaiting="")]
    second = TaskLane(
        2, "Task-2", "child", 5 * MS, 60 * MS, "returned", 20 * MS, 15 * MS, 20 * MS, "MainThread", count=1
    )
    second.steps = [bar("child", 0, 40, 60, ready=15, waker="start main")]
    drawing = draw(Timeline([TraceTimeline("ab" * 16, 0, 100 * MS, [first, second])]), width=96, plain=True)
    assert [line.rstrip() for line in drawing.splitlines()] == DRAWING.splitlines()


def test_nothing() -> None:
    assert draw(Timeline([])) == "Nothing was recorded: no task took a step.\n"
