/* What stands on asyncio's selector as its `select`, so that the loop's looks are seen. polls.py is the reference.
 *
 * On the selector it is a cycle, which the selector's own dictionary breaks.
 */
#include "native.h"

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    /* as our other hooks have it: True */
    char gate;
    Tie *tie;
    /* the thread's Here and Where, and the selector's own method */
    PyObject *here, *where, *original;
    /* `here.ended` as last seen, and the looks since that did not wait */
    long long ended, turns;
} Select;

/* Calls the selector's own method. */
static inline PyObject *
ask(Select *self, PyObject *timeout)
{
    return PyObject_CallOneArg(self->original, timeout);
}

/* A look has ended: what it found may have been there this much earlier. */
static void
looked(Select *self, long long unpolled, long long end)
{
    WHOLE(self->here, natives.here.unpolled) = unpolled;
    WHOLE(self->here, natives.here.polled) = end;
}

/* How long the loop did not look, -1 where that is unknown. */
static long long
busy_until(Select *self, long long start)
{
    long long polled = WHOLE(self->here, natives.here.polled);
    return polled != 0 ? start - polled : -1;
}

/* Whether looks are to be told now, the next one having begun then; -1 with an error set. */
static int
is_due(PyObject *polls, long long start)
{
    if (polls == Py_None || PyTuple_GET_SIZE(polls) == 0)
        return 0;
    if (PyTuple_GET_SIZE(polls) >= natives.kept)
        return 1;
    long long first = whole(PyTuple_GET_ITEM(polls, 0));
    return first == -1 && PyErr_Occurred() ? -1 : start - first >= natives.late;
}

/* The looks that no record has told yet, where there is room for more: borrowed. Else they become a record. */
static PyObject *
room(Select *self, long long start)
{
    PyObject *polls = SLOT(self->here, natives.here.polls);
    int due = is_due(polls, start);
    if (due <= 0)
        return due < 0 ? NULL : polls;
    PyObject *record = PyTuple_Pack(3, natives.polls_tag, self->where, polls);
    int failed = record == NULL ? -1 : core_put(CORE(self), record, CORE(self)->limit);
    Py_XDECREF(record);
    return failed < 0 ? NULL : Py_None;
}

/* Notes a look. */
static int
note(Select *self, long long start, long long end)
{
    PyObject *polls = room(self, start);
    if (polls == NULL)
        return -1;
    Py_ssize_t size = polls == Py_None ? 0 : PyTuple_GET_SIZE(polls);
    PyObject *first = PyLong_FromLongLong(start), *second = PyLong_FromLongLong(end);
    PyObject *longer = first == NULL || second == NULL ? NULL : PyTuple_New(size + 2);
    if (longer == NULL) {
        Py_XDECREF(first);
        Py_XDECREF(second);
        return -1;
    }
    for (Py_ssize_t i = 0; i < size; i++)
        PyTuple_SET_ITEM(longer, i, Py_NewRef(PyTuple_GET_ITEM(polls, i)));
    PyTuple_SET_ITEM(longer, size, first);
    PyTuple_SET_ITEM(longer, size + 1, second);
    slot_put(self->here, natives.here.polls, longer);
    return 0;
}

/* Whether a look that does not wait passes through, as none of the loop's steps was recorded for long. */
static int
passes(Select *self)
{
    long long ended = WHOLE(self->here, natives.here.ended);
    if (ended != self->ended) {
        self->ended = ended;
        self->turns = 0;
        return 0;
    }
    if (self->turns < natives.turns) {
        self->turns++;
        return 0;
    }
    looked(self, -1, 0);
    return 1;
}

/* A look of a loop that is busy, and does not wait. */
static PyObject *
glance(Select *self, PyObject *timeout, long long start)
{
    long long end;
    PyObject *found = ask(self, timeout);
    if (found == NULL)
        return NULL;
    int failed = clock_read(&end);
    if (!failed) {
        looked(self, busy_until(self, start), end);
        failed = end - start >= natives.waited && note(self, start, end) < 0;
    }
    if (failed && core_fail(CORE(self)) < 0)
        Py_CLEAR(found);
    return found;
}

/* The loop was busy for long: it looks first without waiting. What it found, None for nothing; NULL with an error
 * set. */
