/* Who held a thread: what Culprits and Occupancy do of a step that runs within no other and delays nobody. */
#include "cold.h"

/* When the turn of a loop that does not show its looks began, and when its last step ended: 0 where that is unknown.
 * `turn`: what says so, borrowed; NULL where nothing does. */
static int
last_turn(Ordinary *self, Passing *passing, PyObject **turn, long long *began, long long *last)
{
    *turn = PyDict_GetItemWithError(self->turns, passing->thread);
    *began = *last = 0;
    if (*turn == NULL)
        return PyErr_Occurred() ? -1 : 0;
    return number(PyTuple_GET_ITEM(*turn, 0), began) < 0 || number(PyTuple_GET_ITEM(*turn, 1), last) < 0 ? -1 : 0;
}

/* Since when what came from outside may have waited to be noticed: the first part of Culprits._turn. */
static int
guess(Ordinary *self, Passing *passing)
{
    int woken = PyObject_IsTrue(passing->waker), named = PyObject_IsTrue(passing->waker_name);
    int outside = passing->kind == cold.text.IO || (passing->kind == cold.text.CALLBACK && !woken && !named);
    long long began, last;
    PyObject *turn;
    if (woken < 0 || named < 0 || last_turn(self, passing, &turn, &began, &last) < 0)
        return -1;
    if (!outside || passing->unpolled >= 0 || !began)
        return 0;
    long long busy = passing->ready - last < cold.pause ? last - began : 0;
    busy = busy < passing->ready - passing->last ? busy : passing->ready - passing->last;
    passing->unpolled = busy > 0 ? busy : 0;
    passing->guessed = 1;
    return 0;
}

int
occupied_fits(Ordinary *self, Passing *passing)
{
    PyObject *occupancy = PyDict_GetItemWithError(self->threads, passing->thread);
    if (occupancy == NULL || !Py_IS_TYPE(occupancy, cold.occupancy.type))
        return PyErr_Occurred() ? -1 : 0;
    long long until;
    if (number(SLOT(occupancy, cold.occupancy._until), &until) < 0)
        return -1;
    passing->occupancy = occupancy;
    if (until > passing->start)
        return 0;
    return passing->polls == Py_None && guess(self, passing) < 0 ? -1 : 1;
}

/* ---------------------------------------------------------------- pieces */

/* Which of the running sums a kind of piece counts in. */
static Py_ssize_t
column_of(PyObject *kind)
{
    return kind == cold.kind_step ? 0 : kind == cold.kind_callback ? 2 : kind == cold.kind_idle ? 3 : 4;
}

/* The running sums with more in them. */
static int
count(PyObject *occupancy, PyObject *kind, long long length, int piece)
{
    PyObject *before = SLOT(occupancy, cold.occupancy._total), *total;
    long long sum;
    if (Py_REFCNT(before) == 1) { /* no piece has it */
        PyObject **cell = &PyTuple_GET_ITEM(before, column_of(kind)), **pieces = &PyTuple_GET_ITEM(before, 1);
        if (number(*cell, &sum) < 0 || put_whole(cell, sum + length) < 0)
            return -1;
        return piece && kind == cold.kind_step && (number(*pieces, &sum) < 0 || put_whole(pieces, sum + piece) < 0)
            ? -1 : 0;
    }
    total = PyTuple_New(5);
    if (total == NULL)
        return -1;
    for (Py_ssize_t column = 0; column < 5; column++) {
        PyObject *sum = PyTuple_GET_ITEM(before, column);
        long long more = column == column_of(kind) ? length : column == 1 && kind == cold.kind_step ? piece : 0;
        long long value = 0;
        if (more && number(sum, &value) < 0) {
            Py_DECREF(total);
            return -1;
        }
        PyObject *made = more ? PyLong_FromLongLong(value + more) : Py_NewRef(sum);
        if (made == NULL) {
            Py_DECREF(total);
            return -1;
        }
        PyTuple_SET_ITEM(total, column, made);
    }
    untracked(total);
    slot_put(occupancy, cold.occupancy._total, total);
    return 0;
}

static int
append(PyObject *cell, Py_ssize_t offset, PyObject *item)
{
    if (item == NULL)
        return -1;
    int failed = PyList_Append(SLOT(cell, offset), item);
    Py_DECREF(item);
    return failed;
}

/* A piece that is found by itself. */
static int
remember_long(PyObject *occupancy, long long start, long long end, PyObject *kind, PyObject *place)
{
    PyObject *piece = named_tuple(cold.piece, 5, PyLong_FromLongLong(start), PyLong_FromLongLong(end), Py_NewRef(kind),
                                  Py_NewRef(place), Py_NewRef(Py_None));
    PyObject *done = piece == NULL ? NULL : natives.append(SLOT(occupancy, cold.occupancy._longs), piece);
    Py_XDECREF(piece);
    return came(done);
}

