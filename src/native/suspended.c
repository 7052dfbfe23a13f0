/* The instruction at which a coroutine or a generator is suspended.
 *
 * Who asks for its frame has one made, of some 160 bytes, that stays for as long as the coroutine. So it is read where
 * the interpreter keeps it, in the object itself. Where that is, two that stand at known places tell when the module is
 * loaded; where they do not, and of all else, the frame is asked for.
 */
#include "native.h"

/* What the frame says: -1 for none; -1 with an error set. */
static long long
asked(const Kind *kind, PyObject *item)
{
    PyObject *frame = reader_read(&kind->frame, item);
    if (frame == NULL || frame == Py_None) {
        Py_XDECREF(frame);
        return -1;
    }
#if PY_VERSION_HEX >= 0x030B0000
    long long lasti = PyFrame_GetLasti((PyFrameObject *)frame);
#else
    PyObject *said = PyObject_GetAttr(frame, natives.names.f_lasti);
    long long lasti = said == NULL ? -1 : whole(said);
    Py_XDECREF(said);
#endif
    Py_DECREF(frame);
    return lasti;
}

#if PY_VERSION_HEX >= 0x030B0000

/* How far into its code the address goes that an object holds there. */
static Py_ssize_t
distance(PyObject *item, PyObject *code, Py_ssize_t place)
{
    return *(char **)((char *)item + place) - ((PyCodeObject *)code)->co_code_adaptive;
}

/* Whether an object holds there how far it has come. */
static int
holds(const Kind *kind, PyObject *item, Py_ssize_t place)
{
    PyObject *code = reader_read(&kind->code, item);
    int held = code == NULL ? 0 : distance(item, code, place) == asked(kind, item);
    Py_XDECREF(code);
    return held;
}

int
suspended_load(void)
{
    PyObject *samples = fetch("loopscope.capture.suspended", "samples");
    PyObject *pairs = samples == NULL ? NULL : PyObject_CallNoArgs(samples);
    Py_XDECREF(samples);
    if (pairs == NULL)
        return -1;
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(pairs); at++) {
        PyObject *pair = PyList_GET_ITEM(pairs, at), *one = PyTuple_GET_ITEM(pair, 0), *other = PyTuple_GET_ITEM(pair, 1);
        Kind *kind = coroutine_kind(one);
        for (Py_ssize_t place = sizeof(PyObject); place < Py_TYPE(one)->tp_basicsize; place += sizeof(char *))
            if (holds(kind, one, place) && holds(kind, other, place))
                kind->place = place;
    }
    Py_DECREF(pairs);
    return PyErr_Occurred() ? -1 : 0;
}

long long
suspended_at(PyObject *item)
{
    const Kind *kind = coroutine_kind(item);
    if (kind->place == 0)
        return asked(kind, item);
    PyObject *suspended = reader_read(&kind->suspended, item), *code = NULL;
    Py_ssize_t far = -1;
    if (suspended == Py_True && (code = reader_read(&kind->code, item)) != NULL)
        far = distance(item, code, kind->place);
    int known = far >= 0 && far < Py_SIZE(code) * (Py_ssize_t)sizeof(short);
    Py_XDECREF(suspended);
    Py_XDECREF(code);
    return known ? far : PyErr_Occurred() ? -1 : asked(kind, item);
}

#else

int
suspended_load(void)
{
    return 0; /* the frame is always there */
}

long long
suspended_at(PyObject *item)
{
    return asked(coroutine_kind(item), item);
}

#endif
