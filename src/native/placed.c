/* Where the spans of the last steps are: pipeline/spans/placed.py is the reference.
 *
 * A ring of entries, of which the oldest makes room for the newest, and chains of those whose key falls into one place.
 * It refers to whole numbers alone: the collector does not know of it.
 */
#include "cold.h"

typedef struct {
    long long task, step;
    PyObject *trace_id, *span_id;
    PyObject *more; /* the further places, in a tuple as Python has them; or NULL */
    int next;       /* of its chain; NONE at the end */
} Entry;

struct Placed {
    PyObject_HEAD
    Entry *entries;
    int *heads;
    int size, count, oldest, bits;
};

enum { NONE = -1, MOST_BITS = 24 };

static int *
head_of(Placed *self, long long task, long long step)
{
    uint64_t first = spread(task) >> (64 - self->bits);
    return &self->heads[(first + (uint64_t)step) & ((1u << self->bits) - 1)]; /* a task's steps lie side by side */
}

static Entry *
find(Placed *self, long long task, long long step)
{
    int at = *head_of(self, task, step);
    while (at != NONE && (self->entries[at].step != step || self->entries[at].task != task))
        at = self->entries[at].next;
    return at == NONE ? NULL : &self->entries[at];
}

static void
empty(Entry *entry)
{
    Py_CLEAR(entry->trace_id);
    Py_CLEAR(entry->span_id);
    Py_CLEAR(entry->more);
}

/* Forgets the oldest: the number of its entry. */
static int
forget(Placed *self)
{
    int at = self->oldest;
    Entry *entry = &self->entries[at];
    int *link = head_of(self, entry->task, entry->step);
    while (*link != at)
        link = &self->entries[*link].next;
    *link = entry->next;
    empty(entry);
    self->oldest = (at + 1) % self->size;
    return at;
}

int
placed_add(Placed *self, long long task, long long step, PyObject *trace_id, PyObject *span_id)
{
    Entry *entry = find(self, task, step);
    if (entry != NULL) {
        PyObject *place = pair(trace_id, span_id);
        if (place != NULL && entry->more != NULL)
            Py_SETREF(place, PySequence_Concat(entry->more, place));
        if (place == NULL)
            return -1;
        Py_XSETREF(entry->more, untracked(place));
        return 0;
    }
    int at = self->count < self->size ? self->count++ : forget(self);
    int *head = head_of(self, task, step);
    self->entries[at] = (Entry){task, step, Py_NewRef(trace_id), Py_NewRef(span_id), NULL, *head};
    *head = at;
    return 0;
}

/* Whether this is the place in that trace; -1 with an error set. */
static int
is_in(PyObject *trace_id, PyObject *wanted)
{
    return trace_id == wanted ? 1 : PyObject_RichCompareBool(trace_id, wanted, Py_EQ);
}

int
placed_find(Placed *self, long long task, long long step, PyObject *trace_id, PyObject **its_trace, PyObject **span_id)
{
    Entry *entry = find(self, task, step);
    if (entry == NULL)
        return 0;
    *its_trace = entry->trace_id;
    *span_id = entry->span_id;
    int same = entry->more == NULL ? 1 : is_in(entry->trace_id, trace_id);
    for (Py_ssize_t place = 0; same == 0 && place + 1 < PyTuple_GET_SIZE(entry->more); place += 2) {
        same = is_in(PyTuple_GET_ITEM(entry->more, place), trace_id);
        if (same == 1) {
            *its_trace = PyTuple_GET_ITEM(entry->more, place);
            *span_id = PyTuple_GET_ITEM(entry->more, place + 1);
        }
    }
    return same < 0 ? -1 : 1;
}

/* ---------------------------------------------------------------- its type */

static PyObject *
placed_make(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    int size, bits = 0;
    if (!PyArg_ParseTuple(args, "i", &size))
        return NULL;
    if (size < 1 || size > 1 << MOST_BITS)
        return PyErr_Format(PyExc_ValueError, "Placed() takes a size from 1 to %d, not %d", 1 << MOST_BITS, size);
    while (bits == 0 || 1 << bits < size)
        bits++;
    Placed *self = (Placed *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->size = size;
    self->bits = bits;
    self->entries = PyMem_RawCalloc(size, sizeof *self->entries); /* not touched, and so not there, before it is used */
    self->heads = PyMem_RawMalloc(sizeof *self->heads << bits);
    if (self->entries == NULL || self->heads == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    for (int head = 0; head < 1 << bits; head++)
        self->heads[head] = NONE;
    return (PyObject *)self;
}

static PyObject *
placed_add_python(Placed *self, PyObject *args)
{
    long long task, step;
    PyObject *trace_id, *span_id;
    if (!PyArg_ParseTuple(args, "LLOO", &task, &step, &trace_id, &span_id)
        || placed_add(self, task, step, trace_id, span_id) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
placed_get(Placed *self, PyObject *args)
{
    long long task, step;
    if (!PyArg_ParseTuple(args, "LL", &task, &step))
        return NULL;
    Entry *entry = find(self, task, step);
    if (entry == NULL)
        Py_RETURN_NONE;
    PyObject *places = pair(entry->trace_id, entry->span_id);
    if (places != NULL && entry->more != NULL)
        Py_SETREF(places, PySequence_Concat(places, entry->more));
    return places;
}

static void
placed_dealloc(Placed *self)
{
    PyTypeObject *type = Py_TYPE(self);
    for (int at = 0; at < self->count; at++)
        empty(&self->entries[at]);
    PyMem_RawFree(self->entries);
    PyMem_RawFree(self->heads);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMethodDef placed_methods[] = {
    {"add", (PyCFunction)placed_add_python, METH_VARARGS, "The step of this task has this span (trace id, span id) too."},
    {"get", (PyCFunction)placed_get, METH_VARARGS, "The spans of a task's step; None where none is remembered."},
    {NULL},
};

static PyType_Slot placed_slots[] = {
    {Py_tp_doc, "Where the spans of so many steps are: Placed(size). See loopscope.pipeline.spans.placed."},
    {Py_tp_new, placed_make},
    {Py_tp_methods, placed_methods},
    {Py_tp_dealloc, placed_dealloc},
    {0, NULL},
};

PyType_Spec placed_spec = {
    .name = "loopscope._native.Placed",
    .basicsize = sizeof(Placed),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = placed_slots,
};
