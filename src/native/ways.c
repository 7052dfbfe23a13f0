/* Which way an ordinary step goes: the trace and the visit that it is told in, and how. See pipeline.spans. */
#include "cold.h"

/* ---------------------------------------------------------------- which trace */

int
is_excluded(PyObject *life)
{
    PyObject *pulse = SLOT(life, cold.life.pulse);
    if (Py_IS_TYPE(pulse, natives.life))
        return LIFE_OF(pulse)->excluded;
    if (pulse == Py_None)
        return PyObject_IsTrue(SLOT(SLOT(life, cold.life.notes), cold.notes.excluded));
    PyObject *said = PyObject_GetAttr(pulse, cold.name.excluded);
    int excluded = said == NULL ? -1 : PyObject_IsTrue(said);
    Py_XDECREF(said);
    return excluded;
}

long long
ask_whole(PyObject *object, PyObject *name)
{
    PyObject *said = PyObject_GetAttr(object, name);
    long long value = said == NULL ? -1 : whole(said);
    Py_XDECREF(said);
    return value;
}

/* Whether it is passed by, or will be soon; -1 with an error set. */
static int
is_hushed(PyObject *life)
{
    PyObject *pulse = SLOT(life, cold.life.pulse);
    if (Py_IS_TYPE(pulse, natives.life))
        return LIFE_OF(pulse)->hush < natives.never;
    long long hush = pulse == Py_None ? natives.never : ask_whole(pulse, cold.name.hush);
    return hush < 0 ? -1 : hush < natives.never;
}

/* The trace of steps that work for no other, where it is known, young and sampled. */
static int
find_home(Ordinary *self, Passing *passing)
{
    PyObject *home = SLOT(passing->notes, cold.notes.home);
    if (!Py_IS_TYPE(home, cold.trace.type) || SLOT(home, cold.trace.sampled) != Py_True)
        return 0;
    passing->trace = home;
    return passing->start - WHOLE(home, cold.trace.born) < self->rotate;
}

/* Whether the identity tells nothing new of its trace: see Trace.heed. */
static int
is_heeded(PyObject *trace, PyObject *identity)
{
    long long remote = ask_whole(identity, cold.name.is_remote);
    long long flags = remote < 0 ? -1 : ask_whole(identity, cold.name.trace_flags);
    if (flags < 0)
        return PyErr_Occurred() ? -1 : 0;
    int sampled = SLOT(trace, cold.trace.sampled) == Py_True, local = SLOT(trace, cold.trace.local) == Py_True;
    if (remote)
        return local || sampled == (flags & 1);
    return local && sampled == ((flags & 1) || sampled);
}

/* The application's trace of the span that is current, where it is known, fresh and sampled. */
static int
find_foreign(Ordinary *self, Passing *passing)
{
    PyObject *trace_id = PyObject_GetAttr(passing->span, cold.name.trace_id);
    if (trace_id == NULL)
        return -1;
    PyObject *trace = PyDict_GetItemWithError(self->foreign, trace_id);
    Py_DECREF(trace_id);
    if (trace == NULL || !Py_IS_TYPE(trace, cold.trace.type))
        return PyErr_Occurred() ? -1 : 0;
    if (SLOT(trace, cold.trace.sampled) != Py_True || SLOT(trace, cold.trace.trace_state) == Py_None)
        return 0;
    int heeded = is_heeded(trace, passing->span);
    if (heeded <= 0)
        return heeded;
    passing->trace = trace;
    return WHOLE(trace, cold.trace.open) > 0 || passing->start - WHOLE(trace, cold.trace.last_end) < cold.fresh;
}

int
is_untold(PyObject *visit)
{
    PyObject *quiet = SLOT(visit, cold.visit.quiet);
    return PyList_CheckExact(quiet) && PyList_GET_SIZE(quiet) == 0 && WHOLE(visit, cold.visit.detail) >= cold.bare
        && !WHOLE(visit, cold.visit.written) && !WHOLE(visit, cold.visit.unkept)
        && PyObject_IsTrue(SLOT(visit, cold.visit.untold)) == 1
        && SLOT(SLOT(visit, cold.visit.trace), cold.trace.own) == Py_True;
}

