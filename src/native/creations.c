/* Where in the application's code something is made: creations.creator. creations.py is the reference. */
#include "native.h"

/* What is known of a function: whose it is. */
typedef struct { PyObject *code; long long whose; } Owner;

/* And of an instruction in it: "file:line". */
typedef struct { PyObject *code, *text; int instruction; } Line;

static Owner owners[TABLE];
static Line lines[TABLE];

/* creations.whose, of a frame's function: -1 with an error set. */
static int
whose(PyObject *code, long long *into)
{
    Owner *known = &owners[place_in_table(code)];
    if (known->code == code) {
        *into = known->whose;
        return 0;
    }
    PyObject *told = PyObject_CallOneArg(natives.whose, code);
    if (told == NULL)
        return -1;
    *into = whole(told);
    Py_DECREF(told);
    if (*into == -1 && PyErr_Occurred())
        return -1;
    PyObject *before = known->code;
    *known = (Owner){Py_NewRef(code), *into};
    Py_XDECREF(before); /* which may let another thread come here */
    return 0;
}

/* creations._place: a new reference, NULL with an error set. */
static PyObject *
line_of(PyFrameObject *frame)
{
    PyObject *code = (PyObject *)PyFrame_GetCode(frame);
#if PY_VERSION_HEX >= 0x030B0000
    int instruction = PyFrame_GetLasti(frame);
#else
    int instruction = frame->f_lasti;
#endif
    Line *known = &lines[((size_t)instruction + place_in_table(code)) % TABLE], before = *known;
    PyObject *text;
    if (before.code == code && before.instruction == instruction)
        text = Py_NewRef(before.text);
    else if ((text = PyObject_CallOneArg(natives.line_of, (PyObject *)frame)) != NULL) {
        before = *known;
        *known = (Line){Py_NewRef(code), Py_NewRef(text), instruction};
        Py_XDECREF(before.code);
        Py_XDECREF(before.text);
    }
    Py_DECREF(code);
    return text;
}

/* The innermost frame of the application's from this one on, whose reference is taken over, else of an installed
 * package's: a new reference in `into`, NULL for none. -1 with an error set. */
static int
find_creator(PyFrameObject *frame, PyFrameObject **into)
{
    int failed = 0;
    long long owner = 0;
    *into = NULL;
    for (int depth = 0; frame != NULL && depth < natives.creators; depth++) {
        PyObject *code = (PyObject *)PyFrame_GetCode(frame);
        failed = whose(code, &owner);
        Py_DECREF(code);
        if (failed || owner == natives.outside)
            break;
        if (owner == natives.application || (owner != natives.standard && *into == NULL))
            Py_XSETREF(*into, (PyFrameObject *)Py_NewRef((PyObject *)frame));
        if (owner == natives.application)
            break;
        Py_SETREF(frame, PyFrame_GetBack(frame));
        failed = frame == NULL && PyErr_Occurred() ? -1 : 0;
    }
    Py_XDECREF(frame);
    if (failed)
        Py_CLEAR(*into);
    return failed;
}

PyObject *
creator(PyObject *core, PyObject *arguments)
{
    PyFrameObject *caller = PyEval_GetFrame(), *found;
    if (caller == NULL)
        Py_RETURN_NONE;
    if (find_creator(PyFrame_GetBack(caller), &found) < 0 || (found == NULL && PyErr_Occurred()))
        return NULL;
    if (found == NULL)
        Py_RETURN_NONE;
    PyObject *text = line_of(found);
    Py_DECREF(found);
    return text;
}
