"""Births of tasks: seen at the gate, or where a task may run its first step within its creation."""

from __future__ import annotations

from asyncio import iscoroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any

from loopscope.capture import coroutines, private
from loopscope.capture.life import GUARD, LIFE, Birth, Guard, Here, Life, enter, hang, hung_on
from loopscope.capture.stand_ins import How
from loopscope.model import BIRTH, GONE, START, Place, clock

if TYPE_CHECKING:
    from loopscope.capture.core import Core

#: so many coroutines may a task factory put around one
_AROUND = 16


def adopt(core: Core, loop: Any, task: Any, context: Any, waking: bool, now: int) -> Life:
    """A task seen for the first time: make its Life and write its birth."""
    here = enter()
    birth = here.birth
    creator = here.life
    if birth is not None:
        begun = _begun(birth)
        if begun is not None:  # it is in its first step, which runs within its creation
            if hung_on(begun, LIFE) is not birth.life:  # another Guard would end it
                _attach(core, begun, birth.life)
            if begun is task:
                return birth.life
        elif loop is not birth.loop:
            creator = birth.outer
        elif not waking and not _running(birth.coroutine):
            here.birth, here.life, birth.life.started = None, birth.outer, 0
            _attach(core, task, birth.life)
            return birth.life
    asked = private.own(task)
    coroutine = asked.get_coro()
    life = _conceive(core, loop, coroutine)
    _attach(core, task, life)
    core.look(life, core.current() if context is None else core.current_in(context))
    late = waking or _running(coroutine)
    if not late and private.current_task(loop) is task:  # its step goes on, and ends in a bare yield: `Core.yields`
        late, life.started = True, now
    _born(core, life, private.name_of(asked), now, None if late else creator, late)
    return life


def _begun(birth: Birth) -> Any:
    """The task that is being created, if it runs its first step already, None if it does not."""
    current = private.current_task(birth.loop)
    if current is None or current is birth.current:
        return None
    if _running(birth.coroutine) or _leads_to(private.own(current).get_coro(), birth.coroutine):
        return current
    return None  # another one that its factory makes


def _leads_to(coroutine: Any, sought: Any) -> bool:
    """Whether it is that one, or is suspended in it: a factory may have put others around."""
    for _ in range(_AROUND + 1):
        if coroutine is sought or coroutine is None:
            return coroutine is sought
        coroutine = coroutines.ask(coroutine, "cr_await") or coroutines.ask(coroutine, "gi_yieldfrom")
    return False


def _conceive(core: Core, loop: Any, coroutine: Any) -> Life:
    place = coroutines.identify(coroutine)
    state = core.state_of(loop)
    state.seen = True
    excluded = coroutines.is_housekeeping(coroutine) or not core.wanted(place.function)
    life: Life = core.life(core.next_task(), place, state, excluded)
    return life


def kin(core: Core, coroutine: Any) -> tuple[Place, bool | None]:
    """The Place of all coroutines of this one's code and qualname, and whether their tasks are excluded.

    None where that does not say, and each is to be adopted by itself. Call it before the first step.
    """
    place = coroutines.place_of_root(coroutine)
    if coroutines.is_wrapper(coroutine.cr_code, coroutine) or coroutines.is_housekeeping(coroutine):
        return place, None
    return place, not core.wanted(place.function)


def _attach(core: Core, task: Any, life: Life) -> None:
    hang(task, LIFE, life)
    hang(task, GUARD, Guard(core, life))


def _born(core: Core, life: Life, name: str, now: int, creator: Life | None, late: bool) -> None:
    by, step = (0, 0) if creator is None else (creator.id, creator.index)
    life.unborn = not core.buffer.put_vital((BIRTH, life.id, now, life, name, life.place, by, step, life.span, late))


def tell_again(core: Core, life: Life, now: int) -> None:
    """A birth found no room: tell it before a step that may, so that the pipeline hears of this life's end."""
    life.unborn = not core.buffer.put_vital((BIRTH, life.id, now, life, life.name, life.place, 0, 0, life.span, True))
    core.buffer.dropped -= 1  # it was counted at its birth
    if life.unborn:
        life.here = None  # the next step tries again


