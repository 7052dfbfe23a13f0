/* What hangs on a task beside its Life, and only tells by its death: life.Guard. */
#include "native.h"

typedef struct { PyObject_HEAD Tie *tie; PyObject *life; } Guard;

PyObject *
guard_new(Core *core, PyObject *life)
{
    Guard *self = PyObject_New(Guard, natives.guard);
    if (self == NULL)
        return NULL;
    self->tie = tie_to(core);
    self->life = Py_NewRef(life);
    return (PyObject *)self;
}

/* The task went away before its end was recorded. */
static void
tell_gone(Core *core, PyObject *life)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyObject *done = PyObject_CallFunctionObjArgs(natives.gone, core, life, NULL);
    if (done == NULL && core_fail(core) < 0)
        PyErr_WriteUnraisable(natives.gone);
    Py_XDECREF(done);
    PyErr_Restore(type, error, traceback);
}

/* It is in no cycle, and goes once the task's own finalizer was called. */
static void
guard_dealloc(Guard *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Core *core = core_held(self->tie);
    if (core != NULL && core->on && !LIFE_OF(self->life)->over)
        tell_gone(core, self->life);
    Py_XDECREF((PyObject *)core);
    Py_DECREF(self->tie);
    Py_DECREF(self->life);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyType_Slot guard_slots[] = {
    {Py_tp_doc, "Dies with a task, and tells of one that never ended."},
    {Py_tp_dealloc, guard_dealloc},
    {0, NULL},
};

PyType_Spec guard_spec = {
    .name = "loopscope._native.Guard",
    .basicsize = sizeof(Guard),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = guard_slots,
};