/* Whether the visit is over quickly even with this step. */
static int
stays_quick(Passing *passing)
{
    long long cursor = WHOLE(passing->visit, cold.visit.cursor);
    return (passing->end > cursor ? passing->end : cursor) - WHOLE(passing->visit, cold.visit.start) < cold.quick;
}

/* Whether this is a visit to that trace; -1 with an error set. */
static int
is_of(PyObject *visit, PyObject *trace)
{
    PyObject *of = SLOT(visit, cold.visit.trace);
    if (of == trace || !Py_IS_TYPE(of, cold.trace.type))
        return of == trace;
    return PyObject_RichCompareBool(SLOT(of, cold.trace.trace_id), SLOT(trace, cold.trace.trace_id), Py_EQ);
}

static int
is_notable(Ordinary *self, Passing *passing)
{
    return passing->start - passing->since >= self->delay;
}

/* Whether an untold visit is told from this step on, and nothing but that step's span is to be written of it. */
static int
speaks(Ordinary *self, Passing *passing)
{
    PyObject *visit = passing->visit;
    if (!is_notable(self, passing) || SLOT(visit, cold.visit.held) != Py_None
        || SLOT(visit, cold.visit.group) != Py_None)
        return 0;
    PyObject *creator = known(self, SLOT(passing->notes, cold.notes.under));
    if (creator != NULL || PyErr_Occurred()) /* it may have to be told, too */
        return creator != NULL ? 0 : -1;
    PyObject *said = PyObject_GetAttr(self->keeper, cold.name.waiting);
    long long waiting = said == NULL ? -1 : whole(said);
    Py_XDECREF(said);
    return waiting < 0 ? -1 : (passing->speaks = waiting < cold.all);
}

/* The open visit to that trace, where it is the only one and is told as it comes or from now on, or not at all. */
static int
find_visit(Ordinary *self, Passing *passing)
{
    PyObject *visits = SLOT(passing->notes, cold.notes.visits);
    if (!PyTuple_CheckExact(visits) || PyTuple_GET_SIZE(visits) != 1)
        return 0;
    PyObject *visit = PyTuple_GET_ITEM(visits, 0);
    if (!Py_IS_TYPE(visit, cold.visit.type))
        return 0;
    int fits = is_of(visit, passing->trace);
    if (fits != 1)
        return fits;
    passing->visit = visit;
    passing->trace = SLOT(visit, cold.visit.trace); /* one of the same id may have been forgotten and met anew */
    int told = SLOT(visit, cold.visit.quiet) == Py_None;
    if (!told && is_untold(visit))
        told = passing->delayed ? speaks(self, passing) : stays_quick(passing);
    if (told < 0)
        return -1;
    return told && SLOT(visit, cold.visit.silent) == Py_False
        && (passing->span == Py_None || SLOT(visit, cold.visit.local) == Py_True);
}

/* ---------------------------------------------------------------- what becomes of it */

PyObject *
known(Ordinary *self, PyObject *id)
{
    PyObject *life = lives_get((Lives *)self->known, id);
    return life != NULL || PyErr_Occurred() ? life : recent_get(self->names, id);
}

/* The life of the waking task. 0 where its step still runs: the span waits for it. */
static int
find_waker(Ordinary *self, Passing *passing)
{
    int woken = PyObject_IsTrue(passing->waker);
    if (woken <= 0)
        return woken < 0 ? -1 : 1;
    PyObject *life = known(self, passing->waker);
    if (life == NULL)
        return PyErr_Occurred() ? -1 : 1;
    if (!Py_IS_TYPE(life, cold.life.type) || life == passing->life)
        return 0;
    passing->waker_life = life;
    return SLOT(life, cold.life.state) != Py_None || passing->waker_step < WHOLE(life, cold.life.steps);
}

/* Whether a span of its own is all that the step leads to. */
static int
tells(Ordinary *self, Passing *passing, long long level)
{
    PyObject *visit = passing->visit;
    if (SLOT(visit, cold.visit.held) != Py_None || SLOT(visit, cold.visit.group) != Py_None)
        return 0;
    int fits = is_affordable(self, passing->end, level);
    if (fits == 1)
        fits = find_waker(self, passing);
    if (fits == 1)
        fits = find_batch(self);
    return fits;
}

