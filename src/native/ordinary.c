/* Whether a step is ordinary, and what follows: Assembler._step, and after it the sinks in their order. See cold.h. */
#include "cold.h"
#include <string.h>

/* ---------------------------------------------------------------- whether it is ordinary */

/* Whether this is how a step came about, but for a cancellation. */
static int
is_wake(PyObject *kind)
{
    return kind == cold.text.START || kind == cold.text.TASK || kind == cold.text.TIMER || kind == cold.text.IO
        || kind == cold.text.THREAD || kind == cold.text.CALLBACK || kind == cold.text.YIELD;
}

/* What the record of a step tells. */
static int
read_record(const Record *record, Passing *passing)
{
    const How *how = &record->how;
    if (!is_wake(how->kind) || !PyTuple_Check(record->where) || PyTuple_GET_SIZE(record->where) != 3)
        return 0;
    passing->id = PyLong_FromLongLong(record->id);
    passing->where = record->where;
    passing->thread = PyTuple_GET_ITEM(record->where, 0);
    passing->loop = PyTuple_GET_ITEM(record->where, 2);
    passing->outcome = record->outcome;
    passing->awaiting = record->awaiting;
    passing->point = record->point;
    passing->lasti = record->lasti;
    passing->span = record->span;
    passing->activated = record->activated;
    passing->after = record->after;
    passing->state = record->state;
    passing->error = record->error;
    passing->name = record->name;
    passing->polls = record->polls;
    passing->kind = how->kind;
    passing->waker = PyLong_FromLongLong(how->waker);
    passing->waker_step = how->step;
    passing->waker_name = how->name;
    passing->index = record->index;
    passing->ready = how->since;
    passing->start = record->start;
    passing->end = record->end;
    passing->unpolled = -1;
    return passing->id == NULL || passing->waker == NULL ? -1 : 1;
}

/* The task's life, where this is its next step. */
static int
find_life(Ordinary *self, Passing *passing)
{
    PyObject *life = lives_get((Lives *)self->lives, passing->id);
    if (life == NULL || !Py_IS_TYPE(life, cold.life.type))
        return PyErr_Occurred() ? -1 : 0;
    passing->last = WHOLE(life, cold.life.last_end);
    passing->life = Py_NewRef(life);
    return WHOLE(life, cold.life.steps) == passing->index;
}

/* The step's times, after the last one's. I/O that no task made may have come earlier. */
static int
set_times(Passing *passing)
{
    long long last = passing->last;
    if (passing->start < last)
        passing->start = last;
    if (passing->ready < last)
        passing->ready = last;
    else if (passing->ready > passing->start)
        passing->ready = passing->start;
    if (passing->end < passing->start)
        passing->end = passing->start;
    if (passing->kind != cold.text.IO)
        return 0;
    int woken = PyObject_IsTrue(passing->waker);
    if (woken)
        return woken < 0 ? -1 : 0;
    passing->unpolled = passing->waker_step;
    if (passing->unpolled > passing->ready - last)
        passing->unpolled = passing->ready - last;
    passing->waker_step = 0;
    return 0;
}

/* Whether it held its thread for no longer than anybody is told of. Somebody may be to blame that it waited. */
static int
is_brief(Ordinary *self, Passing *passing)
{
    long long length = passing->end - passing->start;
    passing->since = passing->ready - (passing->unpolled > 0 ? passing->unpolled : 0);
    passing->delayed = passing->start - passing->since >= self->threshold;
    return length < self->threshold && length < self->stall;
}

/* Whether the watchdog saw the step, or it printed something. */
static int
is_noted(Ordinary *self, Passing *passing)
{
    if (!PyDict_GET_SIZE(self->lines) && !PyDict_GET_SIZE(self->looks))
        return 0;
    PyObject *key = key_of(passing->id, passing->index);
    int noted = key == NULL ? -1 : PyDict_Contains(self->lines, key);
    if (noted == 0)
        noted = PyDict_Contains(self->looks, key);
    Py_XDECREF(key);
    return noted;
}

/* Whether the step is ordinary. Nothing is changed. */
static int
fits(Ordinary *self, const Record *record, Passing *passing)
{
    int fits = read_record(record, passing);
    if (fits == 1)
        fits = find_life(self, passing);
    if (fits == 1 && set_times(passing) < 0)
        return -1;
    if (fits == 1)
        fits = occupied_fits(self, passing);
    if (fits != 1 || !is_brief(self, passing))
        return fits < 0 ? -1 : 0;
    int noted = is_noted(self, passing);
    fits = noted ? (noted < 0 ? -1 : 0) : summed_fits(self, passing);
    if (fits != 1)
        return fits;
    if (!self->traces) {
        passing->way = UNWANTED;
        return 1;
    }
    int plain = told_fits(self, passing);
    if (plain == 0)
        passing->way = ASKS;
    return plain < 0 ? -1 : 1;
}

/* ---------------------------------------------------------------- what follows */

