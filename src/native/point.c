/* awaits.point: the chain of awaits of a task that has just suspended. awaits.py says what is looked for. */
#include "native.h"
#include <string.h>

enum { STANDARD = 0, APPLICATION = 2 };

/* What is found on the way; all owned. */
typedef struct {
    /* the innermost function of the application, and the coroutine that runs it */
    PyObject *found, *at;
    long origin;
    /* the innermost public function of asyncio, its coroutine, and the one around it */
    PyObject *inner, *held, *around;
    /* the innermost coroutine that may hold a timeout */
    PyObject *timed;
    PyObject *chain;
} Walk;

static inline PyObject *
or_none(PyObject *object)
{
    return object != NULL ? object : Py_None;
}

static void
walk_clear(Walk *walk)
{
    Py_CLEAR(walk->found);
    Py_CLEAR(walk->at);
    Py_CLEAR(walk->inner);
    Py_CLEAR(walk->held);
    Py_CLEAR(walk->around);
    Py_CLEAR(walk->timed);
    Py_CLEAR(walk->chain);
}

/* Places found last, by the address of their code, which each keeps alive. */
static PyObject *known[TABLE];

/* The Place of what an item runs: a new reference. */
static PyObject *
place_of(PyObject *item, PyObject *code)
{
    PyObject **entry = &known[place_in_table(code)];
    if (*entry != NULL && SLOT(*entry, natives.place.code) == code)
        return Py_NewRef(*entry);
    PyObject *place = PyObject_CallFunctionObjArgs(natives.place_of, item, code, NULL);
    if (place != NULL && !Py_IS_TYPE(place, natives.place.type)) {
        PyErr_SetString(PyExc_TypeError, "not a Place");
        Py_CLEAR(place);
    }
    if (place != NULL)
        Py_XSETREF(*entry, Py_NewRef(place));
    return place;
}

/* The chain goes on to `place`. */
static int
lengthen(Walk *walk, PyObject *place)
{
    Names *names = &natives.names;
    if (walk->chain == NULL) {
        PyObject *chain = SLOT(walk->found, natives.place.chain);
        if (chain != Py_None)
            walk->chain = Py_NewRef(chain);
        else if ((walk->chain = PyObject_CallMethodObjArgs(natives.chains, names->begin, walk->found, NULL)) == NULL)
            return -1;
    }
    PyObject *longer = PyDict_GetItemWithError(SLOT(walk->chain, natives.chain.further), place);
    if (longer != NULL)
        Py_INCREF(longer);
    else if (PyErr_Occurred() ||
             (longer = PyObject_CallMethodObjArgs(natives.chains, names->extend, walk->chain, place, NULL)) == NULL)
        return -1;
    Py_SETREF(walk->chain, longer);
    return 0;
}

/* This public function of asyncio is the innermost so far. */
static void
hold(Walk *walk, PyObject *place, PyObject *item)
{
    Py_XSETREF(walk->inner, Py_NewRef(place));
    if (Py_IS_TYPE(item, &PyGen_Type)) {
        Py_CLEAR(walk->held);
        return;
    }
    Py_XSETREF(walk->around, walk->held);
    walk->held = Py_NewRef(item);
}

/* One item of the chain of awaits. 1 where nothing further in can matter, -1 with an error set. */
static int
visit(Walk *walk, PyObject *item, const Kind *kind, PyObject *root, int waits)
{
    PyObject *code = reader_read(&kind->code, item);
    if (code == NULL)
        return -1;
    int coroutine = Py_IS_TYPE(item, &PyCoro_Type);
    int sleeps = coroutine && code == natives.sleep && walk->found != NULL;
    PyObject *place;
    if (coroutine && !sleeps && code == SLOT(root, natives.place.code))
        place = Py_NewRef(root);
    else
        place = place_of(item, code);
    Py_DECREF(code);
    if (place == NULL)
        return -1;
    if (sleeps) {
        hold(walk, place, item);
        Py_DECREF(place);
        return 1;
    }
    if (coroutine && SLOT(place, natives.place.timed) == Py_True)
        Py_XSETREF(walk->timed, Py_NewRef(item));
    int further = 0;
    long origin = (long)whole(SLOT(place, natives.place.origin));
    int public = PyUnicode_GET_LENGTH(SLOT(place, natives.place.public)) > 0;
    if (walk->found == NULL || origin >= walk->origin) {
        if (walk->found != NULL && walk->origin == APPLICATION && waits && !Py_IS_TYPE(item, &PyGen_Type) &&
            lengthen(walk, place) < 0) {
            Py_DECREF(place);
            return -1;
        }
        Py_XSETREF(walk->found, Py_NewRef(place));
        Py_XSETREF(walk->at, Py_NewRef(item));
        walk->origin = origin;
        if (origin != STANDARD)
            Py_CLEAR(walk->inner);
        else if (coroutine && public)
            hold(walk, place, item);
    }
    else if (public && !Py_IS_TYPE(item, &PyAsyncGen_Type)) {
        hold(walk, place, item);
        further = coroutine && SLOT(place, natives.place.leaf) == Py_True;
    }
    Py_DECREF(place);
    return further;
}

/* Whether an item that is none of the known kinds may hide what it awaits; -1 with an error set. That is told by the
 * name of its type, and the last one that cannot get another name is remembered, such as a future's iterator's. */
