"""MAX_SPANS_PER_SECOND: detail goes down in the order that costs users least, comes back, and totals stay exact."""

from __future__ import annotations

from collections import Counter
from itertools import count, pairwise

from loopscope import conventions as c
from loopscope.model import BARE, COALESCED, FULL, REQUESTS, UNTOLD, Record
from loopscope.pipeline.spans.budget import BUFFER, CALM, CPU, RATE, Budget
from loopscope.pipeline.spans.span import Span
from loopscope.pipeline.spans.visit import Caps
from tests.records import MS, OWN_TRACE, SECOND, Cold, Identity, adds_up, birth, said, span_start, step

US = 1_000
#: spans a second
BUDGET = 100
CAPS = Caps(2_000, 15_000, MS, 10 * MS, hold=MS)


def cold() -> Cold:
    """With a budget, and nothing else in the way."""
    return Cold(CAPS, rate=BUDGET)


def at(level: int) -> Cold:
    """At a level of detail, with the bucket as empty as that."""
    made = cold()
    time = count(1)
    while made.budget.level < level:
        made.budget.spend(next(time))
    return made


def steps(task: int, start: int, many: int, apart: int = MS, ends: bool = True, **said: object) -> list[Record]:
    """Fast steps of one task, undelayed; the last one ends it."""
    return [
        step(task, index, ready := start + index * apart, ready + US, ready + 2 * US,
             "returned" if ends and index == many - 1 else None, **said)
        for index in range(many)
    ]  # fmt: skip


def names(spans: list[Span]) -> Counter[str]:
    """How many spans of each name."""
    return Counter(span.name for span in spans)


def level_of(span: Span) -> int:
    """The level of detail that a task span tells of."""
    told = said(span, "loopscope.detail.level")
    return 0 if told is None else int(told)


# ---------------------------------------------------------------- the bucket


def test_ten_seconds_worth_go_out_at_once() -> None:
    """A burst of that size costs nothing."""
    budget = Budget(BUDGET)
    for _ in range(10 * BUDGET):
        budget.spend(SECOND)
    assert budget.level == FULL and budget.changes == {}
    budget.spend(SECOND)
    assert budget.level == COALESCED and budget.changes == {RATE: {COALESCED: 1}}


