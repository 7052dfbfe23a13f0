/* What stands for a callback of the loop that may wake tasks, so that their waker is known: stand_ins.Callback. It adds
 * no frame. */
#include "native.h"

int
is_wrappable(PyObject *callback)
{
    PyObject *function = PyMethod_Check(callback) ? PyMethod_GET_FUNCTION(callback) : callback;
    if (PyFunction_Check(function))
        return !(((PyCodeObject *)PyFunction_GET_CODE(function))->co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR));
    return PyCallable_Check(callback) && !Py_IS_TYPE(callback, natives.callback);
}

/* ---------------------------------------------------------------- its call */

/* This thread's Here, a new reference; NULL where there is none. -1 where the callback must not be called. */
static int
arrive(Callback *self, PyObject **here)
{
    Core *core = core_held(self->tie);
    *here = NULL;
    if (core == NULL)
        return 0;
    int failed = core->dozing ? core_tell(core, natives.names.rouse) : 0;
    if (failed == 0 && (*here = Py_XNewRef(enter())) == NULL)
        failed = core_fail(core);
    Py_DECREF(core);
    return failed;
}

static PyObject *
callback_call(Callback *self, PyObject *const *args, size_t flagged, PyObject *keywords)
{
    PyObject *here;
    if (arrive(self, &here) < 0)
        return NULL;
    if (here == NULL)
        return PyObject_Vectorcall(self->wrapped, args, flagged, keywords);
    PyObject *callback = SLOT(here, natives.here.callback), *life = SLOT(here, natives.here.life);
    SLOT(here, natives.here.callback) = Py_NewRef((PyObject *)self);
    SLOT(here, natives.here.life) = Py_NewRef(Py_None);
    PyObject *result = PyObject_Vectorcall(self->wrapped, args, flagged, keywords);
    slot_put(here, natives.here.callback, callback);
    slot_put(here, natives.here.life, life);
    Py_DECREF(here);
    return result;
}

/* ---------------------------------------------------------------- its type */

PyObject *
callback_new(Core *core, PyObject *wrapped, PyObject *kind, long long since, long long waker, long long step)
{
    Callback *self = PyObject_GC_New(Callback, natives.callback);
    if (self == NULL)
        return NULL;
    self->call = (vectorcallfunc)callback_call;
    self->tie = tie_to(core);
    self->wrapped = Py_NewRef(wrapped);
    self->kind = Py_NewRef(kind);
    self->waker = waker;
    self->since = since;
    self->waker_step = step;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

/* Callback(core, callback, kind, since[, waker, waker_step]) */
static PyObject *
callback_make(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *core, *wrapped, *kind;
    long long since, waker = 0, step = 0;
    if (!PyArg_ParseTuple(args, "O!OOL|LL", natives.core, &core, &wrapped, &kind, &since, &waker, &step))
        return NULL;
    return callback_new((Core *)core, wrapped, kind, since, waker, step);
}

/* asyncio asks whether it is a partial, a coroutine function. */
static PyObject *
class_get(Callback *self, void *closure)
{
    return Py_NewRef((PyObject *)Py_TYPE(self->wrapped));
}

static PyObject *
callback_getattr(Callback *self, PyObject *name)
{
    return attribute_of((PyObject *)self, self->wrapped, name);
}

static PyObject *
callback_repr(Callback *self)
{
    return PyObject_Repr(self->wrapped);
}

static Py_hash_t
callback_hash(Callback *self)
{
    return PyObject_Hash(self->wrapped);
}

/* Timers compare their callbacks. */
static PyObject *
callback_compare(Callback *self, PyObject *other, int how)
{
    if (how != Py_EQ && how != Py_NE)
        return Py_NewRef(Py_NotImplemented);
    PyObject *theirs = Py_IS_TYPE(other, natives.callback) ? ((Callback *)other)->wrapped : other;
    return PyObject_RichCompare(self->wrapped, theirs, how);
}

/* No clear: as a Step. */
static int
callback_traverse(Callback *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->wrapped);
    return 0;
}

static void
callback_dealloc(Callback *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_DECREF(self->tie);
    Py_DECREF(self->wrapped);
    Py_DECREF(self->kind);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMemberDef callback_members[] = {
    {"__wrapped__", T_OBJECT, offsetof(Callback, wrapped), READONLY, NULL},
    {"kind", T_OBJECT, offsetof(Callback, kind), READONLY, NULL},
    {"since", T_LONGLONG, offsetof(Callback, since), READONLY, NULL},
    {"waker", T_LONGLONG, offsetof(Callback, waker), READONLY, NULL},
    {"waker_step", T_LONGLONG, offsetof(Callback, waker_step), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Callback, call), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef callback_getset[] = {
    {"__class__", (getter)class_get, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot callback_slots[] = {
    {Py_tp_doc, "Stands for a callback of the loop that may wake tasks."},
    {Py_tp_new, callback_make},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, callback_members},
    {Py_tp_getset, callback_getset},
    {Py_tp_getattro, callback_getattr},
    {Py_tp_repr, callback_repr},
    {Py_tp_hash, callback_hash},
    {Py_tp_richcompare, callback_compare},
    {Py_tp_traverse, callback_traverse},
    {Py_tp_dealloc, callback_dealloc},
    {0, NULL},
};

PyType_Spec callback_spec = {
    .name = "loopscope._native.Callback",
    .basicsize = sizeof(Callback),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .slots = callback_slots,
};