static int
hides(PyObject *item)
{
    static PyTypeObject *open;
    PyTypeObject *type = Py_TYPE(item);
    if (type == open)
        return 0;
    /* its metaclass is not asked */
    const char *last = PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE) ? NULL : strrchr(type->tp_name, '.');
    PyObject *name = PyUnicode_FromString(last == NULL ? type->tp_name : last + 1);
    int hiding = name == NULL ? -1 : PySet_Contains(natives.hiding, name);
    Py_XDECREF(name);
    if (hiding == 0
        && (!PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE) || PyType_HasFeature(type, Py_TPFLAGS_IMMUTABLETYPE)))
        Py_XSETREF(open, (PyTypeObject *)Py_NewRef((PyObject *)type));
    return hiding;
}

/* From the task's coroutine inwards. Takes over the reference to it. */
static int
walk_in(Walk *walk, PyObject *item, PyObject *root, int waits)
{
    while (item != NULL && item != Py_None) {
        Kind *kind = coroutine_kind(item);
        PyObject *next;
        if (kind != NULL) {
            int ended = visit(walk, item, kind, root, waits);
            next = ended ? NULL : reader_read(&kind->awaited, item);
        }
        else
            next = hides(item) <= 0 ? NULL : PyObject_CallOneArg(natives.hidden, item);
        Py_SETREF(item, next);
    }
    Py_XDECREF(item);
    return PyErr_Occurred() ? -1 : 0;
}

/* The name of a future of asyncio's own that nobody of asyncio's waits for, nor said what it stands for: at the end of
 * this chain. A new reference; NULL, with or without an error set, where that is not so, or not known yet. */
static PyObject *
plain(const Walk *walk, PyObject *waiter)
{
    if (walk->timed != NULL || (PyObject *)Py_TYPE(waiter) != natives.future)
        return NULL;
    PyObject *label;
    if (hung_on(waiter, natives.names._loopscope_label, &label) != 0) {
        Py_XDECREF(label);
        return NULL;
    }
    PyObject *named = natives.plain;
    if (walk->chain != NULL)
        named = PyDict_GetItemWithError(SLOT(walk->chain, natives.chain.waits), named);
    return Py_XNewRef(named);
}

#if PY_VERSION_HEX >= 0x030B0000

/* What a coroutine refers to, one after the other: its first argument comes after its code. */
typedef struct { PyObject *code, *argument; int count, next; } Search;

static int
search(PyObject *object, void *arg)
{
    Search *search = arg;
    if (search->next) {
        search->argument = object;
        return 1;
    }
    search->next = search->count++ >= 2 && object == search->code;
    return 0;
}

/* How long a coroutine of asyncio.sleep sleeps, as private.argument: borrowed, NULL where that is not found. */
static PyObject *
delay_of(PyObject *sleep)
{
    Search found = {.code = natives.sleep};
    Py_TYPE(sleep)->tp_traverse(sleep, search, &found);
    return found.argument;
}

/* The Wait of asyncio.sleep, where its delay was met before: a new reference. NULL, with or without an error set, where
 * that is not so. */
static PyObject *
sleeping(const Walk *walk, PyObject *waiter)
{
    if (walk->held == NULL || walk->timed != NULL || (PyObject *)Py_TYPE(waiter) != natives.future
        || SLOT(walk->inner, natives.place.code) != natives.sleep)
        return NULL;
    PyObject *delay = delay_of(walk->held);
    if (delay == NULL || (!PyFloat_CheckExact(delay) && !PyLong_CheckExact(delay)))
        return NULL;
    PyObject *details = PyDict_GetItemWithError(natives.sleeps, delay);
    if (details == NULL || PyTuple_GET_SIZE(details) == 0)
        return NULL;
    PyObject *made = natives.wait->tp_alloc(natives.wait, 2);
    if (made == NULL)
        return NULL;
    PyTuple_SET_ITEM(made, 0, Py_NewRef(walk->inner));
    PyTuple_SET_ITEM(made, 1, Py_NewRef(details));
    return untracked(made);
}

#else

/* Its arguments hang on its frame. */
static PyObject *
sleeping(const Walk *walk, PyObject *waiter)
{
    return NULL;
}

#endif

/* As awaits.told. */
static PyObject *
awaiting(const Walk *walk, PyObject *waiter)
{
    PyObject *found = walk->inner == NULL ? plain(walk, waiter) : sleeping(walk, waiter);
    if (found != NULL || PyErr_Occurred())
        return found;
    found = PyObject_CallFunctionObjArgs(
        natives.told, waiter, or_none(walk->inner), or_none(walk->held), or_none(walk->around), or_none(walk->timed),
        or_none(walk->chain), NULL);
    return found != NULL && Py_IS_TYPE(found, natives.wait) ? untracked(found) : found;
}

int
point(PyObject *task, PyObject *waiter, PyObject *root, Point *point)
{
    Walk walk = {0};
    *point = (Point){0};
    int waits = waiter != Py_None;
    PyObject *coroutine = reader_read(&natives.task.coroutine, task);
    if (coroutine == NULL || walk_in(&walk, coroutine, root, waits) < 0)
        goto error;
    point->awaiting = waits ? awaiting(&walk, waiter) : Py_NewRef(Py_None);
    point->lasti = walk.at == NULL ? -1 : suspended_at(walk.at);
    if (point->awaiting == NULL || (point->lasti == -1 && PyErr_Occurred()))
        goto error;
    point->place = Py_NewRef(or_none(walk.found));
    walk_clear(&walk);
    return 0;
error:
    walk_clear(&walk);
    Py_CLEAR(point->awaiting);
    return -1;
}
