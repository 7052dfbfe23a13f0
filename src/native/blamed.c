/* Who delayed a step: what Culprits does where no long step and no long callback did, and else has Python do. */
#include "cold.h"

/* pieces that are looked at to name a burst */
enum { MOST = 64 };

/* How a stretch of time divides: see Occupancy.held. */
typedef struct { long long steps, pieces, callbacks, idle, gap; } Held;

static int
item(PyObject *list, Py_ssize_t place, long long *into)
{
    return number(PyList_GET_ITEM(list, place), into);
}

/* The first piece that ends after `since`. */
static Py_ssize_t
first_after(PyObject *ends, long long since)
{
    Py_ssize_t low = 0, high = PyList_GET_SIZE(ends);
    while (low < high) {
        Py_ssize_t middle = (low + high) / 2;
        long long end;
        if (item(ends, middle, &end) < 0)
            return -1;
        if (since < end)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* What lies before `since` of the first piece, or between it and the one before, which is a short pause. */
static int
cut(PyObject *occupancy, Py_ssize_t first, long long since, long long *parts)
{
    PyObject *ends = SLOT(occupancy, cold.occupancy._ends);
    long long begun, before, kind;
    if (item(SLOT(occupancy, cold.occupancy._starts), first, &begun) < 0)
        return -1;
    if (begun < since) {
        PyObject *whose = PyList_GET_ITEM(SLOT(occupancy, cold.occupancy._whose), first);
        if (number(PyTuple_GET_ITEM(whose, 0), &kind) < 0)
            return -1;
        parts[kind == 0 ? 0 : kind + 1] -= since - begun;
    } else if (first > 0) {
        if (item(ends, first - 1, &before) < 0)
            return -1;
        parts[SLOT(occupancy, cold.occupancy._shown) == Py_True ? 2 : 4] += begun - (since > before ? since : before);
    }
    return 0;
}

/* Occupancy.held */
static int
divide(PyObject *occupancy, long long since, Py_ssize_t *first, Held *held)
{
    PyObject *ends = SLOT(occupancy, cold.occupancy._ends);
    long long parts[5] = {0}, now, then;
    *first = first_after(ends, since);
    if (*first < 0)
        return -1;
    if (*first < PyList_GET_SIZE(ends)) {
        PyObject *total = SLOT(occupancy, cold.occupancy._total);
        PyObject *before = PyList_GET_ITEM(SLOT(occupancy, cold.occupancy._sums), *first);
        for (Py_ssize_t part = 0; part < 5; part++) {
            if (number(PyTuple_GET_ITEM(total, part), &now) < 0 || number(PyTuple_GET_ITEM(before, part), &then) < 0)
                return -1;
            parts[part] = now - then;
        }
        if (cut(occupancy, *first, since, parts) < 0)
            return -1;
    }
    *held = (Held){parts[0], parts[1], parts[2], parts[3], parts[4]};
    return 0;
}

/* Whether a long step or callback lies after `since`. */
static int
has_long(PyObject *occupancy, long long since)
{
    PyObject *longs = SLOT(occupancy, cold.occupancy._longs);
    Py_ssize_t count = PyObject_Size(longs);
    if (count <= 0)
        return count < 0 ? -1 : 0;
    PyObject *last = PySequence_GetItem(longs, count - 1);
    long long end;
    int failed = last == NULL ? -1 : number(PyTuple_GET_ITEM(last, 1), &end);
    Py_XDECREF(last);
    return failed ? -1 : end > since;
}

/* The function whose tasks' steps took most of the time, of the last pieces: borrowed, NULL for none or with an error. */
static PyObject *
largest(PyObject *occupancy, Py_ssize_t first, long long since)
{
    PyObject *places[MOST], *whose = SLOT(occupancy, cold.occupancy._whose);
    long long shares[MOST], start, end;
    Py_ssize_t count = 0, at = PyList_GET_SIZE(whose) - 1, best = 0;
    for (Py_ssize_t looked = 0; at >= first && looked < MOST && looked < cold.named; at--, looked++) {
        PyObject *place = PyTuple_GET_ITEM(PyList_GET_ITEM(whose, at), 1);
        if (place == Py_None)
            continue;
        if (item(SLOT(occupancy, cold.occupancy._starts), at, &start) < 0
            || item(SLOT(occupancy, cold.occupancy._ends), at, &end) < 0)
            return NULL;
        Py_ssize_t known = 0;
        while (known < count && places[known] != place)
            known++;
        if (known == count) {
            places[count] = place;
            shares[count++] = 0;
        }
        shares[known] += end - (start > since ? start : since);
    }
    for (Py_ssize_t place = 1; place < count; place++)
        if (shares[place] > shares[best])
            best = place;
    return count ? places[best] : NULL;
}

/* A burst of short steps: a new Delay */
static PyObject *
burst(PyObject *place, const Held *held)
{
    PyObject *file = PyObject_GetAttr(place, cold.name.file), *line = PyObject_GetAttr(place, cold.name.line);
    int named = file == NULL || line == NULL ? -1 : PyObject_IsTrue(file);
    PyObject *where =
        named < 0 ? NULL : named ? PyUnicode_FromFormat("%S:%S", file, line) : PyUnicode_FromString("");
    PyObject *name = PyUnicode_FromFormat("burst %S", SLOT(place, natives.place.qualname)), *made = NULL;
    if (name != NULL && where != NULL)
        made = PyObject_CallFunction(cold.delay, "OOLLOO(ii)", name, Py_None, held->steps, held->pieces,
                                     SLOT(place, natives.place.function), where, 0, -1);
    Py_XDECREF(file);
    Py_XDECREF(line);
    Py_XDECREF(where);
    Py_XDECREF(name);
    return made;
}

/* Culprits._named, where no piece is long: a new Delay; NULL where Python is to find out, or with an error set. */
static PyObject *
name_culprit(Ordinary *self, Passing *passing)
{
    PyObject *occupancy = passing->occupancy;
    Py_ssize_t first;
    Held held;
    if (has_long(occupancy, passing->since) != 0 || divide(occupancy, passing->since, &first, &held) < 0)
        return NULL;
    int timer = passing->kind == cold.text.TIMER && held.gap < cold.late;
    long long callbacks = held.callbacks + (timer ? 0 : held.gap);
    if (held.steps > callbacks && (held.pieces >= cold.burst || held.steps + callbacks >= self->threshold)) {
        PyObject *place = largest(occupancy, first, passing->since);
        return place == NULL || !Py_IS_TYPE(place, natives.place.type) ? NULL : burst(place, &held);
    }
    if (held.steps + callbacks < self->threshold)
        return NULL;
    return PyObject_CallFunction(cold.delay, "sOLiss(ii)", "callback", Py_None, callbacks, 0, "", "", 0, -1);
}

int
blame(Ordinary *self, Passing *passing)
{
    PyObject *delay = name_culprit(self, passing);
    if (delay != NULL) {
        slot_put(passing->step, cold.step.delay, delay);
        return 0;
    }
    if (PyErr_Occurred())
        return -1;
    PyObject *since = PyLong_FromLongLong(passing->since);
    PyObject *done = since == NULL
        ? NULL : PyObject_CallFunctionObjArgs(self->blame, passing->step, passing->occupancy, since, NULL);
    Py_XDECREF(since);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}
