/* call_later of uvloop's loops and call_at of asyncio's, with the due time of every timer noted. gate.py is the
 * reference, and is called for all that is not common: a number that is none of Python's own, many arguments, a
 * callback of a rare kind. It adds no frame. */
#include "native.h"

enum { LOOP, WHEN, CALLBACK, ARGUMENT, MOST = 8 };

/* Seconds, where that is a number of Python's own and a time that comes: 1, else 0. */
static int
seconds_of(PyObject *number, double *seconds)
{
    if (!PyFloat_CheckExact(number) && !PyLong_CheckExact(number))
        return 0;
    *seconds = PyFloat_AsDouble(number);
    if (*seconds == -1 && PyErr_Occurred()) {
        PyErr_Clear(); /* it has too many digits */
        return 0;
    }
    return -natives.seconds < *seconds && *seconds < natives.seconds;
}

/* When a timer is due, in nanoseconds of our clock: 1; 0 where nobody knows, -1 with an error set. */
static int
due_at(Gate *self, PyObject *loop, PyObject *when, long long *due)
{
    double seconds, now = 0;
    if (!seconds_of(when, &seconds))
        return 0;
    if (clock_read(due) < 0)
        return -1;
    if (self->debugging == Py_None) {
        PyObject *time = PyObject_CallMethodNoArgs(loop, natives.names.time);
        int known = time != NULL && seconds_of(time, &now);
        Py_XDECREF(time);
        if (!known)
            return PyErr_Occurred() ? -1 : 0;
    }
    *due += (long long)((seconds - now) * 1e9);
    return 1;
}

/* What to schedule: gate._timed. A new reference, NULL with an error set. */
static PyObject *
timed(Gate *self, PyObject *const *args, Py_ssize_t count, long long due)
{
    PyObject *callback = args[CALLBACK];
    if (callback != natives.end_of_sleep || count <= ARGUMENT || !is_of_any(args[ARGUMENT], natives.futures))
        return is_wrappable(callback) ? callback_new(CORE(self), callback, natives.timer_kind, due, 0, 0)
                                      : Py_NewRef(callback);
    PyObject *time = PyLong_FromLongLong(due);
    int failed = time == NULL ? -1 : PyObject_GenericSetAttr(args[ARGUMENT], natives.names._loopscope_due, time);
    Py_XDECREF(time);
    return failed ? NULL : Py_NewRef(callback);
}

/* In debug mode our frames are taken from where the timer was made, which uvloop's timers do not show. */
static int
trim(Gate *self, PyObject *loop, PyObject *handle)
{
    if (self->debugging == Py_None)
        return gate_trim(self, handle);
    PyObject *debugs = PyObject_CallOneArg(self->debugging, loop);
    int failed = debugs == NULL ? -1 : debugs == Py_True ? came(PyObject_CallOneArg(natives.trim, handle)) : 0;
    Py_XDECREF(debugs);
    return failed < 0 ? core_fail(CORE(self)) : 0;
}

/* Whether what is given is common; `callback` is what to schedule then, owned. -1 where something is meant for the
 * host. */
static int
judge(Gate *self, Core *core, PyObject *const *args, Py_ssize_t count, PyObject *keywords, PyObject **callback)
{
    Py_ssize_t named = keywords == NULL ? 0 : PyTuple_GET_SIZE(keywords);
    long long due;
    if (core == NULL || !core->on || count <= CALLBACK || count + named > MOST
        || !(PyMethod_Check(args[CALLBACK]) || PyFunction_Check(args[CALLBACK])
             || PyCFunction_CheckExact(args[CALLBACK])))
        return 0;
    int known = due_at(self, args[LOOP], args[WHEN], &due);
    if (known > 0)
        *callback = timed(self, args, count, due);
    if (known < 0 || (known > 0 && *callback == NULL))
        return core_fail(core);
    return known;
}

/* The original, with this callback in the place of the one that was given. */
static PyObject *
schedule(Gate *self, PyObject *callback, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *given[MOST];
    Py_ssize_t total = count + (keywords == NULL ? 0 : PyTuple_GET_SIZE(keywords));
    for (Py_ssize_t place = 0; place < total; place++)
        given[place] = args[place];
    given[CALLBACK] = callback;
    PyObject *handle = PyObject_Vectorcall(self->original, given, count, keywords);
    if (handle != NULL && trim(self, args[LOOP], handle) < 0)
        Py_CLEAR(handle);
    return handle;
}

PyObject *
timer_call(Gate *self, PyObject *const *args, size_t flagged, PyObject *keywords)
{
    Core *core = core_held(self->tie);
    Py_ssize_t count = PyVectorcall_NARGS(flagged);
    PyObject *callback = NULL, *handle = NULL;
    int common = judge(self, core, args, count, keywords, &callback);
    if (common == 0)
        handle = PyObject_Vectorcall(self->reference, args, flagged, keywords);
    else if (common > 0)
        handle = schedule(self, callback, args, count, keywords);
    else
        forward_interrupted(self, args, flagged, keywords);
    Py_XDECREF((PyObject *)core);
    Py_XDECREF(callback);
    return handle;
}
