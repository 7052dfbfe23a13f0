/* Who or what woke a task, where no recorded step did: wakers.woken, and wakes.caller. They are the reference. */
#include "native.h"
#include <frameobject.h>

/* ---------------------------------------------------------------- the callback that the loop calls */

/* What is known of the code of a frame: see wakes.About. Owned. */
typedef struct { PyObject *code, *name; int io, last; } About;

enum { ABOUTS = 256 };
static About abouts[ABOUTS];

/* NULL with an error set. */
static const About *
about(PyObject *code)
{
    About *entry = &abouts[((uintptr_t)code >> 5) % ABOUTS];
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
    return io;
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

PyObject *
make_how(PyObject *since, PyObject *kind, PyObject *waker, PyObject *step, PyObject *name)
{
    PyObject *how = name == NULL ? NULL : PyTuple_Pack(5, since, kind, waker, step, name);
    Py_XDECREF(name);
    if (how != NULL)
        PyObject_GC_UnTrack(how); /* as a record */
    return how;
}

/* The earlier one of two readings, the first of which may be none. Borrowed. */
static PyObject *
earlier(PyObject *since, PyObject *now)
{
    long long first = whole(since);
    return 0 < first && first < whole(now) ? since : now;
}

/* By what the loop calls for a timer, for another thread, or as a task ends. */
static PyObject *
by_callback(PyObject *callback, PyObject *label, PyObject *now)
{
    const CallbackSlots *at = &natives.callback;
    int named = label != Py_None && SLOT(callback, at->kind) == natives.thread_kind;
    PyObject *name =
        named ? Py_NewRef(label) : PyObject_CallOneArg(natives.function_name, SLOT(callback, at->__wrapped__));
    return make_how(earlier(SLOT(callback, at->since), now), SLOT(callback, at->kind), SLOT(callback, at->waker),
                    SLOT(callback, at->waker_step), name);
}

/* By I/O, or by any other callback. */
static PyObject *
by_caller(PyObject *here, PyObject *now)
{
    int io = 0;
    PyObject *name = caller(&io), *step = natives.zero;
    if (io > 0)
        step = SLOT(here, natives.here.polls) != Py_None ? SLOT(here, natives.here.unpolled) : natives.minus_one;
    return make_how(now, io > 0 ? natives.io_kind : natives.callback_kind, natives.zero, step, name);
}

/* The due time of a timer that sets this future, and may fire now: a new reference, None for none. */
static PyObject *
due_of(PyObject *future, PyObject *now)
{
    PyObject *due;
    int found = PyObject_GetOptionalAttr(future, natives.names._loopscope_due, &due);
    if (found <= 0)
        return found < 0 ? NULL : Py_NewRef(Py_None);
    long long time = whole(due);
    if (time == -1 && PyErr_Occurred())
        Py_CLEAR(due);
    else if (time == 0 || time > whole(now) + natives.early)
        Py_SETREF(due, Py_NewRef(Py_None));
    return due;
}

/* Whether a task runs, whose step is then one that is not recorded. -1 with an error set. */
static int
is_in_a_task(PyObject *loop)
{
    PyObject *running = PyObject_CallOneArg(natives.current_task, loop);
    Py_XDECREF(running);
    return running == NULL ? -1 : running != Py_None;
}

PyObject *
woken(PyObject *loop, PyObject *future, PyObject *here, PyObject *now)
{
    PyObject *callback = Py_NewRef(SLOT(here, natives.here.callback)), *due = NULL, *label = NULL, *how = NULL;
    if (PyObject_GetOptionalAttr(future, natives.names._loopscope_label, &label) < 0)
        goto done;
    if (label == NULL)
        label = Py_NewRef(Py_None);
    if (callback != Py_None) {
        how = by_callback(callback, label, now);
        goto done;
    }
    if ((due = due_of(future, now)) == NULL)
        goto done;
    if (due != Py_None)
        how = make_how(earlier(due, now), natives.timer_kind, natives.zero, natives.zero, Py_NewRef(Py_None));
    else if (is_in_a_task(loop) == 0) {
        if (label != Py_None) /* the executor's function ended before its future was chained to this one */
            how = make_how(now, natives.thread_kind, natives.zero, natives.zero, Py_NewRef(label));
        else
            how = by_caller(here, now);
    }
done:
    Py_DECREF(callback);
    Py_XDECREF(label);
    Py_XDECREF(due);
    return how;
}
