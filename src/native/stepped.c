/* A step has ended: its record, as Core.stepped writes it. core.py is the reference, and is called for what is rare. */
#include "native.h"

/* What became of a task in its step. */
typedef enum { UNKNOWN = -1, SUSPENDED, YIELDED, ENDED, CANCELLED } Fate;

/* What the record says beside what the task's life does. Owned, but for the outcome and the state. */
typedef struct {
    PyObject *outcome, *state, *error, *activated, *after;
    Point point;
} Told;

static void
told_clear(Told *told)
{
    Py_CLEAR(told->error);
    Py_CLEAR(told->activated);
    Py_CLEAR(told->after);
    Py_CLEAR(told->point.awaiting);
    Py_CLEAR(told->point.place);
}

/* The life has the name that its task has now. */
static int
ask_name(PyObject *task, PyObject *life)
{
    PyObject *name = task_name(task);
    if (name == NULL)
        return -1;
    Py_SETREF(LIFE_OF(life)->name, name);
    return 0;
}

/* task.cancelling(); -1 with an error set. */
static int
cancelling(PyObject *task, long long *count)
{
    PyObject *said = reader_read(&natives.task.cancelling, task);
    *count = said == NULL ? -1 : said == natives.zero ? 0 : whole(said);
    Py_XDECREF(said);
    return *count == -1 && PyErr_Occurred() ? -1 : 0;
}

int
stepping(Step *self)
{
    long long count;
    int *known = &LIFE_OF(self->life)->cancels;
    if (!natives.cancelling || (*known == 0 && self->how.kind != natives.cancel))
        return 0;
    if (*known == 0)
        *known = 1;
    if (cancelling(self->task, &count) < 0)
        return -1;
    if (count > *known)
        *known = (int)count;
    return 0;
}

/* The life knows the cancellations that nobody took back, and when one last was. */
static int
ask_cancels(Step *self)
{
    long long count;
    int *known = &LIFE_OF(self->life)->cancels;
    if (cancelling(self->task, &count) < 0)
        return -1;
    if (count < *known)
        LIFE_OF(self->life)->uncancelled = LIFE_OF(self->life)->index + 1;
    *known = (int)count;
    return 0;
}

/* ---------------------------------------------------------------- what it tells */

/* Whether the task has ended; -1 with an error set. */
static int
is_done(PyObject *task, PyObject *life)
{
    if (Py_TYPE(task) == natives.task.state.type) {
        if (LIFE_OF(life)->ready != 0)
            return 0; /* it is to go on */
        PyObject *state = reader_read(&natives.task.state, task);
        Py_XDECREF(state);
        if (state == natives.names.PENDING)
            return 0;
    }
    return reader_ask_whether(&natives.task.done, task);
}

static Fate
fate_of(PyObject *task, PyObject *life, PyObject *waiter)
{
    if (waiter != Py_None)
        return SUSPENDED;
    int done = is_done(task, life);
    if (done <= 0)
        return done < 0 ? UNKNOWN : YIELDED;
    int cancelled = reader_ask_whether(&natives.task.cancelled, task);
    return cancelled < 0 ? UNKNOWN : cancelled ? CANCELLED : ENDED;
}

/* It goes on: where it waits, or why it yielded. */
static int
goes_on(Step *self, PyObject *waiter, PyObject *doomed, Told *told)
{
    PyObject *life = self->life;
    int waits = waiter != Py_None;
    told->outcome = waits ? natives.suspended : natives.yielded;
    told->state = Py_None;
    told->error = Py_NewRef(Py_None);
    if (point(self->task, waiter, LIFE_OF(life)->place, &told->point) < 0)
        return -1;
    if (waits && ask_name(self->task, life) < 0)
        return -1;
    int asks = waits || doomed == Py_True || LIFE_OF(life)->cancels != 0;
    return natives.cancelling && asks ? ask_cancels(self) : 0;
}

/* It has returned or raised: Core._ending. */
static int
ends(Step *self, Told *told)
{
    PyObject *life = self->life;
    PyObject *error = reader_read(&natives.task.exception, self->task);
    if (error == NULL)
        return -1;
    told->outcome = told->state = error == Py_None ? natives.returned : natives.raised;
    told->error = error == Py_None ? Py_NewRef(Py_None)
                                   : PyObject_CallOneArg(natives.type_name, (PyObject *)Py_TYPE(error));
    Py_DECREF(error);
    told->point = (Point){Py_NewRef(Py_None), Py_NewRef(Py_None), -1};
    if (told->error == NULL || ask_name(self->task, life) < 0)
        return -1;
    return natives.cancelling ? ask_cancels(self) : 0;
}

/* The spans that were activated in it, and the one current at its end. */
static int
spans(Core *core, PyObject *life, Told *told)
{
    told->activated = Py_NewRef(LIFE_OF(life)->activated);
    if (told->activated == Py_None && !LIFE_OF(life)->left && !core->deaf) {
        told->after = Py_NewRef(LIFE_OF(life)->span);
        return 0;
    }
    Py_SETREF(LIFE_OF(life)->activated, Py_NewRef(Py_None));
    LIFE_OF(life)->left = 0;
    PyObject *context = core_current(core);
    PyObject *known = context == NULL ? NULL : content_of(LIFE_OF(life)->cell);
    if (known != NULL)
        told->after = context == Py_None || context != known ? PyObject_CallOneArg(core->describe, context)
                                                             : Py_NewRef(LIFE_OF(life)->span);
    Py_XDECREF(context);
    Py_XDECREF(known);
    return told->after == NULL ? -1 : 0;
}

