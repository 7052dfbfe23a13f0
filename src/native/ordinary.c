/* Whether a step is ordinary, and what follows: Assembler._step, and after it the sinks in their order. See cold.h. */
#include "cold.h"
#include <string.h>

/* Items of a step's record, and of its `how`: see model.py. */
enum {
    TAG, ID, INDEX, WHERE, HOW, BEGIN, END, OUTCOME, AWAITING, POINT, LASTI, SPAN, ACTIVATED, AFTER, NAME, STATE, ERROR,
    POLLS, ITEMS
};
enum { SINCE, KIND, WAKER, WAKER_STEP, WAKER_NAME, HOW_ITEMS };

/* ---------------------------------------------------------------- whether it is ordinary */

/* Whether this is how a step came about, but for a cancellation. */
static int
is_wake(PyObject *kind)
{
    return kind == cold.text.START || kind == cold.text.TASK || kind == cold.text.TIMER || kind == cold.text.IO
        || kind == cold.text.THREAD        || kind == cold.text.CALLBACK || kind == cold.text.YIELD;
}

/* What the record of a step tells. */
static int
read_record(PyObject *record, Passing *passing)
{
    if (!PyTuple_CheckExact(record) || PyTuple_GET_SIZE(record) != ITEMS
        || PyTuple_GET_ITEM(record, TAG) != natives.tag)
        return 0;
    PyObject **item = &PyTuple_GET_ITEM(record, 0), *how = item[HOW];
    if ((item[ACTIVATED] != Py_None && !PyList_CheckExact(item[ACTIVATED]))
        || (item[POLLS] != Py_None && !PyTuple_CheckExact(item[POLLS]))
        || !PyTuple_CheckExact(how) || PyTuple_GET_SIZE(how) != HOW_ITEMS || !is_wake(PyTuple_GET_ITEM(how, KIND))
        || !PyTuple_Check(item[WHERE]) || PyTuple_GET_SIZE(item[WHERE]) != 3)
        return 0;
    passing->id = item[ID];
    passing->where = item[WHERE];
    passing->thread = PyTuple_GET_ITEM(item[WHERE], 0);
    passing->loop = PyTuple_GET_ITEM(item[WHERE], 2);
    passing->outcome = item[OUTCOME];
    passing->awaiting = item[AWAITING];
    passing->point = item[POINT];
    passing->lasti = item[LASTI];
    passing->span = item[SPAN];
    passing->activated = item[ACTIVATED];
    passing->after = item[AFTER];
    passing->state = item[STATE];
    passing->error = item[ERROR];
    passing->name = item[NAME];
    passing->polls = item[POLLS];
    passing->kind = PyTuple_GET_ITEM(how, KIND);
    passing->waker = PyTuple_GET_ITEM(how, WAKER);
    passing->waker_step = PyTuple_GET_ITEM(how, WAKER_STEP);
    passing->waker_name = PyTuple_GET_ITEM(how, WAKER_NAME);
    passing->unpolled = -1;
    return number(item[INDEX], &passing->index) < 0 || number(PyTuple_GET_ITEM(how, SINCE), &passing->ready) < 0
        || number(item[BEGIN], &passing->start) < 0 || number(item[END], &passing->end) < 0 ? -1 : 1;
}

