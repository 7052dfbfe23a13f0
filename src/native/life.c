/* What hangs on a task: life.Life is the reference.
 *
 * The collector neither knows of it nor counts it: it refers to nothing that refers to it for longer than a step.
 */
#include "native.h"

#define OBJECTS(X) X(activated) X(cell) X(here) X(loop) X(name) X(place) X(span)

PyObject *
life_new(long long id, PyObject *place, PyObject *loop, int excluded)
{
    Life *self = PyObject_New(Life, natives.life);
    if (self == NULL)
        return NULL;
    self->activated = Py_NewRef(Py_None);
    self->cell = Py_NewRef(natives.nothing);
    self->here = Py_NewRef(Py_None);
    self->loop = Py_NewRef(loop);
    self->name = Py_NewRef(natives.unnamed);
    self->place = Py_NewRef(place);
    self->span = Py_NewRef(Py_None);
    self->id = id;
    self->hush = excluded ? natives.first : natives.never;
    self->index = self->ready = self->started = self->uncancelled = 0;
    self->cancels = natives.cancelling ? 0 : 1;
    self->excluded = excluded != 0;
    self->left = self->over = self->unborn = 0;
    return (PyObject *)self;
}

PyObject *
life_id(PyObject *life)
{
    return PyLong_FromLongLong(LIFE_OF(life)->id);
}

/* ---------------------------------------------------------------- its type */

/* Life(id, place, loop, excluded) */
static PyObject *
life_make(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    long long id;
    PyObject *place, *loop;
    int excluded;
    if (!PyArg_ParseTuple(args, "LO!O!p", &id, natives.place.type, &place, natives.loop_state.type, &loop, &excluded))
        return NULL;
    return life_new(id, place, loop, excluded);
}

static void
life_dealloc(Life *self)
{
    PyTypeObject *type = Py_TYPE(self);
#define LET_GO(name) Py_XDECREF(self->name);
    OBJECTS(LET_GO)
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *
muted_get(Life *self, void *closure)
{
    return PyBool_FromLong(self->index >= self->hush);
}

static int
muted_set(Life *self, PyObject *value, void *closure)
{
    int muted = value == NULL ? 0 : PyObject_IsTrue(value);
    if (muted < 0)
        return -1;
    self->hush = muted ? 0 : natives.never + self->index;
    return 0;
}

#define MEMBER(name, type) {#name, type, offsetof(Life, name), 0, NULL},
#define OBJECT_MEMBER(name) MEMBER(name, T_OBJECT_EX)

static PyMemberDef life_members[] = {
    OBJECTS(OBJECT_MEMBER)
    MEMBER(id, T_LONGLONG) MEMBER(index, T_LONGLONG) MEMBER(hush, T_LONGLONG) MEMBER(ready, T_LONGLONG)
    MEMBER(started, T_LONGLONG) MEMBER(uncancelled, T_LONGLONG) MEMBER(cancels, T_INT)
    MEMBER(excluded, T_BOOL) MEMBER(left, T_BOOL) MEMBER(over, T_BOOL) MEMBER(unborn, T_BOOL)
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef life_getset[] = {
    {"muted", (getter)muted_get, (setter)muted_set, "Its steps are passed by now.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot life_slots[] = {
    {Py_tp_doc, "A living task as capture knows it: Life(id, place, loop, excluded). See loopscope.capture.life."},
    {Py_tp_new, life_make},
    {Py_tp_members, life_members},
    {Py_tp_getset, life_getset},
    {Py_tp_dealloc, life_dealloc},
    {0, NULL},
};

PyType_Spec life_spec = {
    .name = "loopscope._native.Life",
    .basicsize = sizeof(Life),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = life_slots,
};
