"""Timelines made by hand: a little builder, the seed program's drawing, a service with a culprit, crowds, a hostile one."""

from __future__ import annotations

import itertools
from typing import Any

from loopscope.recording.timeline import (
    DELAYED_BY,
    WOKEN_BY,
    Delay,
    Edge,
    Foreign,
    Printed,
    Process,
    Stall,
    Step,
    StepKey,
    Task,
    TaskKey,
    Timeline,
)

MS = 1_000_000
#: 2026-01-02 03:04:05 UTC
BASE = 1_767_323_045 * 1_000_000_000
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Builder:
    """Milliseconds from BASE in, a Timeline out; a task's sums follow from its steps."""

    def __init__(self, service: str = "app", pid: int = 4242, thread: str = "MainThread") -> None:
        self.timeline = Timeline(processes={"p": Process("p", service, pid, "host")}, trace_ids=[TRACE])
        self._thread = thread
        self._spans = itertools.count(1)

    def task(
        self, number: int, qualname: str, name: str = "", start: float = 0, end: float | None = None, creator: int = 0,
        state: str = "returned", thread: int = 1, thread_name: str = "", **more: Any,
    ) -> TaskKey:  # fmt: skip
        """A task; without an `end` it ends with its last step."""
        key = ("p", number)
        ended = ns(start if end is None else end)
        self.timeline.tasks[key] = Task(
            key, name or f"Task-{number}", qualname, ns(start), ended, state, 0, 0, 0, 0, thread,
            thread_name or self._thread, 1, f"app.{qualname}", more.pop("place", f"/srv/app.py:{10 * number}"), creator,
            spans=[(TRACE, f"{0xA000 + number:016x}")], **more,
        )  # fmt: skip
        return key

    def step(
        self, task: TaskKey, start: float, end: float, ready: float | None = None, waker: str = "timer", awaiting: str = "",
        outcome: str = "suspended", count: int = 1, running: float | None = None, by: StepKey | None = None,
        delay: Delay | None = None, behind: StepKey | None = None, stalls: tuple[Stall, ...] = (), **more: Any,
    ) -> StepKey:  # fmt: skip
        """A step; `by` is who woke it, `behind` who delayed it."""
        owner = self.timeline.tasks[task]
        since = start if ready is None else ready
        index = owner.steps
        step = Step(
            task, index, count, owner.qualname, owner.thread, 1, ns(since), ns(start), ns(end),
            round((end - start if running is None else running) * MS), round((start - since) * MS), outcome, awaiting,
            function=owner.function, place=more.pop("place", owner.place), waker_kind=waker, delay=delay,
            stalls=list(stalls), trace_id=TRACE, span_id=f"{next(self._spans):016x}", **more,
        )  # fmt: skip
        self.timeline.steps.append(step)
        owner.steps += count
        owner.running += step.running
        owner.ready += step.ready_duration
        owner.end = max(owner.end, step.end)
        owner.waiting = owner.end - owner.start - owner.running - owner.ready
        key = (task, index)
        if by:
            self.timeline.edges.append(Edge(WOKEN_BY, by, key))
        if behind:
            self.timeline.edges.append(Edge(DELAYED_BY, behind, key))
        return key

    def printed(self, time: float, text: str, step: StepKey | None = None, stream: str = "stdout") -> None:
        """A line at its moment."""
        self.timeline.printed.append(
            Printed(ns(time), stream, text, step[0] if step else None, step[1] if step else -1)
        )

    def foreign(self, name: str, start: float, end: float, task: TaskKey | None, kind: str = "SERVER", error: str = "", service: str = "app") -> None:  # fmt: skip
        """Somebody else's span."""
        span = f"{0xF000 + len(self.timeline.foreign):016x}"
        self.timeline.foreign.append(Foreign(name, ns(start), ns(end), task, service, kind, error, TRACE, span, ""))

    def done(self) -> Timeline:
        """The timeline, its steps and tasks in order."""
        self.timeline.steps.sort(key=lambda step: step.start)
        self.timeline.tasks = dict(sorted(self.timeline.tasks.items(), key=lambda item: item[1].start))
        return self.timeline


def ns(milliseconds: float) -> int:
    """Unix nanoseconds."""
    return BASE + round(milliseconds * MS)