/* The older half of the pieces is forgotten once there are so many. */
static int
forget(PyObject *occupancy)
{
    const Py_ssize_t columns[] = {
        cold.occupancy._starts, cold.occupancy._ends, cold.occupancy._whose, cold.occupancy._sums,
    };
    if (PyList_GET_SIZE(SLOT(occupancy, cold.occupancy._ends)) < 2 * cold.kept)
        return 0;
    for (int column = 0; column < 4; column++)
        if (PyList_SetSlice(SLOT(occupancy, columns[column]), 0, cold.kept, NULL) < 0)
            return -1;
    return 0;
}

/* Whose a piece is that has no holder: a new reference. Of a step's function the same again, if it is remembered. */
static PyObject *
whose(Ordinary *self, PyObject *kind, PyObject *place)
{
    if (place == Py_None) {
        PyObject *gap = kind == cold.kind_idle ? cold.of_idle : cold.of_gap;
        return Py_NewRef(kind == cold.kind_callback ? cold.of_callbacks : gap);
    }
    Memory *memory = memory_of(self->pieces, place, place);
    if (memory->of[0] != place) {
        PyObject *made = untracked(PyTuple_Pack(3, kind, place, Py_None));
        if (made == NULL)
            return NULL;
        memory_clear(memory);
        memory->of[0] = Py_NewRef(place);
        memory->found = made;
    }
    return Py_NewRef(memory->found);
}

/* Occupancy._push, of a piece without a holder. */
static int
push(Ordinary *self, PyObject *occupancy, long long start, long long end, PyObject *kind, PyObject *place)
{
    long long until, shortest;
    if (number(SLOT(occupancy, cold.occupancy._until), &until) < 0
        || number(SLOT(occupancy, cold.occupancy._long), &shortest) < 0
        || (end > until && slot_number(occupancy, cold.occupancy._until, end) < 0))
        return -1;
    if (end <= start)
        return 0;
    if (append(occupancy, cold.occupancy._starts, PyLong_FromLongLong(start)) < 0
        || append(occupancy, cold.occupancy._ends, PyLong_FromLongLong(end)) < 0
        || append(occupancy, cold.occupancy._whose, whose(self, kind, place)) < 0
        || append(occupancy, cold.occupancy._sums, Py_NewRef(SLOT(occupancy, cold.occupancy._total))) < 0
        || count(occupancy, kind, end - start, 1) < 0)
        return -1;
    if (end - start >= shortest && kind != cold.kind_idle && remember_long(occupancy, start, end, kind, place) < 0)
        return -1;
    return forget(occupancy);
}

/* Occupancy._pause */
static int
rest(Ordinary *self, PyObject *occupancy, long long start, long long end, PyObject *kind)
{
    long long shortest;
    if (number(SLOT(occupancy, cold.occupancy._short), &shortest) < 0)
        return -1;
    if (end - start >= shortest)
        return push(self, occupancy, start, end, kind, Py_None);
    if (end <= start)
        return 0;
    return count(occupancy, kind, end - start, 0) < 0 ? -1 : slot_number(occupancy, cold.occupancy._until, end);
}

/* Occupancy._between */
static int
between(Ordinary *self, PyObject *occupancy, long long until, PyObject *polls)
{
    long long at, begin, end;
    if (number(SLOT(occupancy, cold.occupancy._until), &at) < 0)
        return -1;
    if (at == 0)
        at = until;
    int shown = polls != Py_None;
    slot_put(occupancy, cold.occupancy._shown, Py_NewRef(shown ? Py_True : Py_False));
    PyObject *kind = shown ? cold.kind_callback : cold.kind_gap;
    for (Py_ssize_t place = 0; shown && place + 1 < PyTuple_GET_SIZE(polls); place += 2) {
        if (number(PyTuple_GET_ITEM(polls, place), &begin) < 0 || number(PyTuple_GET_ITEM(polls, place + 1), &end) < 0)
            return -1;
        begin = begin > at ? begin : at;
        end = end < until ? end : until;
        if (end <= begin)
            continue;
        if (rest(self, occupancy, at, begin, kind) < 0
            || push(self, occupancy, begin, end, cold.kind_idle, Py_None) < 0)
            return -1;
        at = end;
    }
    return rest(self, occupancy, at, until, kind);
}

/* ---------------------------------------------------------------- a step */

/* The second part of Culprits._turn. */
static int
turn(Ordinary *self, Passing *passing)
{
    long long began, last;
    PyObject *turn;
    if (last_turn(self, passing, &turn, &began, &last) < 0)
        return -1;
    if (!began || passing->ready >= began || passing->start - last >= cold.pause)
        began = passing->start;
    return put_pair_of(self->turns, passing->thread, turn, began, passing->end > last ? passing->end : last);
}

int
occupied(Ordinary *self, Passing *passing)
{
    if (between(self, passing->occupancy, passing->start, passing->polls) < 0)
        return -1;
    if ((passing->polls == Py_None && turn(self, passing) < 0) || (passing->delayed && blame(self, passing) < 0))
        return -1;
    return push(self, passing->occupancy, passing->start, passing->end, cold.kind_step,
                SLOT(passing->life, cold.life.place));
}