static PyObject *
look_first(Select *self, long long busy)
{
    PyObject *found = ask(self, natives.zero);
    int any = found == NULL ? -1 : PyObject_IsTrue(found);
    if (any <= 0) {
        Py_XDECREF(found);
        return any < 0 ? NULL : Py_NewRef(Py_None);
    }
    long long end;
    if (clock_read(&end) == 0)
        looked(self, busy, end);
    else if (core_fail(CORE(self)) < 0)
        Py_CLEAR(found);
    return found;
}

/* A look that waited, or might have, is over: -1 where something is meant for the host. */
static int
waited(Select *self, long long start, long long busy)
{
    long long end;
    WHOLE(self->here, natives.here.polling) = 0;
    if (clock_read(&end) < 0)
        return core_fail(CORE(self));
    looked(self, end - start >= natives.waited ? 0 : busy, end);
    if (note(self, start, end) < 0)
        return core_fail(CORE(self));
    return CORE(self)->dozing ? core_tell(CORE(self), natives.names.rouse) : 0;
}

/* A look that may wait. */
static PyObject *
may_wait(Select *self, PyObject *timeout, long long start)
{
    long long busy = busy_until(self, start);
    if (busy >= natives.matters) { /* whether it had to wait cannot be told by how long it took */
        PyObject *found = look_first(self, busy);
        if (found != Py_None)
            return found;
        Py_DECREF(found);
        busy = 0;
    }
    WHOLE(self->here, natives.here.polling) = start;
    PyObject *found = ask(self, timeout);
    Aside aside;
    aside_fetch(&aside);
    if (waited(self, start, busy) == 0) {
        aside_restore(&aside);
        return found;
    }
    Py_XDECREF(found);
    aside_clear(&aside);
    return NULL;
}

/* The one argument, which may be left out or named: borrowed, NULL with an error set. */
static PyObject *
timeout_of(PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    Py_ssize_t named = keywords == NULL ? 0 : PyTuple_GET_SIZE(keywords);
    if (count + named == 0)
        return Py_None;
    if (count + named == 1
        && (named == 0 || PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), "timeout") == 0))
        return args[0];
    PyErr_SetString(PyExc_TypeError, "select() takes one argument, timeout");
    return NULL;
}

static PyObject *
select_call(Select *self, PyObject *const *args, size_t flagged, PyObject *keywords)
{
    PyObject *timeout = timeout_of(args, PyVectorcall_NARGS(flagged), keywords);
    if (timeout == NULL)
        return NULL;
    int busy = timeout == natives.zero;
    if (!busy && timeout != Py_None)
        busy = PyObject_RichCompareBool(timeout, natives.zero, Py_LE);
    if (busy < 0)
        return NULL;
    Core *core = core_held(self->tie);
    PyObject *found = NULL;
    long long start;
    if (core == NULL)
        return ask(self, timeout);
    if (busy && passes(self))
        found = ask(self, timeout);
    else if (clock_read(&start) == 0)
        found = busy ? glance(self, timeout, start) : may_wait(self, timeout, start);
    else if (core_fail(core) == 0)
        found = ask(self, timeout);
    Py_DECREF(core);
    return found;
}

/* ---------------------------------------------------------------- its type */

/* Select(core, here, where, original) */
static PyObject *
select_make(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *core, *here, *where, *original;
    if (!PyArg_ParseTuple(args, "O!O!OO", natives.core, &core, natives.here.type, &here, &where, &original))
        return NULL;
    Select *self = (Select *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->call = (vectorcallfunc)select_call;
    self->gate = 1;
    self->tie = tie_to((Core *)core);
    self->here = Py_NewRef(here);
    self->where = Py_NewRef(where);
    self->original = Py_NewRef(original);
    return (PyObject *)self;
}

/* No clear: as a Step. */
static int
select_traverse(Select *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->here);
    Py_VISIT(self->where);
    Py_VISIT(self->original);
    return 0;
}

static void
select_dealloc(Select *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->tie);
    Py_XDECREF(self->here);
    Py_XDECREF(self->where);
    Py_XDECREF(self->original);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMemberDef select_members[] = {
    {"_loopscope_gate", T_BOOL, offsetof(Select, gate), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Select, call), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot select_slots[] = {
    {Py_tp_doc, "select of a selector, with every look of its loop seen."},
    {Py_tp_new, select_make},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, select_members},
    {Py_tp_traverse, select_traverse},
    {Py_tp_dealloc, select_dealloc},
    {0, NULL},
};

PyType_Spec select_spec = {
    .name = "loopscope._native.Select",
    .basicsize = sizeof(Select),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .slots = select_slots,
};