#: what one asyncio.run of the seed prints, by who prints it
SEED_PRINTED = [
    "main1", "create task1", "create task2", "enter task1", "enter task2", "continue task2", "continue task1",
    "finish task2", "hello", "finish task1", "all done task1 done task2 done",
]  # fmt: skip
#: the thread's order, as the lane says it
SEED_THREAD = [
    "main 0 · task1 0 · task2 0",
    "task2 1",
    "task1 1 · task2 2 · main 1",
    "task1 2 · main 2",
]


def seed(builder: Builder | None = None) -> Timeline:
    """One `asyncio.run` of the seed program, as SPEC draws it; its model_gen tasks are named task1 and task2."""
    b = builder or Builder("seed")
    main, task1, task2 = (
        b.task(1, "main", place="/srv/seed.py:6"),
        b.task(2, "model_gen", "task1", start=0.11, creator=1, place="/srv/seed.py:2"),
        b.task(3, "model_gen", "task2", start=0.16, creator=1, place="/srv/seed.py:2"),
    )
    main0 = b.step(main, 0.05, 0.25, waker="start", awaiting="task model_gen")
    first1 = b.step(task1, 0.27, 0.31, ready=0.11, waker="start", awaiting="asyncio.sleep", by=main0)
    first2 = b.step(task2, 0.33, 0.36, ready=0.16, waker="start", awaiting="asyncio.sleep", by=main0)
    next2 = b.step(task2, 2000.5, 2000.6, ready=2000.36, awaiting="asyncio.sleep")
    next1 = b.step(task1, 4000.4, 4000.5, ready=4000.31, awaiting="asyncio.sleep")
    last2 = b.step(task2, 4000.7, 4000.8, ready=4000.6, outcome="returned")
    main1 = b.step(main, 4000.9, 4001.0, ready=4000.8, waker="task", waker_name="model_gen", awaiting="task model_gen", by=last2)  # fmt: skip
    last1 = b.step(task1, 8000.6, 8000.7, ready=8000.5, outcome="returned")
    main2 = b.step(main, 8000.8, 8000.9, ready=8000.7, waker="task", waker_name="model_gen", outcome="returned", by=last1)  # fmt: skip
    who = [main0, main0, main0, first1, first2, next2, next1, last2, main1, last1, main2]
    times = [0.06, 0.12, 0.17, 0.28, 0.34, 2000.51, 4000.41, 4000.71, 4000.91, 8000.61, 8000.81]
    for time, text, step in zip(times, SEED_PRINTED, who, strict=True):
        b.printed(time, text, step)
    return b.done()


STACK = 'File "/srv/shop/reports.py", line 88, in parse_report\n    rows = [parse(line) for line in body.splitlines()]\nFile "/srv/shop/reports.py", line 41, in parse\n    return Decimal(fields[3])'


def service() -> Timeline:
    """A small service: `parse_report` holds the thread for 150 ms while three requests are ready; known critical path.

    `fetch_order` (task 2) lives 812 ms: 40 running, 610 waiting for timer and I/O, 150 ready behind parse_report, and
    12 in `load_price`, which wakes it.
    """
    b = Builder("shop")
    b.task(1, "Server.serve", end=900, state="waiting", place="/srv/shop/server.py:20", awaiting="asyncio.Event.wait")
    serve = ("p", 1)
    order = b.task(2, "fetch_order", creator=1, start=0, place="/srv/shop/orders.py:12")
    price = b.task(3, "load_price", creator=2, start=20, place="/srv/shop/prices.py:7")
    report = b.task(4, "parse_report", creator=1, start=395, place="/srv/shop/reports.py:80")
    stock = b.task(5, "check_stock", creator=1, start=380, place="/srv/shop/stock.py:5")
    mail = b.task(6, "send_mail", creator=1, start=390, place="/srv/shop/mail.py:9")
    b.step(serve, 0, 0, waker="start", awaiting="asyncio.Event.wait")
    o0 = b.step(order, 0, 20, waker="start", awaiting="task load_price", place="/srv/shop/orders.py:15")
    b.step(price, 20, 30, ready=20, waker="start", awaiting="asyncio.sleep", by=o0)
    p1 = b.step(price, 330, 332, ready=330, outcome="returned")
    o1 = b.step(order, 332, 342, ready=332, waker="task", waker_name="load_price", awaiting="Connection.fetch", by=p1, place="/srv/shop/orders.py:19")  # fmt: skip
    b.step(stock, 380, 384, waker="start", awaiting="asyncio.sleep")
    b.step(mail, 390, 392, waker="start", awaiting="StreamReader.read")
    b.step(report, 395, 400, waker="start", awaiting="StreamReader.read")
    r1 = b.step(report, 652, 802, ready=651, waker="io", awaiting="asyncio.sleep", stalls=(Stall(ns(757), "busy: running Python code", 105 * MS, STACK),), delayed_count=3, delayed_duration=430 * MS, place="/srv/shop/reports.py:88")  # fmt: skip
    o2 = b.step(order, 802, 812, ready=652, waker="io", behind=r1, delay=Delay("parse_report", 150 * MS, "Task-4", 1, "shop.reports.parse_report", "/srv/shop/reports.py:88"), outcome="returned", place="/srv/shop/orders.py:22")  # fmt: skip
    b.step(stock, 813, 816, ready=662, behind=r1, delay=Delay("parse_report", 140 * MS, "Task-4", 1, "", "/srv/shop/reports.py:88"), outcome="returned")  # fmt: skip
    b.step(mail, 817, 819, ready=662, waker="io", behind=r1, delay=Delay("parse_report", 140 * MS, "Task-4", 1, "", "/srv/shop/reports.py:88"), outcome="raised", error="smtplib.SMTPServerDisconnected")  # fmt: skip
    b.step(report, 850, 851, ready=850, outcome="returned")
    b.foreign("GET /orders/{id}", 0, 812, order)
    b.foreign("SELECT price", 31, 329, price, "CLIENT")
    b.foreign("SELECT order", 343, 650, order, "CLIENT")
    b.foreign("POST /reports", 396, 851, report)
    b.foreign("SMTP send", 393, 818, mail, "CLIENT", "SMTPServerDisconnected")
    b.printed(345, "order 17: price 9.90", o1)
    b.printed(652.5, "report of 40,000 lines", r1)
    b.printed(811, "order 17 sent", o2)
    b.printed(818, "mail server hung up", None, "stderr")
    b.timeline.missing.append("3 spans were dropped by the exporter")
    return b.done()


