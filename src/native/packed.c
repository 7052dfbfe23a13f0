/* Encoded spans, one after another where they are to stand in a request's body: pipeline/packed.py is the reference.
 *
 * Room is left before them for what the last body began with, and as much for them as the last ones took: so a body is
 * made without being copied.
 */
#include "native.h"
#include <string.h>

struct Packed {
    PyObject_HEAD
    PyObject *bytes; /* in the making; NULL while there are none */
    Py_ssize_t head, size, count;
};

/* Bytes that are made room for at least, and at most before they are needed. */
enum { LEAST = 1 << 14, MOST = 1 << 22 };

/* How long the last body's head was, and the rest of it. */
static Py_ssize_t last_head = 0, last_rest = 0;

static PyObject *
make_room(Py_ssize_t head)
{
    Py_ssize_t rest = last_rest + last_rest / 8;
    rest = rest < LEAST ? LEAST : rest > MOST ? MOST : rest;
    return PyBytes_FromStringAndSize(NULL, head + rest);
}

/* Moves the spans to where there is more room; -1 with an error set, and then all is as before. */
static int
grow(Packed *self, Py_ssize_t head, Py_ssize_t room)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, room);
    if (bytes == NULL)
        return -1;
    memcpy(PyBytes_AS_STRING(bytes) + head, PyBytes_AS_STRING(self->bytes) + self->head, self->size);
    Py_SETREF(self->bytes, bytes);
    self->head = head;
    return 0;
}

int
packed_put(Packed *self, const char *head, size_t head_size, const char *data, size_t size)
{
    if (self->bytes == NULL) {
        self->head = last_head;
        if ((self->bytes = make_room(last_head)) == NULL)
            return -1;
    }
    Py_ssize_t used = self->head + self->size, more = (Py_ssize_t)(head_size + size);
    if (more > PyBytes_GET_SIZE(self->bytes) - used && grow(self, self->head, 2 * (used + more)) < 0)
        return -1;
    char *at = PyBytes_AS_STRING(self->bytes) + used;
    if (head_size > 0)
        memcpy(at, head, head_size);
    memcpy(at + head_size, data, size);
    self->size += more;
    self->count++;
    return 0;
}

static PyObject *
packed_append(Packed *self, PyObject *span)
{
    if (!PyBytes_Check(span))
        return PyErr_Format(PyExc_TypeError, "append() takes bytes, not %s", Py_TYPE(span)->tp_name);
    if (packed_put(self, NULL, 0, PyBytes_AS_STRING(span), PyBytes_GET_SIZE(span)) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
packed_body(Packed *self, PyObject *args)
{
    const char *head, *tail;
    Py_ssize_t first, last;
    if (!PyArg_ParseTuple(args, "y#y#", &head, &first, &tail, &last))
        return NULL;
    if (self->bytes == NULL && (self->bytes = make_room(self->head = first)) == NULL)
        return NULL;
    Py_ssize_t whole = first + self->size + last;
    if (whole > PyBytes_GET_SIZE(self->bytes) && grow(self, first, whole) < 0)
        return NULL;
    PyObject *body = self->bytes;
    char *at = PyBytes_AS_STRING(body);
    if (first != self->head)
        memmove(at + first, at + self->head, self->size);
    memcpy(at, head, first);
    memcpy(at + first + self->size, tail, last);
    last_head = first;
    last_rest = self->size + last;
    self->bytes = NULL;
    self->head = self->size = self->count = 0;
    if (_PyBytes_Resize(&body, whole) < 0)
        return NULL;
    return body;
}

Py_ssize_t
packed_count(Packed *self)
{
    return self->count;
}

static void
packed_dealloc(Packed *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_CLEAR(self->bytes);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMethodDef packed_methods[] = {
    {"append", (PyCFunction)packed_append, METH_O, "One more span, as an encoder has it."},
    {"body", (PyCFunction)packed_body, METH_VARARGS, "Head, spans and tail, in one; there are no spans any more then."},
    {NULL},
};

static PyMemberDef packed_members[] = {
    {"size", T_PYSSIZET, offsetof(Packed, size), READONLY, "How many bytes the spans take."},
    {NULL},
};

static PyType_Slot packed_slots[] = {
    {Py_tp_doc, "Encoded spans on their way into a request's body. See loopscope.pipeline.packed."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_methods, packed_methods},
    {Py_tp_members, packed_members},
    {Py_tp_dealloc, packed_dealloc},
    {Py_sq_length, packed_count},
    {0, NULL},
};

PyType_Spec packed_spec = {
    .name = "loopscope._native.Packed",
    .basicsize = sizeof(Packed),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = packed_slots,
};