/* Whether the step that is held can go into the open group, and this one be held in its place. */
static int
coalesces(Ordinary *self, PyObject *visit, long long written, long long spans)
{
    PyObject *held = SLOT(visit, cold.visit.held), *group = SLOT(visit, cold.visit.group);
    if (held == Py_None)
        return 1;
    if (!Py_IS_TYPE(PyTuple_GET_ITEM(held, 0), cold.step.type)
        || SLOT(PyTuple_GET_ITEM(held, 0), cold.step.printed) != Py_None)
        return 0;
    if (group == Py_None)
        return 1;
    if (!Py_IS_TYPE(group, cold.group.type))
        return 0;
    return WHOLE(group, cold.group.end) - WHOLE(group, cold.group.start) < cold.second || written >= self->steps - 4
        || spans >= self->room * 15 / 16;
}

/* StepSpans.place: whether the step gets a span of its own, and whether that can be done here. */
static int
find_way(Ordinary *self, Passing *passing)
{
    PyObject *visit = passing->visit;
    long long steps = WHOLE(visit, cold.visit.steps), written = WHOLE(visit, cold.visit.written);
    long long spans = WHOLE(passing->trace, cold.trace.spans), level = WHOLE(self->budget, cold.budget.level);
    int own = SLOT(passing->trace, cold.trace.own) == Py_True;
    passing->level = own || level >= cold.requests ? (int)level : 0;
    int quiet = SLOT(visit, cold.visit.quiet) != Py_None; /* untold, and perhaps not for long */
    if (quiet && !passing->speaks && passing->level < WHOLE(visit, cold.visit.detail))
        passing->level = (int)WHOLE(visit, cold.visit.detail);
    int keeps = (written < self->most && spans < self->room * 3 / 4) || (steps < 1 && spans < self->room * 15 / 16);
    int notable = is_notable(self, passing);
    if (notable && !keeps) /* there is room left for such steps */
        return 0;
    if (SLOT(visit, cold.visit.room) != Py_True && (!quiet || passing->speaks))
        return 0;
    int spares = !notable && passing->level != cold.full && (steps > 0 || (own && passing->level >= cold.bare));
    passing->way = keeps && !spares ? TELLS : COALESCES;
    if (!keeps)
        passing->level = (int)cold.full; /* the caps have it coalesced, not the budget */
    if (passing->way == TELLS)
        return passing->speaks || !quiet ? tells(self, passing, level) : 0;
    return coalesces(self, visit, written, spans);
}

/* Whether the step failed in nothing, changed no span, and neither is slow nor may have been anybody's culprit. */
static int
is_plain(Ordinary *self, Passing *passing)
{
    long long length = passing->end - passing->start;
    return passing->error == Py_None && passing->activated == Py_None
        && (passing->span == passing->after || passing->state != Py_None) && length < self->hold && length < self->slow;
}

int
find_place(Ordinary *self, Passing *passing)
{
    int fits = passing->span == Py_None ? find_home(self, passing) : find_foreign(self, passing);
    if (fits == 1)
        fits = find_visit(self, passing);
    if (fits == 1)
        fits = find_way(self, passing);
    return fits;
}

int
told_fits(Ordinary *self, Passing *passing)
{
    if (!is_plain(self, passing) || !self->told || self->states || PyDict_GET_SIZE(self->owed)
        || PyDict_GET_SIZE(self->waiting) || !Py_IS_TYPE(self->budget, cold.budget.type))
        return 0;
    PyObject *life = passing->life;
    passing->notes = SLOT(life, cold.life.notes);
    if (!Py_IS_TYPE(passing->notes, cold.notes.type))
        return 0;
    int excluded = is_excluded(life);
    int hushed = excluded ? 0 : is_hushed(life);
    if (excluded || hushed)
        return excluded < 0 || hushed < 0 ? -1 : 0;
    if (passing->span == Py_None && SLOT(life, cold.life.span) == Py_None
        && SLOT(passing->notes, cold.notes.home) == Py_None) {
        passing->way = OPENS;
        return 1;
    }
    return find_place(self, passing);
}
