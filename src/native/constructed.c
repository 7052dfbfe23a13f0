/* Tasks that asyncio's class starts by itself, as it makes them: asyncio.Task(..., eager_start=True), with nobody's
 * create_task. No Python code is called that could be replaced, and the class takes no attributes: so its own `init` is
 * stood in for, which shows nowhere. Subclasses have the original: it is what their `__init__` says.
 */
#include "native.h"

#if PY_VERSION_HEX >= 0x030C0000

static PyTypeObject *watched;
static initproc original;
/* What is called in its place for such a task, with the task and the arguments; NULL while it is off. */
static PyObject *instead;

static int
init(PyObject *task, PyObject *args, PyObject *keywords)
{
    PyObject *eager = instead == NULL || keywords == NULL || Py_TYPE(task) != watched
        ? NULL : PyDict_GetItemWithError(keywords, natives.names.eager_start);
    if (eager != Py_True)
        return eager == NULL && PyErr_Occurred() ? -1 : original(task, args, keywords);
    PyObject *function = Py_NewRef(instead);
    PyObject *done = PyObject_CallFunctionObjArgs(function, task, args, keywords, NULL);
    Py_DECREF(function);
    return came(done);
}

PyObject *
watch_tasks(PyObject *module, PyObject *args)
{
    PyTypeObject *type;
    PyObject *function;
    if (!PyArg_ParseTuple(args, "O!O", &PyType_Type, &type, &function))
        return NULL;
    Py_CLEAR(instead);
    if (function == Py_None) {
        if (type->tp_init == init)
            type->tp_init = original;
        Py_RETURN_NONE;
    }
    if (type->tp_init != init) {
        original = type->tp_init;
        type->tp_init = init;
    }
    Py_XSETREF(watched, (PyTypeObject *)Py_NewRef((PyObject *)type));
    instead = Py_NewRef(function);
    Py_RETURN_NONE;
}

#endif
