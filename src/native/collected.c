/* What the garbage collector tells of its collections: collector.Collected. It runs no Python, in whose first line an
 * exception of a signal handler would be raised, which the collector discards. */
#include "native.h"

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    Tie *tie;
    PyObject *lately;
    long long since, least;
} Collected;

/* A long one is remembered and recorded. */
static int
note(Collected *self, Core *core, long long since, long long now)
{
    PyObject *pair = Py_BuildValue("(LL)", since, now);
    PyObject *done = pair == NULL ? NULL : natives.append(self->lately, pair);
    Py_XDECREF(pair);
    if (came(done) < 0)
        return -1;
    PyObject *record =
        untracked(Py_BuildValue("(OkLL)", natives.collection_tag, PyThread_get_thread_ident(), since, now));
    int put = record == NULL ? -1 : core_put(core, record, core->reserve);
    Py_XDECREF(record);
    return put;
}

static PyObject *
collected_call(Collected *self, PyObject *const *args, size_t flagged, PyObject *keywords)
{
    if (PyVectorcall_NARGS(flagged) != 2 || !PyUnicode_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "not what the collector tells");
        return NULL;
    }
    Core *core = core_held(self->tie);
    if (core == NULL)
        Py_RETURN_NONE;
    long long now = 0, since = self->since;
    int failed = clock_read(&now);
    self->since = PyUnicode_CompareWithASCIIString(args[0], "start") == 0 ? now : 0;
    if (failed == 0 && self->since == 0 && since != 0 && now - since >= self->least)
        failed = note(self, core, since, now);
    if (failed < 0)
        failed = core_fail(core);
    Py_DECREF(core);
    return failed < 0 ? NULL : Py_NewRef(Py_None);
}

/* Collected(core, lately, least) */
static PyObject *
collected_make(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    Core *core;
    PyObject *lately;
    long long least;
    if (!PyArg_ParseTuple(args, "O!O!L", natives.core, &core, natives.deque, &lately, &least))
        return NULL;
    Collected *self = (Collected *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->call = (vectorcallfunc)collected_call;
    self->tie = tie_to(core);
    self->lately = Py_NewRef(lately);
    self->least = least;
    return (PyObject *)self;
}

static void
collected_dealloc(Collected *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_DECREF(self->tie);
    Py_DECREF(self->lately);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMemberDef collected_members[] = {
    {"since", T_LONGLONG, offsetof(Collected, since), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Collected, call), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot collected_slots[] = {
    {Py_tp_doc, "Hears of the garbage collector's collections."},
    {Py_tp_new, collected_make},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, collected_members},
    {Py_tp_dealloc, collected_dealloc},
    {0, NULL},
};

PyType_Spec collected_spec = {
    .name = "loopscope._native.Collected",
    .basicsize = sizeof(Collected),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .slots = collected_slots,
};