/* ---------------------------------------------------------------- the record */

/* The looks at the selector that this record takes. A new reference. */
static PyObject *
take_polls(PyObject *here)
{
    PyObject *polls = SLOT(here, natives.here.polls);
    Py_INCREF(polls);
    if (polls != Py_None && PyTuple_GET_SIZE(polls) > 0)
        slot_put(here, natives.here.polls, PyTuple_New(0));
    return polls;
}

/* The record, with the index counted up. What is told is moved into it. */
static PyObject *
make_record(Step *self, PyObject *here, long long start, long long end, Told *told)
{
    PyObject *life = self->life;
    WHOLE(here, natives.here.ended) = end;
    long long index = LIFE_OF(life)->index++;
    Record *record = record_new();
    if (record == NULL)
        return NULL;
    const How *how = &self->how;
    record->how = (How){how->since, how->waker, how->step, Py_NewRef(how->kind), Py_NewRef(how->name)};
    record->index = index;
    record->start = start;
    record->end = end;
    record->lasti = told->point.lasti;
    record->id = LIFE_OF(life)->id;
    record->where = Py_NewRef(SLOT(LIFE_OF(life)->loop, natives.loop_state.where));
    record->outcome = Py_NewRef(told->outcome);
    record->awaiting = told->point.awaiting;
    record->point = told->point.place;
    record->span = Py_NewRef(LIFE_OF(life)->span);
    record->activated = told->activated;
    record->after = told->after;
    record->name = Py_NewRef(LIFE_OF(life)->name);
    record->state = Py_NewRef(told->state);
    record->error = told->error;
    record->polls = take_polls(here);
    *told = (Told){.outcome = told->outcome, .state = told->state};
    return (PyObject *)record;
}

/* Writes it; the first one has whoever takes records awakened. */
static int
put_down(Step *self, PyObject *here, long long start, long long end, Told *told)
{
    Core *core = CORE(self);
    PyObject *record = make_record(self, here, start, end, told);
    if (record == NULL)
        return -1;
    int last = told->state != Py_None;
    if (last) /* also where there is no room: the pipeline finds out by it */
        LIFE_OF(self->life)->over = 1;
    int put = core_put(core, record, last ? core->reserve : core->limit);
    Py_DECREF(record);
    if (put < 0 || !core->asleep)
        return put < 0 ? -1 : 0;
    core->asleep = 0;
    PyObject *done = PyObject_CallMethodNoArgs((PyObject *)core, natives.names.awaken);
    return came(done);
}

/* ---------------------------------------------------------------- the end of a step */

/* It was the task's first on this thread. */
static int
settle(Step *self, PyObject *here, long long start)
{
    PyObject *life = self->life;
    Py_SETREF(LIFE_OF(life)->here, Py_NewRef(here));
    if (PyDict_SetItem(CORE(self)->threads, SLOT(here, natives.here.ident), here) < 0
        || ask_name(self->task, life) < 0)
        return -1;
    if (!LIFE_OF(life)->unborn)
        return 0;
    PyObject *time = PyLong_FromLongLong(start);
    PyObject *done = time == NULL
        ? NULL : PyObject_CallFunctionObjArgs(natives.tell_again, CORE(self), life, time, NULL);
    Py_XDECREF(time);
    return came(done);
}

/* Core.stepped, in Python. */
static int
stepped_rarely(Step *self, PyObject *here, long long start, long long end, PyObject *doomed)
{
    PyObject *how = how_tuple(&self->how), *done = NULL;
    if (how != NULL)
        done = PyObject_CallMethod((PyObject *)CORE(self), "stepped", "OOOOLLO", how, self->task, self->life, here,
                                   start, end, doomed);
    Py_XDECREF(how);
    return came(done);
}

int
stepped(Step *self, PyObject *here, long long start, long long end, PyObject *doomed)
{
    PyObject *waiter = reader_read(&natives.task.waiter, self->task);
    if (waiter == NULL)
        return -1;
    Fate fate = fate_of(self->task, self->life, waiter);
    /* The loop's looks are to be seen anew; or who asked for its end, and whether it heeded, matters. */
    if (fate == UNKNOWN || fate == CANCELLED || SLOT(here, natives.here.blind) != Py_False) {
        Py_DECREF(waiter);
        return fate == UNKNOWN ? -1 : stepped_rarely(self, here, start, end, doomed);
    }
    Told told = {0};
    int failed = LIFE_OF(self->life)->here == here ? 0 : settle(self, here, start);
    if (failed == 0)
        failed = fate == ENDED ? ends(self, &told) : goes_on(self, waiter, doomed, &told);
    Py_DECREF(waiter);
    if (failed == 0 && (failed = spans(CORE(self), self->life, &told)) == 0)
        failed = put_down(self, here, start, end, &told);
    told_clear(&told);
    return failed;
}
