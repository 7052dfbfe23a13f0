/* The type Ordinary: records are taken one by one, or many at a time. See cold.h. */
#include "cold.h"
#include <string.h>

static PyObject *
ordinary_feed(Ordinary *self, PyObject *record)
{
    lives_lend((Lives *)self->lives, 1);
    int done = take(self, record);
    lives_lend((Lives *)self->lives, 0);
    forget_batch(self);
    if (done < 0 || tell_coalesced(self) < 0)
        return NULL;
    lives_rest((Lives *)self->lives);
    return PyBool_FromLong(done);
}

/* ---------------------------------------------------------------- many of them */

/* So many are taken at once at most, and for so long (nanoseconds), so that others get their turn. */
enum { MANY = 64, LONG = 100000 };

/* Takes records up to the first that is not ordinary: how many, -1 with an error set. */
static Py_ssize_t
take_many(Ordinary *self, Py_ssize_t most)
{
    Py_ssize_t taken = 0;
    long long began, now;
    int ordinary = clock_read(&began) < 0 ? -1 : 1;
    while (ordinary == 1 && taken < most && natives.length(self->queue) > 0) {
        PyObject *record = natives.popleft(self->queue, NULL);
        ordinary = record == NULL ? -1 : take(self, record);
        Py_XDECREF(record);
        taken++;
        if (ordinary == 1 && taken % 8 == 0) {
            if (clock_read(&now) < 0)
                return -1;
            if (now - began >= LONG)
                break;
        }
    }
    return ordinary < 0 ? -1 : taken;
}

static PyObject *
ordinary_drain(Ordinary *self, PyObject *most)
{
    Py_ssize_t many = PyLong_AsSsize_t(most);
    if (many == -1 && PyErr_Occurred())
        return NULL;
    if (take_spare(self) < 0)
        return NULL;
    lives_lend((Lives *)self->lives, 1);
    Py_ssize_t taken = take_many(self, many < MANY ? many : MANY);
    lives_lend((Lives *)self->lives, 0);
    drop_spare(self); /* whose ids are to be used may change meanwhile */
    forget_batch(self);
    if (taken < 0 || tell_coalesced(self) < 0)
        return NULL;
    lives_rest((Lives *)self->lives);
    return PyLong_FromSsize_t(taken);
}

/* ---------------------------------------------------------------- its type */

/* object.one.two.name, the path being `one.two`: a new reference */
static PyObject *
follow(PyObject *object, const char *path, const char *name)
{
    PyObject *at = Py_NewRef(object);
    while (at != NULL && *path) {
        const char *end = strchr(path, '.');
        size_t length = end == NULL ? strlen(path) : (size_t)(end - path);
        PyObject *key = PyUnicode_FromStringAndSize(path, length);
        Py_SETREF(at, key == NULL ? NULL : PyObject_GetAttr(at, key));
        Py_XDECREF(key);
        path += length + (end != NULL);
    }
    PyObject *found = at == NULL ? NULL : PyObject_GetAttrString(at, name);
    Py_XDECREF(at);
    return found;
}

/* No step takes so long, and no trace has so many spans; sixteen times as much is a number still. */
#define ENOUGH (1LL << 58)

/* A limit, ENOUGH where it is beyond that. */
static int
take_limit(PyObject *pipeline, const char *path, const char *name, long long *into)
{
    PyObject *found = follow(pipeline, path, name);
    int beyond = 0;
    *into = found == NULL ? -1 : PyLong_AsLongLongAndOverflow(found, &beyond);
    Py_XDECREF(found);
    if (*into == -1 && PyErr_Occurred())
        return -1;
    if (beyond > 0 || *into > ENOUGH)
        *into = ENOUGH;
    return 0;
}

#define TAKE_PART(part, path, attribute) if ((self->part = follow(pipeline, path, attribute)) == NULL) goto failed;
#define TAKE_LIMIT(limit, path, attribute) if (take_limit(pipeline, path, attribute, &self->limit) < 0) goto failed;

/* Ordinary(pipeline) */
static PyObject *
ordinary_make(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *pipeline;
    if (!PyArg_ParseTuple(args, "O", &pipeline) || cold_load() < 0)
        return NULL;
    Ordinary *self = (Ordinary *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->pipeline = Py_NewRef(pipeline);
    PARTS(TAKE_PART)
    LIMITS(TAKE_LIMIT)
    if (Py_IS_TYPE(self->lives, natives.lives) && PyDict_CheckExact(self->lines) && PyDict_CheckExact(self->looks)
        && PyDict_CheckExact(self->threads) && PyDict_CheckExact(self->turns) && PyDict_CheckExact(self->loops)
        && Py_IS_TYPE(self->known, natives.lives) && PyDict_CheckExact(self->foreign) && PyDict_CheckExact(self->owed)
        && PyDict_CheckExact(self->leaving) && PyDict_CheckExact(self->waiting)
        && PyDict_CheckExact(self->stalled) && PyDict_CheckExact(self->muted) && PySet_CheckExact(self->suspects)
        && Py_IS_TYPE(self->sums, cold.sums.type) && Py_IS_TYPE(self->names, cold.recent.type)
        && Py_IS_TYPE(self->placed, natives.placed) && Py_IS_TYPE(self->closed, cold.recent.type)
        && Py_IS_TYPE(self->over, cold.recent.type) && Py_IS_TYPE(self->queue, natives.deque)
        && Py_IS_TYPE(self->held, natives.deque))
        return (PyObject *)self;
    PyErr_SetString(PyExc_TypeError, "Ordinary() takes a Pipeline");
failed:
    Py_DECREF(self);
    return NULL;
}

#define VISIT_PART(part, path, attribute) Py_VISIT(self->part);
#define CLEAR_PART(part, path, attribute) Py_CLEAR(self->part);

static int
ordinary_traverse(Ordinary *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->pipeline);
    Py_VISIT(self->span_ids);
    Py_VISIT(self->trace_ids);
    Py_VISIT(self->sampled);
    PARTS(VISIT_PART)
    return 0;
}

/* No clear: as a Step, it never changes. Its pipeline lets go of it. */
static void
ordinary_dealloc(Ordinary *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    for (int place = 0; place < MEMORIES; place++) {
        memory_clear(&self->kinds[place]);
        memory_clear(&self->pieces[place]);
        memory_clear(&self->names_of[place]);
        memory_clear(&self->bursts[place]);
    }
    Py_CLEAR(self->spare);
    while (self->spared > 0)
        Py_DECREF(self->spares[--self->spared]);
    forget_batch(self);
    Py_CLEAR(self->pipeline);
    drop_spare(self);
    PARTS(CLEAR_PART)
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMethodDef ordinary_methods[] = {
    {"feed", (PyCFunction)ordinary_feed, METH_O,
     "Take one record. True where it was an ordinary step's or a birth; all others go to the assembler."},
    {"drain", (PyCFunction)ordinary_drain, METH_O,
     "Take so many records at most from the source, and no more once one was not ordinary. How many."},
    {NULL},
};

static PyType_Slot ordinary_slots[] = {
    {Py_tp_doc, "The way of ordinary steps from their record to their span's bytes: Ordinary(pipeline)."},
    {Py_tp_new, ordinary_make},
    {Py_tp_methods, ordinary_methods},
    {Py_tp_traverse, ordinary_traverse},
    {Py_tp_dealloc, ordinary_dealloc},
    {0, NULL},
};

PyType_Spec ordinary_spec = {
    .name = "loopscope._native.Ordinary",
    .basicsize = sizeof(Ordinary),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = ordinary_slots,
};
