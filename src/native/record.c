/* A step's record, its times and indices in machine numbers: it reads as the tuple that model.py describes.
 *
 * The collector does not know of it: it refers to nothing that could refer to it.
 */
#include "native.h"

/* Items of a record: see model.py. */
enum {
    TAG, ID, INDEX, WHERE, HOW, START, END, OUTCOME, AWAITING, POINT, LASTI, SPAN, ACTIVATED, AFTER, NAME, STATE, ERROR,
    POLLS, ITEMS
};

/* ---------------------------------------------------------------- how a task became ready */

PyObject *
how_tuple(const How *how)
{
    return Py_BuildValue("LOLLO", how->since, how->kind, how->waker, how->step, how->name);
}

int
how_read(How *how, PyObject *tuple)
{
    if (!PyArg_ParseTuple(tuple, "LOLLO", &how->since, &how->kind, &how->waker, &how->step, &how->name))
        return -1;
    Py_INCREF(how->kind);
    Py_INCREF(how->name);
    return 0;
}

/* ---------------------------------------------------------------- from a tuple and back */

#define OBJECTS(X) \
    X(where, WHERE) X(outcome, OUTCOME) X(awaiting, AWAITING) X(point, POINT) X(span, SPAN) \
    X(activated, ACTIVATED) X(after, AFTER) X(name, NAME) X(state, STATE) X(error, ERROR) X(polls, POLLS)
#define INTEGERS(X) X(id, ID) X(index, INDEX) X(start, START) X(end, END) X(lasti, LASTI)

Record *
record_new(void)
{
    return PyObject_New(Record, natives.record);
}

Record *
record_of(PyObject *tuple)
{
    if (!PyTuple_CheckExact(tuple) || PyTuple_GET_SIZE(tuple) != ITEMS || PyTuple_GET_ITEM(tuple, TAG) != natives.tag)
        return NULL;
    PyObject **item = &PyTuple_GET_ITEM(tuple, 0), *how = item[HOW];
    if ((item[ACTIVATED] != Py_None && !PyList_CheckExact(item[ACTIVATED]))
        || (item[POLLS] != Py_None && !PyTuple_CheckExact(item[POLLS]))
        || !PyTuple_CheckExact(how) || !PyTuple_Check(item[WHERE]) || PyTuple_GET_SIZE(item[WHERE]) != 3)
        return NULL;
    Record *self = record_new();
    if (self == NULL)
        return NULL;
    self->how = (How){0};
#define FROM_OBJECT(field, place) self->field = Py_NewRef(item[place]);
#define FROM_INTEGER(field, place) self->field = whole(item[place]);
    OBJECTS(FROM_OBJECT)
    INTEGERS(FROM_INTEGER)
    if (how_read(&self->how, how) < 0 || PyErr_Occurred())
        Py_CLEAR(self);
    return self;
}

/* A new reference, NULL with an error set. */
static PyObject *
record_tuple(Record *self)
{
    PyObject *tuple = PyTuple_New(ITEMS);
    if (tuple == NULL)
        return NULL;
#define TO_OBJECT(field, place) PyTuple_SET_ITEM(tuple, place, Py_NewRef(self->field));
#define TO_INTEGER(field, place) PyTuple_SET_ITEM(tuple, place, PyLong_FromLongLong(self->field));
    OBJECTS(TO_OBJECT)
    INTEGERS(TO_INTEGER)
    PyTuple_SET_ITEM(tuple, TAG, Py_NewRef(natives.tag));
    PyTuple_SET_ITEM(tuple, HOW, how_tuple(&self->how));
    if (PyErr_Occurred())
        Py_CLEAR(tuple);
    return tuple;
}

/* ---------------------------------------------------------------- its type */

static Py_ssize_t
record_length(Record *self)
{
    return ITEMS;
}

static PyObject *
record_item(Record *self, PyObject *key)
{
    if (key == natives.zero)
        return Py_NewRef(natives.tag); /* what everybody asks first */
    PyObject *tuple = record_tuple(self), *item = tuple == NULL ? NULL : PyObject_GetItem(tuple, key);
    Py_XDECREF(tuple);
    return item;
}

static PyObject *
record_iterate(Record *self)
{
    PyObject *tuple = record_tuple(self), *items = tuple == NULL ? NULL : PyObject_GetIter(tuple);
    Py_XDECREF(tuple);
    return items;
}

/* Another record, or a tuple. */
static PyObject *
record_compare(Record *self, PyObject *other, int how)
{
    PyObject *tuple = record_tuple(self), *same = NULL;
    PyObject *theirs = Py_IS_TYPE(other, natives.record) ? record_tuple((Record *)other) : Py_NewRef(other);
    if (tuple != NULL && theirs != NULL)
        same = PyObject_RichCompare(tuple, theirs, how);
    Py_XDECREF(tuple);
    Py_XDECREF(theirs);
    return same;
}

static PyObject *
record_repr(Record *self)
{
    PyObject *tuple = record_tuple(self), *said = tuple == NULL ? NULL : PyObject_Repr(tuple);
    Py_XDECREF(tuple);
    return said;
}

static void
record_dealloc(Record *self)
{
    PyTypeObject *type = Py_TYPE(self);
    how_clear(&self->how);
#define LET_GO(field, place) Py_XDECREF(self->field);
    OBJECTS(LET_GO)
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyType_Slot record_slots[] = {
    {Py_tp_doc, "The record of a step: reads as the tuple that the Python core writes."},
    {Py_mp_length, record_length},
    {Py_mp_subscript, record_item},
    {Py_tp_iter, record_iterate},
    {Py_tp_richcompare, record_compare},
    {Py_tp_repr, record_repr},
    {Py_tp_dealloc, record_dealloc},
    {0, NULL},
};

PyType_Spec record_spec = {
    .name = "loopscope._native.Record",
    .basicsize = sizeof(Record),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = record_slots,
};