/* A Step, to be filled: a new reference */
static PyObject *
take_step(Ordinary *self)
{
    PyObject *step = self->spare;
    self->spare = NULL;
    return step != NULL ? step : copy(cold.a_step);
}

/* Nobody needs it here any more. */
static void
drop_step(Ordinary *self, PyObject *step)
{
    if (self->spare == NULL && Py_REFCNT(step) == 1)
        self->spare = step;
    else
        Py_DECREF(step);
}

/* The Step: a new reference */
static PyObject *
make_step(Ordinary *self, Passing *passing)
{
    PyObject *step = take_step(self);
    if (step == NULL)
        return NULL;
    WHOLE(step, cold.step.index) = passing->index;
    WHOLE(step, cold.step.ready) = passing->ready;
    WHOLE(step, cold.step.start) = passing->start;
    WHOLE(step, cold.step.end) = passing->end;
    WHOLE(step, cold.step.waker_step) = passing->waker_step;
    WHOLE(step, cold.step.lasti) = passing->lasti;
    PyObject *unpolled = passing->unpolled < 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(passing->unpolled);
    PyObject *activated = passing->activated == Py_None ? Py_NewRef(cold.nothing) : PyList_AsTuple(passing->activated);
    slot_put(step, cold.step.where, Py_NewRef(passing->where));
    slot_put(step, cold.step.waker_kind, Py_NewRef(passing->kind));
    slot_put(step, cold.step.waker, Py_NewRef(passing->waker));
    slot_put(step, cold.step.waker_name, Py_NewRef(passing->waker_name));
    slot_put(step, cold.step.outcome, Py_NewRef(passing->outcome));
    slot_put(step, cold.step.awaiting, Py_NewRef(passing->awaiting));
    slot_put(step, cold.step.point, Py_NewRef(passing->point));
    slot_put(step, cold.step.span, Py_NewRef(passing->span));
    slot_put(step, cold.step.activated, activated);
    slot_put(step, cold.step.span_after, Py_NewRef(passing->after));
    slot_put(step, cold.step.error, Py_NewRef(passing->error));
    slot_put(step, cold.step.polls, Py_NewRef(passing->polls));
    slot_put(step, cold.step.cancel, Py_NewRef(Py_None));
    slot_put(step, cold.step.unpolled, unpolled);
    slot_put(step, cold.step.unpolled_guessed, Py_NewRef(passing->guessed ? Py_True : Py_False));
    slot_put(step, cold.step.waited, Py_NewRef(passing->waited));
    slot_put(step, cold.step.delay, Py_NewRef(Py_None));
    slot_put(step, cold.step.harm, Py_NewRef(Py_None));
    slot_put(step, cold.step.looks, Py_NewRef(Py_None));
    slot_put(step, cold.step.printed, Py_NewRef(Py_None));
    if (unpolled == NULL || activated == NULL)
        Py_CLEAR(step);
    return step;
}

/* The life with one more step: Assembler._step. */
static int
assemble(Ordinary *self, Passing *passing)
{
    PyObject *life = passing->life;
    passing->waited = Py_NewRef(SLOT(life, cold.life.awaiting));
    if ((passing->step = make_step(self, passing)) == NULL)
        return -1;
    if (passing->state == Py_None)
        slot_put(life, cold.life.awaiting, Py_NewRef(passing->awaiting));
    else
        slot_put(life, cold.life.state, Py_NewRef(passing->state));
    slot_put(life, cold.life.name, Py_NewRef(passing->name));
    slot_put(life, cold.life.where, Py_NewRef(passing->where));
    WHOLE(life, cold.life.before) = passing->last;
    WHOLE(life, cold.life.last_end) = passing->end;
    WHOLE(life, cold.life.steps) = passing->index + 1;
    WHOLE(life, cold.life.running) += passing->end - passing->start;
    WHOLE(life, cold.life.ready) += passing->start - passing->ready;
    return 0;
}

int
take(Ordinary *self, PyObject *record)
{
    Passing passing;
    memset(&passing, 0, sizeof passing);
    int failed, birth = born(self, record);
    if (birth)
        return birth;
    Record *step = Py_IS_TYPE(record, natives.record) ? (Record *)Py_NewRef(record) : record_of(record);
    int ordinary = step == NULL ? 0 : fits(self, step, &passing);
    if (PyErr_Occurred())
        PyErr_Clear(); /* what cannot be understood here, such as an enormous number, is not ordinary */
    if (ordinary == 1)
        failed = assemble(self, &passing) < 0 || occupied(self, &passing) < 0
            || summed(self, &passing) < 0 || told(self, &passing) < 0
            || (passing.state != Py_None && ended(self, &passing) < 0);
    else
        failed = came(PyObject_CallOneArg(self->feed, record)) < 0;
    Py_XDECREF(step);
    Py_XDECREF(passing.id);
    Py_XDECREF(passing.waker);
    Py_XDECREF(passing.life);
    Py_XDECREF(passing.waited);
    if (passing.step != NULL)
        drop_step(self, passing.step);
    return failed ? -1 : ordinary == 1;
}