def crowd(steps: int, tasks: int = 200) -> Timeline:
    """So many short steps, round robin over so many tasks of four functions, each waking the next; some delayed."""
    b = Builder("crowd")
    kinds = ("handle", "poll", "flush", "render")
    keys = [b.task(number + 1, kinds[number % 4], start=0.001 * number) for number in range(tasks)]
    last: StepKey | None = None
    for number in range(steps):
        start = tasks * 0.001 + number * 0.05
        held = 0.03 + 0.01 * (number % 2)
        key = keys[number % tasks]
        slow = number % 1000 == 999
        delay = Delay("handle", 20_000, "Task-1") if slow else None
        last = b.step(key, start, start + held, ready=start - (0.4 if slow else 0.004), awaiting="asyncio.Queue.get", by=last, waker="task", behind=last if slow else None, delay=delay)  # fmt: skip
    return b.done()


HOSTILE = {
    "script": "</script><script>window.hacked = 1</script>",
    "image": "<img src=x onerror='window.hacked = 2'>",
    "comment": "<!--<script>",
    "emoji": "загрузка 🚀👩‍💻 取得",
    "long": "n" * 10_000,
    "override": "abc\u202egpj.exe\u202c",
    "arabic": "جلب البيانات",
    "control": "a\x00b\x1b[31mc\r\nd\u2028e\x9f",
    "surrogate": "lone \ud800 half",
    "template": "{{script}} ${window.hacked = 3} &lt;b&gt;",
    "proto": "__proto__",
}


def hostile() -> Timeline:
    """Every text that there is, in every place where a text can stand."""
    b = Builder(HOSTILE["script"], thread=HOSTILE["image"])
    previous: StepKey | None = None
    for number, text in enumerate(HOSTILE.values(), 1):
        key = b.task(
            number, text, text, start=number, thread_name=text, place=f"{text}:1", error=text, awaiting=text, cancel={text: text}
        )  # fmt: skip
        previous = b.step(
            key, number, number + 0.4, ready=number - 0.5, waker="task", awaiting=text, outcome=text, by=previous,
            behind=previous, delay=Delay(text, 400_000, text, 1, text, text), stalls=(Stall(ns(number + 0.2), text, 100, text),),
            place=text, waker_name=text, waker_task=text, error=text, details={text: text}, delayed_count=1, delayed_duration=1000,
        )  # fmt: skip
        b.foreign(text, number, number + 0.3, key, text, text, text)
        b.foreign(text, number, number + 0.3, None, text, text, text)
        b.printed(number + 0.1, text, previous)
    b.timeline.missing.extend(HOSTILE.values())
    b.timeline.trace_ids.append(HOSTILE["script"])
    return b.done()
