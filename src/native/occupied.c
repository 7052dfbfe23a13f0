/* Who held a thread: what Culprits and Occupancy do of a step that runs within no other and delays nobody. */
#include "cold.h"
#include <string.h>

/* When the turn of a loop that does not show its looks began, and when its last step ended: 0 where that is unknown. */
static int
last_turn(Ordinary *self, Passing *passing)
{
    PyObject *turn = passing->turn = PyDict_GetItemWithError(self->turns, passing->thread);
    if (turn == NULL)
        return PyErr_Occurred() ? -1 : 0;
    return number(PyTuple_GET_ITEM(turn, 0), &passing->began) < 0
        || number(PyTuple_GET_ITEM(turn, 1), &passing->ended) < 0 ? -1 : 0;
}

/* Since when what came from outside may have waited to be noticed: the first part of Culprits._turn. */
static int
guess(Ordinary *self, Passing *passing)
{
    int woken = PyObject_IsTrue(passing->waker), named = PyObject_IsTrue(passing->waker_name);
    int outside = passing->kind == cold.text.IO || (passing->kind == cold.text.CALLBACK && !woken && !named);
    if (woken < 0 || named < 0 || last_turn(self, passing) < 0)
        return -1;
    if (!outside || passing->unpolled >= 0 || !passing->began)
        return 0;
    long long busy = passing->ready - passing->ended < cold.pause ? passing->ended - passing->began : 0;
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
    passing->occupancy = occupancy;
    if (WHOLE(occupancy, cold.occupancy._until) > passing->start)
        return 0;
    return passing->polls == Py_None && guess(self, passing) < 0 ? -1 : 1;
}

/* ---------------------------------------------------------------- pieces */

/* Long callbacks or a long gap, found by themselves. */
static int
remember_long(PyObject *occupancy, long long start, long long end, PyObject *kind)
{
    PyObject *made = named_tuple(cold.a_long, 7, PyLong_FromLongLong(start), PyLong_FromLongLong(end), Py_NewRef(kind),
                                 Py_NewRef(Py_None), Py_NewRef(Py_None), PyLong_FromLongLong(end - start),
                                 Py_NewRef(Py_None));
    PyObject *done = made == NULL ? NULL : natives.append(SLOT(occupancy, cold.occupancy._longs), made);
    Py_XDECREF(made);
    return came(done);
}

/* Whose a piece is: a new reference. Of a step's function the same again, if it is remembered. */
static PyObject *
whose(Ordinary *self, PyObject *kind, PyObject *place)
{
    if (place == Py_None) {
        PyObject *gap = kind == cold.kind_idle ? cold.of_idle : cold.of_gap;
        return Py_NewRef(kind == cold.kind_callback ? cold.of_callbacks : gap);
    }
    Memory *memory = memory_of(self->pieces, place, place);
    if (memory->of[0] == place)
        return Py_NewRef(memory->found);
    return memory_keep(memory, &place, 1, pair(kind, place));
}

/* Occupancy._push: of a step, the whole step. */
static int
push(Ordinary *self, Pieces *pieces, long long start, long long end, PyObject *kind, PyObject *place)
{
    PyObject *occupancy = pieces->occupancy;
    if (end > WHOLE(occupancy, cold.occupancy._until))
        WHOLE(occupancy, cold.occupancy._until) = end;
    if (end <= start)
        return 0;
    Py_ssize_t at = pieces_count(pieces);
    if (pieces->view.len < (Py_ssize_t)sizeof *pieces->row * (at + 2) && pieces_move(pieces, cold.name._grow) < 0)
        return -1;
    PyObject *said = whose(self, kind, place);
    if (said == NULL || PyList_Append(pieces->whose, said) < 0) {
        Py_XDECREF(said);
        return -1;
    }
    Py_DECREF(said);
    long long *row = pieces->row[at], *next = pieces->row[at + 1];
    row[ROW_START] = start;
    row[ROW_END] = end;
    memcpy(next + ROW_STEPS, row + ROW_STEPS, (WIDTH - ROW_STEPS) * sizeof *row);
    next[sum_of(kind)] += end - start;
    next[ROW_ENDED] += kind == cold.kind_step;
    return pieces_count(pieces) < 2 * cold.kept ? 0 : pieces_move(pieces, cold.name._forget);
}

/* Occupancy._pause */
static int
rest(Ordinary *self, Pieces *pieces, long long start, long long end, PyObject *kind)
{
    if (end - start >= WHOLE(pieces->occupancy, cold.occupancy._short)) {
        if (push(self, pieces, start, end, kind, Py_None) < 0)
            return -1;
        return end - start < WHOLE(pieces->occupancy, cold.occupancy._long)
            ? 0 : remember_long(pieces->occupancy, start, end, kind);
    }
    if (end <= start)
        return 0;
    pieces->row[pieces_count(pieces)][sum_of(kind)] += end - start;
    WHOLE(pieces->occupancy, cold.occupancy._until) = end;
    return 0;
}

/* Occupancy._between */
static int
between(Ordinary *self, Pieces *pieces, long long until, PyObject *polls)
{
    long long at = WHOLE(pieces->occupancy, cold.occupancy._until), begin, end;
    if (at == 0)
        at = until;
    int shown = polls != Py_None;
    slot_put(pieces->occupancy, cold.occupancy._shown, Py_NewRef(shown ? Py_True : Py_False));
    PyObject *kind = shown ? cold.kind_callback : cold.kind_gap;
    for (Py_ssize_t place = 0; shown && place + 1 < PyTuple_GET_SIZE(polls); place += 2) {
        if (number(PyTuple_GET_ITEM(polls, place), &begin) < 0 || number(PyTuple_GET_ITEM(polls, place + 1), &end) < 0)
            return -1;
        begin = begin > at ? begin : at;
        end = end < until ? end : until;
        if (end <= begin)
            continue;
        if (rest(self, pieces, at, begin, kind) < 0
            || push(self, pieces, begin, end, cold.kind_idle, Py_None) < 0)
            return -1;
        at = end;
    }
    return rest(self, pieces, at, until, kind);
}

/* ---------------------------------------------------------------- a step */

/* The second part of Culprits._turn. */
static int
turn(Ordinary *self, Passing *passing)
{
    long long began = passing->began, ended = passing->ended;
    if (!began || passing->ready >= began || passing->start - ended >= cold.pause)
        began = passing->start;
    return put_pair_of(self->turns, passing->thread, passing->turn, began, passing->end > ended ? passing->end : ended);
}

int
occupied(Ordinary *self, Passing *passing)
{
    Pieces pieces;
    if (pieces_open(&pieces, passing->occupancy) < 0)
        return -1;
    int failed = between(self, &pieces, passing->start, passing->polls) < 0
        || (passing->polls == Py_None && turn(self, passing) < 0);
    if (!failed && passing->delayed) {
        pieces_close(&pieces); /* Python may be asked */
        if (blame(self, passing) < 0 || pieces_open(&pieces, passing->occupancy) < 0)
            return -1;
    }
    failed = failed || push(self, &pieces, passing->start, passing->end, cold.kind_step,
                            SLOT(passing->life, cold.life.place)) < 0;
    pieces_close(&pieces);
    return failed ? -1 : 0;
}
