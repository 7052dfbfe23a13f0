/* What hangs on a task beside its Life, and only tells by its death: life.Guard. */
#include "native.h"

typedef struct { PyObject_HEAD PyObject *life; } Guard;

PyObject *
guard_new(PyObject *life)
{
    Guard *self = PyObject_GC_New(Guard, natives.guard);
    if (self == NULL)
        return NULL;
    self->life = Py_NewRef(life);
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

/* The task went away before its end was recorded. */
static void
tell_gone(Core *core, PyObject *life)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyObject *done = PyObject_CallOneArg(natives.gone, life);
    if (done == NULL && core_fail(core) < 0)
        PyErr_WriteUnraisable(natives.gone);
    Py_XDECREF(done);
    PyErr_Restore(type, error, traceback);
}

/* No clear: it never changes, and a cycle that it is in is broken at its task. */
static int
guard_traverse(Guard *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->life);
    return 0;
}

/* Called before anything that goes with it is taken apart. */
static void
guard_finalize(Guard *self)
{
    PyObject *core = SLOT(self->life, natives.life.core);
    if (SLOT(self->life, natives.life.over) != Py_True && PyObject_TypeCheck(core, natives.core) && ((Core *)core)->on)
        tell_gone((Core *)core, self->life);
}

static void
guard_dealloc(Guard *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0)
        return;
    PyObject_GC_UnTrack(self);
    Py_DECREF(self->life);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyType_Slot guard_slots[] = {
    {Py_tp_doc, "Dies with a task, and tells of one that never ended."},
    {Py_tp_traverse, guard_traverse},
    {Py_tp_finalize, guard_finalize},
    {Py_tp_dealloc, guard_dealloc},
    {0, NULL},
};

PyType_Spec guard_spec = {
    .name = "loopscope._native.Guard",
    .basicsize = sizeof(Guard),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = guard_slots,
};