def test_the_rate_itself_goes_on_for_ever() -> None:
    budget = Budget(BUDGET)
    for number in range(100 * BUDGET):
        budget.spend(number * SECOND // BUDGET)
        budget.look(number * SECOND // BUDGET, 0)
    assert budget.changes == {}


def test_level_by_level() -> None:
    """Each costs a second's worth more."""
    budget, seen = Budget(BUDGET), [FULL]
    for number in range(20 * BUDGET):
        budget.spend(SECOND)
        if budget.level != seen[-1]:
            seen.append(budget.level)
            assert number == (10 + len(seen) - 2) * BUDGET, "the first at once, the next each a second's worth later"
    assert seen == [FULL, COALESCED, BARE, UNTOLD, REQUESTS]


def test_detail_comes_back() -> None:
    """A level at a time, once a second's worth is there again; however large the flood was."""
    budget = Budget(BUDGET)
    for _ in range(1000 * BUDGET):
        budget.spend(SECOND)
    times = []
    for tenth in range(10, 300):
        before = budget.level
        budget.look(tenth * SECOND // 10, 0)
        if budget.level != before:
            assert budget.level == before - 1
            times.append(tenth / 10)
    assert budget.level == FULL and len(times) == 4
    assert times[0] == 7.0, "five seconds' worth were owed, one had to be there"
    assert [round(later - earlier, 1) for earlier, later in pairwise(times)] == [1, 1, 1]


def test_each_relapse_waits_longer() -> None:
    """Else a steady flood would be told in a flicker of levels."""
    budget, changed, level = Budget(BUDGET), [], FULL
    for tick in range(200 * 50):
        time = SECOND + tick * SECOND // 50
        budget.look(time, 0)
        for _ in range(20 if budget.level == FULL else 0):  # ten times as many as may be, until they share spans
            budget.spend(time)
        if budget.level != level:
            level = budget.level
            if level == FULL:
                changed.append(time)
    apart = [(later - earlier) // SECOND for earlier, later in pairwise(changed)]
    assert apart == sorted(apart) and apart[-1] >= 30, apart
    assert len(changed) < 10


def test_a_full_buffer() -> None:
    """The background thread cannot follow: it gets less to do."""
    made = cold()
    made.fill = 0.6
    made.tick(SECOND)
    assert made.budget.level == COALESCED and made.budget.changes == {BUFFER: {COALESCED: 1}}
    made.tick(2 * SECOND - SECOND // 5)
    assert made.budget.level == COALESCED, "a second later at the earliest"
    for seconds in range(2, 6):
        made.tick(seconds * SECOND)
        assert made.budget.level == BARE
    made.fill = 0.1
    for tenth in range(60, 100):
        made.tick(tenth * SECOND // 10)
    assert made.budget.level == FULL and made.budget.changes[CALM] == {COALESCED: 1, FULL: 1}


def test_too_much_processor_time() -> None:
    """A minute's worth at once is nothing; then detail goes down, as for a full buffer, and comes back."""
    budget, levels = Budget(BUDGET, 0.05), []
    for tenth in range(600):
        budget.look(SECOND + tenth * SECOND // 10, 0, 20 * MS)  # four times the share
        levels.append(budget.level)
    assert [levels.index(level) / 10 for level in (COALESCED, BARE)] == [19.9, 20.9]
    assert budget.level == BARE and budget.changes == {CPU: {COALESCED: 1, BARE: 1}}
    for tenth in range(600, 1200):
        budget.look(SECOND + tenth * SECOND // 10, 0, 1 * MS)
    assert budget.level == FULL and budget.changes[CALM] == {COALESCED: 1, FULL: 1}


def test_the_share_itself_goes_on_for_ever() -> None:
    budget = Budget(BUDGET, 0.05)
    for tenth in range(20_000):
        budget.look(SECOND + tenth * SECOND // 10, 0, 5 * MS)
    assert budget.changes == {}


# ---------------------------------------------------------------- what each level tells


def test_all() -> None:
    made = cold().feed(birth(1, 0, "work"), *steps(1, 0, 5))
    assert names(made.spans) == {"step work": 5, "task work": 1}
    assert level_of(made.tasks[0]) == FULL and made.tasks[0].events is None


def test_fast_steps_share_spans() -> None:
    """But the first and the last; sums are exact."""
    made = at(COALESCED).feed(birth(1, 0, "work"), *steps(1, SECOND, 50))
    assert names(made.spans) == {"step work": 2, "steps work": 1, "task work": 1}
    (group,) = [span for span in made.steps if span.name == "steps work"]
    assert said(group, "asyncio.step.count") == 48
    assert said(group, "asyncio.step.running.duration") == 48 / 1e6
    (task,) = made.tasks
    assert said(task, "asyncio.task.step.count") == 50 and adds_up(task) and level_of(task) == COALESCED


def test_quick_tasks_without_steps() -> None:
    """Their task span says it all; others can be linked to it."""
    made = at(BARE).feed(
        birth(1, SECOND, "quick"), birth(2, SECOND, "waits"), *steps(1, SECOND, 5),
        step(2, 0, SECOND + 4 * MS, SECOND + 6 * MS, SECOND + 7 * MS, waker=1, waker_step=2),
    )  # fmt: skip
    assert names(made.spans) == {"task quick": 1}
    (task,) = made.tasks
    assert said(task, "asyncio.task.step.count") == 5 and adds_up(task) and level_of(task) == BARE
    assert made.tracer.steps.coalesced == 5
    made.finish(2 * SECOND)
    (woken,) = made.steps
    assert [link.span_id for link in woken.links or ()] == [task.span_id]


def test_a_task_that_takes_its_time_has_steps() -> None:
    made = at(BARE).feed(birth(1, 0, "slow"), *steps(1, SECOND, 5, apart=SECOND))
    assert names(made.steps)["steps slow"] >= 1 and level_of(made.tasks[0]) == BARE
    told = sum(said(span, "asyncio.step.count") or 1 for span in made.steps)
    assert told == 5


def test_quick_tasks_untold() -> None:
    """They are counted, and leave their room in the trace to others."""
    made = at(UNTOLD).feed(birth(1, 0, "main"), step(1, 0, SECOND, SECOND, SECOND + 2 * MS))
    for task in range(2, 102):
        made.feed(birth(task, SECOND, "quick", creator=1), *steps(task, SECOND, 3))
    assert names(made.tasks) == {} and made.lost == {"budget": 100}
    home = made.tracer.kin.lives[1].notes.home
    made.finish(2 * SECOND)
    assert names(made.tasks) == {"task main": 1}, "one that has a step worth telling"
    assert home.spans == len(made.spans) == 2


def test_a_task_that_lives_on_is_told() -> None:
    """Untold at first, told from the step that makes it a long one."""
    made = at(UNTOLD).feed(birth(1, 0, "server"), *steps(1, SECOND, 4, apart=SECOND, ends=False))
    made.finish(6 * SECOND)
    assert names(made.tasks) == {"task server": 1} and not made.lost
    assert said(made.tasks[0], "asyncio.task.step.count") == 4


def test_what_is_slow_delayed_or_failed_is_told_at_every_level() -> None:
    """Also under parents that were not to be told, also what may have delayed others."""
    wanted = {
        "slow": dict(ready=0, start=0, end=20 * MS), "harmful": dict(ready=0, start=0, end=MS),
        "late": dict(ready=0, start=2 * MS, end=3 * MS), "failed": dict(ready=0, start=0, end=US),
    }  # fmt: skip
    for level in (COALESCED, BARE, UNTOLD, REQUESTS):
        made = at(level).feed(birth(1, SECOND, "parent"), *steps(1, SECOND, 3, ends=False))
        for task, (name, times) in enumerate(wanted.items(), 2):
            shifted = {key: SECOND + value for key, value in times.items()}
            failed = name == "failed"
            made.feed(
                birth(task, SECOND, name, creator=1),
                step(task, 0, SECOND, SECOND, SECOND + US),
                step(task, 1, **shifted, kind="raised" if failed else None, error="ValueError" if failed else None),
            )  # fmt: skip
        made.finish(2 * SECOND)
        assert {f"step {name}" for name in wanted} <= set(names(made.spans)), level
        ids = {span.span_id for span in made.spans}
        assert all(span.parent_id in ids for span in made.spans if span.parent_id), level


def test_requests_come_last() -> None:
    """Steps in a trace of the application are touched by the last level alone, and its tasks never left out."""
    for level in (COALESCED, BARE, UNTOLD, REQUESTS):
        made = at(level)
        request = Identity(7, 8)
        made.feed(span_start(7, SECOND), birth(1, SECOND, "handler", span=request))
        made.feed(*steps(1, SECOND, 10, span=request)).finish(2 * SECOND)
        assert all(span.trace_id == 7 < OWN_TRACE for span in made.spans)
        coalesced = names(made.spans) == {"step handler": 2, "steps handler": 1, "task handler": 1}
        assert coalesced if level == REQUESTS else names(made.spans) == {"step handler": 10, "task handler": 1}


def test_each_change_is_an_event_of_the_tasks_that_were_open() -> None:
    made = cold().feed(birth(1, 0, "server"), *steps(1, 0, 3, ends=False))
    for _ in range(10 * BUDGET):
        made.budget.spend(5 * MS)
    made.feed(birth(2, 10 * MS, "later"), *steps(2, 10 * MS, 2)).finish(SECOND)
    told = {span.name: span.events for span in made.tasks}
    assert told["task later"] is None
    assert [(event.name, event.time, event.attributes) for event in told["task server"] or ()] == [
        (c.DETAIL, 5 * MS, [(c.DETAIL_LEVEL, COALESCED), (c.CAUSE, RATE)])
    ]
