/* Who or what woke a task, where no recorded step did: wakers.woken, and wakes.caller. They are the reference. */
#include "native.h"
#include <frameobject.h>

/* ---------------------------------------------------------------- the callback that the loop calls */

/* What is known of the code of a frame: see wakes.About. Owned. */
typedef struct { PyObject *code, *name; int io, last; } About;

static About abouts[TABLE];

/* NULL with an error set. */
static const About *
about(PyObject *code)
{
    About *entry = &abouts[place_in_table(code)];
    if (entry->code == code)
        return entry;
    PyObject *told = PyObject_CallOneArg(natives.about, code), *name;
    About found = {.code = code};
    if (told == NULL)
        return NULL;
    if (!PyArg_ParseTuple(told, "OOpp", &code, &name, &found.io, &found.last)) {
        Py_DECREF(told);
        return NULL;
    }
    About before = *entry;
    found.name = Py_NewRef(name);
    Py_INCREF(found.code);
    *entry = found;
    Py_DECREF(told);
    Py_XDECREF(before.code);
    Py_XDECREF(before.name);
    return entry;
}

/* Whether I/O is what calls: looks outwards from this frame, whose reference is taken over. -1 with an error set. */
static int
comes_from_io(PyFrameObject *frame)
{
    int io = 0;
    for (long long steps = natives.depth; frame != NULL && steps > 0; steps--) {
        PyObject *code = (PyObject *)PyFrame_GetCode(frame);
        const About *known = about(code);
        Py_DECREF(code);
        io = known == NULL ? -1 : known->io;
        if (io != 0 || known->last)
            break;
        PyFrameObject *back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
    }
    Py_XDECREF(frame);
    return frame == NULL && PyErr_Occurred() ? -1 : io;
}

/* wakes.caller: the name is a new reference, NULL with an error set; `io` tells the kind. */
static PyObject *
caller(int *io)
{
    PyFrameObject *frame = PyEval_GetFrame();
    if (frame == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "nothing calls");
        return NULL;
    }
    PyObject *code = (PyObject *)PyFrame_GetCode(frame);
    const About *known = about(code);
    PyObject *name = known == NULL ? NULL : Py_NewRef(known->name);
    Py_DECREF(code);
    if (name != NULL && (*io = comes_from_io((PyFrameObject *)Py_NewRef((PyObject *)frame))) < 0)
        Py_CLEAR(name);
    return name;
}

/* ---------------------------------------------------------------- how it was woken */

/* Takes over the reference to `name`, which may be NULL with an error set. */
static int
tell(How *how, long long since, PyObject *kind, long long waker, long long step, PyObject *name)
{
    if (name == NULL)
        return -1;
    *how = (How){since, waker, step, Py_NewRef(kind), name};
    return 1;
}

/* The earlier one of two readings, the first of which may be none. */
static long long
earlier(long long since, long long now)
{
    return 0 < since && since < now ? since : now;
}

/* By what the loop calls for a timer, for another thread, or as a task ends. */
static int
by_callback(const Callback *callback, PyObject *label, long long now, How *how)
{
    int named = label != Py_None && callback->kind == natives.thread_kind;
    PyObject *name = named ? Py_NewRef(label) : PyObject_CallOneArg(natives.function_name, callback->wrapped);
    return tell(how, earlier(callback->since, now), callback->kind, callback->waker, callback->waker_step, name);
}

/* By I/O, or by any other callback. */
static int
by_caller(PyObject *here, long long now, How *how)
{
    int io = 0;
    PyObject *name = caller(&io);
    long long step = 0, since = now;
    if (io > 0) {
        int seen = SLOT(here, natives.here.polls) != Py_None;
        step = seen ? WHOLE(here, natives.here.unpolled) : -1;
        since = seen ? earlier(WHOLE(here, natives.here.polled), now) : now;
    }
    return tell(how, since, io > 0 ? natives.io_kind : natives.callback_kind, 0, step, name);
}

/* Whether a timer sets this future that may fire now, and its due time; -1 with an error set. */
static int
is_due(PyObject *future, long long now, long long *time)
{
    PyObject *due;
    int found = hung_on(future, natives.names._loopscope_due, &due);
    if (found <= 0)
        return found;
    *time = whole(due);
    Py_DECREF(due);
    if (*time == -1 && PyErr_Occurred())
        return -1;
    return *time != 0 && *time <= now + natives.early;
}

/* Whether a task runs, whose step is then one that is not recorded. -1 with an error set. */
static int
is_in_a_task(PyObject *loop)
{
    PyObject *running = PyObject_CallOneArg(natives.current_task, loop);
    Py_XDECREF(running);
    return running == NULL ? -1 : running != Py_None;
}

/* The same, where the loop calls nothing that we know. */
static int
woken_alone(PyObject *loop, PyObject *future, PyObject *label, PyObject *here, long long now, How *how)
{
    long long due;
    int fires = is_due(future, now, &due);
    if (fires < 0)
        return -1;
    if (fires)
        return tell(how, due < now ? due : now, natives.timer_kind, 0, 0, Py_NewRef(Py_None));
    int in_a_task = is_in_a_task(loop);
    if (in_a_task)
        return in_a_task < 0 ? -1 : 0;
    if (label != Py_None) /* the executor's function ended before its future was chained to this one */
        return tell(how, now, natives.thread_kind, 0, 0, Py_NewRef(label));
    return by_caller(here, now, how);
}

int
woken(PyObject *loop, PyObject *future, PyObject *here, long long now, How *how)
{
    PyObject *callback = Py_NewRef(SLOT(here, natives.here.callback)), *label = NULL;
    int done = hung_on(future, natives.names._loopscope_label, &label);
    if (label == NULL)
        label = Py_NewRef(Py_None);
    if (done >= 0 && callback == Py_None)
        done = woken_alone(loop, future, label, here, now, how);
    else if (done >= 0)
        done = Py_IS_TYPE(callback, natives.callback) ? by_callback((Callback *)callback, label, now, how) : 0;
    Py_DECREF(callback);
    Py_DECREF(label);
    return done;
}