/* The task's life, where this is its next step. */
static int
find_life(Ordinary *self, Passing *passing)
{
    PyObject *life = PyDict_GetItemWithError(self->lives, passing->id);
    if (life == NULL || !Py_IS_TYPE(life, cold.life.type))
        return PyErr_Occurred() ? -1 : 0;
    long long steps;
    if (number(SLOT(life, cold.life.steps), &steps) < 0
        || number(SLOT(life, cold.life.last_end), &passing->last) < 0)
        return -1;
    passing->life = Py_NewRef(life);
    return steps == passing->index;
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
    if (number(passing->waker_step, &passing->unpolled) < 0)
        return -1;
    if (passing->unpolled > passing->ready - last)
        passing->unpolled = passing->ready - last;
    passing->waker_step = natives.zero;
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
is_noted(Ordinary *self, PyObject *record)
{
    if (!PyDict_GET_SIZE(self->lines) && !PyDict_GET_SIZE(self->looks))
        return 0;
    PyObject *key = PyTuple_Pack(2, PyTuple_GET_ITEM(record, ID), PyTuple_GET_ITEM(record, INDEX));
    int noted = key == NULL ? -1 : PyDict_Contains(self->lines, key);
    if (noted == 0)
        noted = PyDict_Contains(self->looks, key);
    Py_XDECREF(key);
    return noted;
}

/* Whether the step is ordinary. Nothing is changed. */
static int
fits(Ordinary *self, PyObject *record, Passing *passing)
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
    int noted = is_noted(self, record);
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

/* A number, as the record has it where it has it. */
static PyObject *
as_recorded(PyObject *item, long long value)
{
    return whole(item) == value ? Py_NewRef(item) : PyLong_FromLongLong(value);
}

/* The Step: a new reference */
static PyObject *
make_step(Ordinary *self, PyObject *record, Passing *passing)
{
    PyObject *step = self->spare != NULL ? self->spare : cold.step.type->tp_alloc(cold.step.type, 0);
    self->spare = NULL;
    if (step == NULL)
        return NULL;
    PyObject *how = PyTuple_GET_ITEM(record, HOW);
    PyObject *ready = as_recorded(PyTuple_GET_ITEM(how, SINCE), passing->ready);
    PyObject *start = as_recorded(PyTuple_GET_ITEM(record, BEGIN), passing->start);
    PyObject *end = as_recorded(PyTuple_GET_ITEM(record, END), passing->end);
    PyObject *unpolled = passing->unpolled < 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(passing->unpolled);
    PyObject *activated = passing->activated == Py_None ? Py_NewRef(cold.nothing) : PyList_AsTuple(passing->activated);
    slot_put(step, cold.step.index, Py_NewRef(PyTuple_GET_ITEM(record, INDEX)));
    slot_put(step, cold.step.where, Py_NewRef(passing->where));
    slot_put(step, cold.step.ready, ready);
    slot_put(step, cold.step.start, start);
    slot_put(step, cold.step.end, end);
    slot_put(step, cold.step.waker_kind, Py_NewRef(passing->kind));
    slot_put(step, cold.step.waker, Py_NewRef(passing->waker));
    slot_put(step, cold.step.waker_step, Py_NewRef(passing->waker_step));
    slot_put(step, cold.step.waker_name, Py_NewRef(passing->waker_name));
    slot_put(step, cold.step.outcome, Py_NewRef(passing->outcome));
    slot_put(step, cold.step.awaiting, Py_NewRef(passing->awaiting));
    slot_put(step, cold.step.point, Py_NewRef(passing->point));
    slot_put(step, cold.step.lasti, Py_NewRef(passing->lasti));
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
    if (ready == NULL || start == NULL || end == NULL || unpolled == NULL || activated == NULL)
        Py_CLEAR(step);
    return step;
}

/* The task ends with this step. */
static int
end_life(Ordinary *self, Passing *passing)
{
    slot_put(passing->life, cold.life.state, Py_NewRef(passing->state));
    return PyDict_DelItem(self->lives, passing->id) < 0 || recent_put(self->over, passing->id, Py_True) < 0 ? -1 : 0;
}

/* The life with one more step: Assembler._step. */
static int
assemble(Ordinary *self, PyObject *record, Passing *passing)
{
    PyObject *life = passing->life;
    passing->waited = Py_NewRef(SLOT(life, cold.life.awaiting));
    if ((passing->step = make_step(self, record, passing)) == NULL)
        return -1;
    slot_put(life, cold.life.awaiting, Py_NewRef(passing->awaiting));
    slot_put(life, cold.life.name, Py_NewRef(passing->name));
    slot_put(life, cold.life.where, Py_NewRef(passing->where));
    slot_put(life, cold.life.before, Py_NewRef(SLOT(life, cold.life.last_end)));
    slot_put(life, cold.life.last_end, Py_NewRef(SLOT(passing->step, cold.step.end)));
    if (slot_number(life, cold.life.steps, passing->index + 1) < 0
        || slot_add(life, cold.life.running, passing->end - passing->start) < 0
        || slot_add(life, cold.life.ready, passing->start - passing->ready) < 0)
        return -1;
    return passing->state == Py_None ? 0 : end_life(self, passing);
}

int
take(Ordinary *self, PyObject *record)
{
    Passing passing;
    memset(&passing, 0, sizeof passing);
    int failed, birth = born(self, record);
    if (birth)
        return birth;
    int ordinary = fits(self, record, &passing);
    if (ordinary < 0)
        PyErr_Clear(); /* what cannot be understood here, such as an enormous number, is not ordinary */
    if (ordinary == 1)
        failed = assemble(self, record, &passing) < 0 || occupied(self, &passing) < 0
            || summed(self, &passing) < 0 || told(self, &passing) < 0
            || (passing.state != Py_None && ended(self, &passing) < 0);
    else
        failed = came(PyObject_CallOneArg(self->feed, record)) < 0;
    Py_XDECREF(passing.life);
    Py_XDECREF(passing.waited);
    Py_XDECREF(passing.step);
    return failed ? -1 : ordinary == 1;
}
