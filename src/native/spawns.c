/* create_task: a task that may run its first step within its creation is left to the gate in Python, all others are
 * created as ever. gate.py is the reference. It adds no frame. */
#include "native.h"

/* Whether a task that is created by this call may run at once; -1 with an error set, which is the application's. */
static int
may_be_eager(PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    for (Py_ssize_t place = 0; keywords != NULL && place < PyTuple_GET_SIZE(keywords); place++)
        if (PyUnicode_Compare(PyTuple_GET_ITEM(keywords, place), natives.names.eager_start) == 0)
            return 1;
    if (count < 1)
        return 1;
    PyObject *factory; /* as private.task_factory */
    if (PyObject_GetOptionalAttr(args[0], natives.names._task_factory, &factory) == 0)
        factory = PyObject_CallMethodNoArgs(args[0], natives.names.get_task_factory);
    Py_XDECREF(factory);
    return factory == NULL ? -1 : factory != Py_None;
}

PyObject *
spawn_call(Gate *self, PyObject *const *args, size_t flagged, PyObject *keywords)
{
    Core *core = core_held(self->tie);
    int eager = core == NULL || !core->on ? 0 : may_be_eager(args, PyVectorcall_NARGS(flagged), keywords);
    Py_XDECREF((PyObject *)core);
    return eager < 0 ? NULL : PyObject_Vectorcall(eager ? self->reference : self->original, args, flagged, keywords);
}