def create(core: Core, original: Any, loop: Any, coroutine: Any, options: dict[str, Any], name: Any) -> Any:
    """Create a task that may run its first step at once: that step is recorded here.

    The caller gives it this name afterwards, if any.
    """
    try:
        here = enter()
        outer = here.life
        life = _conceive(core, loop, coroutine)
        given = options.get("context")
        core.look(life, core.current_in(given) if type(given) is Context else core.current())
        birth = Birth(coroutine, life, outer, loop, private.current_task(loop))
        by, step = (0, 0) if outer is None else (outer.id, outer.index)
        life.name = private.name_given(options.get("name") if name is None else name)
        if here.birth is not None and here.birth.life is outer and not outer.name:
            _name(core, loop, outer)
        start = clock()
        _born(core, life, life.name, start, outer, False)
    except Exception:
        core.fail()
        return original(loop, coroutine, **options)
    previous, here.birth, here.life = here.birth, birth, life
    life.started = start
    task = None
    try:
        task = original(loop, coroutine, **options)
        if name is not None and type(task) in private.TASKS:  # its end may be told before the caller does this
            task.set_name(name)
        return task
    finally:
        waiting, here.birth, here.life = here.birth is birth, previous, outer
        life.started = 0
        try:
            _created(core, task, life, waiting, (start, START, by, step, None), here, start, clock())
        except Exception:
            core.fail()
        # As in `run`.
        task = coroutine = birth = None  # type: ignore[assignment]


class Init:
    """`Task.__init__` of a task with these arguments, to be called as a loop's `create_task`, once."""

    __slots__ = ("_given",)

    def __init__(self, *given: Any) -> None:
        self._given = given

    def __call__(self, loop: Any, coroutine: Any, **more: Any) -> Any:
        task, args, options = self._given
        self._given = ()
        try:
            private.Task.__init__(task, *args, **options)
            return task
        finally:
            del task, args, options, coroutine, more  # as in `create`


def construct(core: Core, task: Any, args: tuple[Any, ...], options: dict[str, Any]) -> None:
    """Do what `Task.__init__` does with these arguments, which runs the first step at once: as `create`."""
    init = Init(task, args, options)
    try:
        coroutine = args[0] if args else options.get("coro")
        loop = private.running_loop()
        if _is_seen(core, loop, coroutine, options):
            said = {key: value for key, value in options.items() if key in ("name", "context")}
            create(core, init, loop, coroutine, said, None)
        else:
            init(loop, coroutine)
    finally:
        del task, args, options, coroutine  # as in `create`


def _is_seen(core: Core, loop: Any, coroutine: Any, options: dict[str, Any]) -> bool:
    """Whether the first step is to be recorded: it runs in a step or callback of this loop, and nobody else creates."""
    try:
        given = options.get("loop")
        if not core.on or loop is None or (given is not None and given is not loop) or not iscoroutine(coroutine):
            return False
        here = enter()
        state = core.running.get(here.ident)
        return state is not None and state.gated and (here.birth is None or _running(here.birth.coroutine))
    except Exception:
        core.fail()
        return False


def _created(core: Core, task: Any, life: Life, waiting: bool, how: How, here: Here, start: int, end: int) -> None:
    if not waiting:  # scheduled as any other task: adopt() took it over
        return
    known = hung_on(task, LIFE)
    if not private.is_task(task) or known not in (None, life):
        life.over = True
        core.buffer.put_vital((GONE, life.id, end, True))
        return
    if known is None:
        _attach(core, task, life)
    if life.muted:
        life.index = 1
    else:
        core.stepped(how, task, life, here, start, end, False, left=True)


def _name(core: Core, loop: Any, life: Life) -> None:
    """A task whose first step is not over creates one that may be told before that: tell its name, as far as known."""
    task = private.current_task(loop)
    if task is not None and not life.unborn:
        life.name = private.name_of(private.own(task))
        core.buffer.put_vital((BIRTH, life.id, clock(), life, life.name, life.place, 0, 0, life.span, False))


def _running(coroutine: Any) -> bool:
    return coroutines.ask(coroutine, "cr_running") is True or coroutines.ask(coroutine, "gi_running") is True
