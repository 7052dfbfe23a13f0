/* The fields of a core that are read per step, how an error of our own ends recording, and the way into the buffer. */
#include "native.h"

static PyMemberDef core_members[] = {
    {"on", T_BOOL, offsetof(Core, on), 0, NULL},
    {"dozing", T_BOOL, offsetof(Core, dozing), 0, NULL},
    {"asleep", T_BOOL, offsetof(Core, asleep), 0, NULL},
    {"deaf", T_BOOL, offsetof(Core, deaf), 0, NULL},
    {"cramped", T_INT, offsetof(Core, cramped), 0, NULL},
    {"limit", T_PYSSIZET, offsetof(Core, limit), 0, NULL},
    {"reserve", T_PYSSIZET, offsetof(Core, reserve), 0, NULL},
    {"buffer", T_OBJECT_EX, offsetof(Core, buffer), 0, NULL},
    {"threads", T_OBJECT_EX, offsetof(Core, threads), 0, NULL},
    {"current", T_OBJECT_EX, offsetof(Core, current), 0, NULL},
    {"current_in", T_OBJECT_EX, offsetof(Core, current_in), 0, NULL},
    {"describe", T_OBJECT_EX, offsetof(Core, describe), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

/* Records are put into the queue by its own functions: it must be a deque. */
static PyObject *
queue_get(Core *self, void *closure)
{
    return Py_NewRef(self->queue == NULL ? Py_None : self->queue);
}

static int
queue_set(Core *self, PyObject *queue, void *closure)
{
    if (queue == NULL || !Py_IS_TYPE(queue, natives.deque)) {
        PyErr_SetString(PyExc_TypeError, "not a deque");
        return -1;
    }
    Py_XSETREF(self->queue, Py_NewRef(queue));
    return 0;
}

static PyGetSetDef core_getset[] = {
    {"queue", (getter)queue_get, (setter)queue_set, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef core_methods[] = {
    {"creator", creator, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyObject *
core_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    Core *self = (Core *)type->tp_alloc(type, 0);
    if (self != NULL && (self->tie = PyObject_New(Tie, natives.tie)) != NULL)
        self->tie->core = self;
    else
        Py_CLEAR(self);
    return (PyObject *)self;
}

static int
core_traverse(Core *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->buffer);
    Py_VISIT(self->queue);
    Py_VISIT(self->threads);
    Py_VISIT(self->current);
    Py_VISIT(self->current_in);
    Py_VISIT(self->describe);
    Py_VISIT(self->cell);
    Py_VISIT(self->span);
    Py_VISIT(self->loop_state);
    for (int i = 0; i < TABLE; i++)
        Py_VISIT(self->kin[i].place);
    return 0;
}

static int
core_clear(Core *self)
{
    self->on = 0; /* handles that are still queued find it off */
    Py_CLEAR(self->buffer);
    Py_CLEAR(self->queue);
    Py_CLEAR(self->threads);
    Py_CLEAR(self->current);
    Py_CLEAR(self->current_in);
    Py_CLEAR(self->describe);
    Py_CLEAR(self->cell);
    Py_CLEAR(self->span);
    Py_CLEAR(self->loop_state);
    for (int i = 0; i < TABLE; i++)
        Py_CLEAR(self->kin[i].place);
    return 0;
}

static void
core_dealloc(Core *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->tie != NULL)
        self->tie->core = NULL;
    Py_CLEAR(self->tie);
    core_clear(self);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyType_Slot core_slots[] = {
    {Py_tp_doc, "The fields of a core that are read per step."},
    {Py_tp_members, core_members},
    {Py_tp_getset, core_getset},
    {Py_tp_methods, core_methods},
    {Py_tp_new, core_new},
    {Py_tp_traverse, core_traverse},
    {Py_tp_clear, core_clear},
    {Py_tp_dealloc, core_dealloc},
    {0, NULL},
};

PyType_Spec core_spec = {
    .name = "loopscope._native.Core",
    .basicsize = sizeof(Core),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = core_slots,
};

static void
tie_dealloc(Tie *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyType_Slot tie_slots[] = {
    {Py_tp_doc, "What the stand-ins of a core know it by."},
    {Py_tp_dealloc, tie_dealloc},
    {0, NULL},
};

PyType_Spec tie_spec = {
    .name = "loopscope._native.Tie",
    .basicsize = sizeof(Tie),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = tie_slots,
};

int
core_fail(Core *core)
{
    if (!PyErr_Occurred()) /* never, we hope: the host must not be told of an error that is not there */
        PyErr_SetString(PyExc_SystemError, "loopscope failed without saying why");
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return -1;
    if (core == NULL) { /* it is gone, and is to be told nothing */
        PyErr_Clear();
        return 0;
    }
    if (PyErr_ExceptionMatches(PyExc_RecursionError) && core->cramped < natives.cramped) {
        core->cramped++; /* here, for there is no room to ask Python: see Core.fail */
        PyErr_Clear();
        return 0;
    }
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(error, traceback);
    PyObject *said = PyObject_CallMethodObjArgs((PyObject *)core, natives.names.failing, error, NULL);
    if (said == Py_True) { /* a signal handler's */
        PyErr_Restore(type, error, traceback);
        Py_DECREF(said);
        return -1;
    }
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    if (said != NULL) {
        Py_DECREF(said);
        return 0;
    }
    core->on = 0;
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return -1;
    PyErr_Clear();
    return 0;
}

int
core_tell(Core *core, PyObject *method)
{
    PyObject *done = PyObject_CallMethodNoArgs((PyObject *)core, method);
    if (done == NULL)
        return core_fail(core);
    Py_DECREF(done);
    return 0;
}

/* A record is written: uncollected.lift. */
static inline int
lift(void)
{
    if (PyList_GET_SIZE(natives.off) > 0 && came(PyObject_CallNoArgs(natives.release)) < 0)
        return -1;
    Py_ssize_t count = PyList_GET_SIZE(natives.weights);
    return count == 0 ? 0 : PyList_SetSlice(natives.weights, count - 1, count, NULL);
}

int
core_put(Core *core, PyObject *record, Py_ssize_t limit)
{
    if (core->queue == NULL) /* the collector took it */
        return 0;
    if (lift() < 0)
        return -1;
    if (natives.length(core->queue) < limit) {
        PyObject *done = natives.append(core->queue, record);
        Py_XDECREF(done);
        return done == NULL ? -1 : 1;
    }
    PyObject *dropped = PyObject_GetAttr(core->buffer, natives.names.dropped);
    PyObject *one = PyLong_FromLong(1);
    PyObject *more = dropped == NULL || one == NULL ? NULL : PyNumber_Add(dropped, one);
    int failed = more == NULL ? -1 : PyObject_SetAttr(core->buffer, natives.names.dropped, more);
    Py_XDECREF(dropped);
    Py_XDECREF(one);
    Py_XDECREF(more);
    return failed;
}

PyObject *
core_current(Core *core)
{
    PyObject *current = core->current;
    if (PyCFunction_CheckExact(current) && ((PyCFunctionObject *)current)->m_ml == natives.get) {
        PyObject *found;
        if (PyContextVar_Get(PyCFunction_GET_SELF(current), NULL, &found) < 0 || found != NULL)
            return found;
    }
    return PyObject_CallNoArgs(current);
}

/* A weak reference to a context, or what tells of nothing where it takes none: a new reference. */
static PyObject *
cell_of(PyObject *context)
{
    PyObject *cell = PyWeakref_NewRef(context, NULL);
    if (cell != NULL || !PyErr_ExceptionMatches(PyExc_TypeError))
        return cell;
    PyErr_Clear();
    return Py_NewRef(natives.nothing);
}

/* Describes the span in a context; remembers it, for a context has one weak reference for all that look at it. */
static PyObject *
span_in(Core *core, PyObject *context, PyObject *cell)
{
    if (cell == core->cell)
        return Py_NewRef(core->span);
    PyObject *span = PyObject_CallOneArg(core->describe, context);
    if (span != NULL && cell != natives.nothing) {
        Py_XSETREF(core->cell, Py_NewRef(cell));
        Py_XSETREF(core->span, Py_NewRef(span));
    }
    return span;
}

int
core_look(Core *core, PyObject *life, PyObject *context)
{
    PyObject *cell = cell_of(context);
    PyObject *span = cell == NULL ? NULL : span_in(core, context, cell);
    if (span != NULL)
        Py_SETREF(LIFE_OF(life)->span, span);
    else {
        Py_XDECREF(cell);
        if (!PyErr_ExceptionMatches(PyExc_TypeError))
            return -1;
        PyErr_Clear();
        cell = Py_NewRef(natives.nothing);
    }
    Py_SETREF(LIFE_OF(life)->cell, cell);
    return 0;
}

/* The one met last is remembered by its thread's state, whose number is never given anew. */
PyObject *
enter(void)
{
    static uint64_t last;
    static PyObject *here;
    uint64_t thread = PyThreadState_GetID(PyThreadState_Get());
    if (thread == last)
        return here;
    PyObject *found = PyObject_CallNoArgs(natives.enter);
    if (found == NULL)
        return NULL;
    if (!Py_IS_TYPE(found, natives.here.type)) {
        PyErr_SetString(PyExc_TypeError, "not a Here");
        Py_DECREF(found);
        return NULL;
    }
    Py_XSETREF(here, found);
    last = thread;
    return here;
}
