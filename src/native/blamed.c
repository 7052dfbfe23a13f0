/* Who delayed a step: what Culprits does. */
#include "cold.h"

/* pieces that are looked at to name a burst */
enum { MOST = 64 };

/* How a stretch of time divides: see Occupancy.held. */
typedef struct { long long steps, ended, callbacks, idle, gap; } Held;

/* Items of a Long: see pipeline.occupancy. */
enum { LONG_START, LONG_END, LONG_KIND, LONG_PLACE, LONG_HOLDER, LONG_LENGTH, LONG_PARTS };

/* The first piece that ends after `since`. */
static Py_ssize_t
first_after(const Pieces *pieces, long long since)
{
    Py_ssize_t low = 0, high = pieces_count(pieces);
    while (low < high) {
        Py_ssize_t middle = (low + high) / 2;
        if (since < pieces->row[middle][ROW_END])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* What lies before `since` of the first piece, or between it and the one before, which is a short pause. */
static void
cut(const Pieces *pieces, Py_ssize_t first, long long since, long long *parts)
{
    long long begun = pieces->row[first][ROW_START];
    if (begun < since)
        parts[sum_of(PyTuple_GET_ITEM(PyList_GET_ITEM(pieces->whose, first), 0))] -= since - begun;
    else if (first > 0) {
        long long before = pieces->row[first - 1][ROW_END];
        int shown = SLOT(pieces->occupancy, cold.occupancy._shown) == Py_True;
        parts[shown ? ROW_CALLBACKS : ROW_GAP] += begun - (since > before ? since : before);
    }
}

/* Occupancy.held */
static int
divide(PyObject *occupancy, long long since, Py_ssize_t *first, Held *held)
{
    Pieces pieces;
    long long parts[WIDTH] = {0};
    if (pieces_open(&pieces, occupancy) < 0)
        return -1;
    Py_ssize_t count = pieces_count(&pieces);
    *first = first_after(&pieces, since);
    if (*first < count) {
        for (int part = ROW_STEPS; part < WIDTH; part++)
            parts[part] = pieces.row[count][part] - pieces.row[*first][part];
        cut(&pieces, *first, since, parts);
    }
    pieces_close(&pieces);
    *held = (Held){parts[ROW_STEPS], parts[ROW_ENDED], parts[ROW_CALLBACKS], parts[ROW_IDLE], parts[ROW_GAP]};
    return 0;
}

/* Whether what was long since then has callbacks among it, which Python may know by name. */
static int
has_callbacks(PyObject *occupancy, long long since)
{
    PyObject *kept = SLOT(occupancy, cold.occupancy._longs);
    Py_ssize_t place = PyObject_Size(kept);
    for (long long looked = 0; place-- > 0 && looked < cold.most; looked++) {
        PyObject *one = PySequence_GetItem(kept, place);
        Py_XDECREF(one); /* the occupancy keeps it */
        long long end;
        if (one == NULL || number(PyTuple_GET_ITEM(one, LONG_END), &end) < 0)
            return -1;
        if (end <= since)
            break;
        if (PyTuple_GET_ITEM(one, LONG_KIND) == cold.kind_callback)
            return 1;
    }
    return PyErr_Occurred() ? -1 : 0;
}

PyObject *
coverage(Ordinary *self, PyObject *thread, long long since)
{
    PyObject *occupancy = PyDict_GetItemWithError(self->threads, thread);
    Py_ssize_t first;
    Held held;
    if (occupancy == NULL)
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    if (divide(occupancy, since, &first, &held) < 0)
        return NULL;
    if (held.gap || !held.steps)
        return Py_NewRef(Py_None);
    int callbacks = has_callbacks(occupancy, since);
    if (callbacks)
        return callbacks < 0 ? NULL : PyObject_CallFunction(self->ask_coverage, "OL", thread, since);
    return PyFloat_FromDouble((double)held.steps / (double)(held.steps + held.callbacks));
}

/* ---------------------------------------------------------------- what was long */

/* What held the thread for long, cut at the moment since which a step was ready. All borrowed. */
typedef struct { long long start, end; PyObject *place, *holder; } Long;

/* What held the thread for long since then, the last first; how many, -1 with an error set, or without where Python is
 * to find out, for a step had others within it. What counts for nobody is left out. */
static Py_ssize_t
find_longs(Passing *passing, Long *longs)
{
    PyObject *kept = SLOT(passing->occupancy, cold.occupancy._longs);
    Py_ssize_t place = PyObject_Size(kept), count = 0;
    for (long long looked = 0; place-- > 0 && looked < cold.most && looked < MOST; looked++) {
        PyObject *one = PySequence_GetItem(kept, place);
        Py_XDECREF(one); /* the occupancy keeps it */
        Long *now = &longs[count];
        if (one == NULL || number(PyTuple_GET_ITEM(one, LONG_START), &now->start) < 0
            || number(PyTuple_GET_ITEM(one, LONG_END), &now->end) < 0)
            return -1;
        if (now->end <= passing->since)
            break;
        if (PyTuple_GET_ITEM(one, LONG_PARTS) != Py_None)
            return -1;
        if (now->start < passing->since)
            now->start = passing->since;
        now->place = PyTuple_GET_ITEM(one, LONG_PLACE);
        now->holder = PyTuple_GET_ITEM(one, LONG_HOLDER);
        int gap = PyTuple_GET_ITEM(one, LONG_KIND) == cold.kind_gap;
        if (!gap || passing->kind != cold.text.TIMER || now->end - now->start >= cold.late)
            count++;
    }
    return PyErr_Occurred() ? -1 : count;
}

/* The longest of them, NULL for none. */
static const Long *
longest_of(const Long *longs, Py_ssize_t count)
{
    const Long *longest = NULL;
    for (Py_ssize_t place = 0; place < count; place++)
        if (longest == NULL || longs[place].end - longs[place].start > longest->end - longest->start)
            longest = &longs[place];
    return longest;
}

/* The harm that a step did grows. `again`: it was counted for this victim already. */
static int
add_harm(PyObject *step, long long duration, int again)
{
    if (SLOT(step, cold.step.harm) == Py_None) {
        PyObject *harm = PyObject_CallNoArgs((PyObject *)cold.harm.type);
        if (harm == NULL)
            return -1;
        slot_put(step, cold.step.harm, harm);
    }
    PyObject *harm = SLOT(step, cold.step.harm);
    WHOLE(harm, cold.harm.count) += !again;
    WHOLE(harm, cold.harm.duration) += duration;
    return 0;
}

/* Whether it is long still, cut as it is, and a step's. */
static int
harms(Ordinary *self, const Long *one)
{
    return one->holder != Py_None && one->end - one->start >= self->threshold;
}

/* Whether the delay names this one's step. */
static int
is_named(PyObject *delay, const Long *one)
{
    if (delay == Py_None || one == NULL || one->holder == Py_None)
        return 0;
    PyObject *maker = PyTuple_GET_ITEM(one->holder, 0), *step = PyTuple_GET_ITEM(one->holder, 1);
    PyObject *by = PyTuple_GET_ITEM(delay, 6);
    return whole(PyTuple_GET_ITEM(by, 0)) == whole(SLOT(maker, cold.life.id))
        && whole(PyTuple_GET_ITEM(by, 1)) == WHOLE(step, cold.step.index);
}

/* Each long step has delayed one more, and so has the one that is named, where only its end was in that time. */
static int
harm(Ordinary *self, const Long *longs, Py_ssize_t count, PyObject *delay, const Long *longest)
{
    int told = !is_named(delay, longest);
    for (Py_ssize_t place = 0; place < count; place++) {
        const Long *one = &longs[place];
        if (!harms(self, one))
            continue;
        PyObject *step = PyTuple_GET_ITEM(one->holder, 1);
        int again = 0; /* one whose end was not known may be there twice */
        for (Py_ssize_t other = 0; other < place; other++)
            again |= harms(self, &longs[other]) && PyTuple_GET_ITEM(longs[other].holder, 1) == step;
        if (add_harm(step, one->end - one->start, again) < 0)
            return -1;
        told |= longest->holder != Py_None && step == PyTuple_GET_ITEM(longest->holder, 1);
    }
    return told ? 0 : add_harm(PyTuple_GET_ITEM(longest->holder, 1), longest->end - longest->start, 0);
}

/* ---------------------------------------------------------------- who it was */

/* The function whose tasks' steps took most of the time, of the last pieces: borrowed. NULL for none, or with an
 * error set. */
static PyObject *
largest(PyObject *occupancy, Py_ssize_t first, long long since)
{
    PyObject *places[MOST];
    Pieces pieces;
    long long shares[MOST];
    if (pieces_open(&pieces, occupancy) < 0)
        return NULL;
    Py_ssize_t count = 0, at = pieces_count(&pieces) - 1, best = 0;
    for (Py_ssize_t looked = 0; at >= first && looked < MOST && looked < cold.named; at--, looked++) {
        PyObject *place = PyTuple_GET_ITEM(PyList_GET_ITEM(pieces.whose, at), 1);
        if (place == Py_None)
            continue;
        long long start = pieces.row[at][ROW_START], end = pieces.row[at][ROW_END];
        Py_ssize_t known = 0;
        while (known < count && places[known] != place)
            known++;
        if (known == count) {
            places[count] = place;
            shares[count++] = 0;
        }
        shares[known] += end - (start > since ? start : since);
    }
    pieces_close(&pieces);
    for (Py_ssize_t place = 1; place < count; place++)
        if (shares[place] > shares[best])
            best = place;
    return count ? places[best] : NULL;
}

/* The name of a burst of this function's steps, and where that is: two texts. A new reference */
static PyObject *
texts_of(PyObject *place)
{
    PyObject *file = PyObject_GetAttr(place, cold.name.file), *line = PyObject_GetAttr(place, cold.name.line);
    int named = file == NULL || line == NULL ? -1 : PyObject_IsTrue(file);
    PyObject *where = named < 0 ? NULL : named ? PyUnicode_FromFormat("%S:%S", file, line) : Py_NewRef(cold.empty);
    PyObject *name = where == NULL ? NULL : PyUnicode_FromFormat("burst %S", SLOT(place, natives.place.qualname));
    PyObject *texts = name == NULL ? NULL : pair(name, where);
    Py_XDECREF(file);
    Py_XDECREF(line);
    Py_XDECREF(where);
    Py_XDECREF(name);
    return texts;
}

/* A burst of short steps, and the step that made it if that is known: a new Delay */
static PyObject *
burst(Ordinary *self, PyObject *place, const Held *held, PyObject *task, long long step)
{
    Memory *memory = memory_of(self->bursts, place, place);
    PyObject *texts = memory->of[0] == place ? Py_NewRef(memory->found)
                                             : memory_keep(memory, &place, 1, texts_of(place));
    if (texts == NULL)
        return NULL;
    PyObject *made = named_tuple(cold.delay, 7, Py_NewRef(PyTuple_GET_ITEM(texts, 0)), Py_NewRef(Py_None),
                                 PyLong_FromLongLong(held->steps), PyLong_FromLongLong(held->ended),
                                 Py_NewRef(SLOT(place, natives.place.function)), Py_NewRef(PyTuple_GET_ITEM(texts, 1)),
                                 key_of(task, step));
    Py_DECREF(texts);
    return made;
}

/* A step of that task's: a new Delay. Of one that makes a burst the burst is named, with a link to the step. */
static PyObject *
by_step(Ordinary *self, const Long *longest, PyObject *place, const Held *held)
{
    PyObject *maker = PyTuple_GET_ITEM(longest->holder, 0), *step = PyTuple_GET_ITEM(longest->holder, 1);
    if (longest->place == SLOT(maker, cold.life.place))
        return PyObject_CallFunction(cold.delayed_by_step, "OOL", maker, step, longest->end - longest->start);
    return burst(self, place, held, SLOT(maker, cold.life.id), WHOLE(step, cold.step.index));
}

/* Nobody is known who held the thread in that time: Pipeline._unseen. */
static int
nobody(Ordinary *self, Passing *passing, long long start, long long end)
{
    if (end - start < self->stall)
        return PySet_Add(self->suspects, passing->thread);
    PyObject *done = PyObject_CallFunction(self->unseen, "OLL", passing->thread, start, end);
    return came(done);
}

/* Callbacks of the loop, so many: a new Delay */
static PyObject *
by_callbacks(long long duration, int count, PyObject *function, PyObject *place)
{
    return named_tuple(cold.delay, 7, Py_NewRef(cold.text.CALLBACK), Py_NewRef(Py_None), PyLong_FromLongLong(duration),
                       PyLong_FromLong(count), Py_NewRef(function), Py_NewRef(place),
                       key_of(natives.zero, -1));
}

/* Stalls.callback_at: a new reference. On most threads nothing was ever seen. */
static PyObject *
seen_at(Ordinary *self, PyObject *thread, long long start, long long end)
{
    if (PyDict_GetItemWithError(self->stalled, thread) == NULL)
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    return PyObject_CallFunction(self->callback_at, "OLL", thread, start, end);
}

/* One of the loop's callbacks, by the name of its function if that was seen: a new Delay */
static PyObject *
by_callback(Ordinary *self, Passing *passing, const Long *longest)
{
    PyObject *made = NULL, *function = NULL, *place = NULL;
    PyObject *frame = seen_at(self, passing->thread, longest->start, longest->end);
    if (frame == Py_None && nobody(self, passing, longest->start, longest->end) == 0) {
        function = Py_NewRef(cold.empty);
        place = Py_NewRef(cold.empty);
    } else if (frame != NULL && frame != Py_None) {
        function = PyObject_CallOneArg(cold.function_of, frame);
        place = function == NULL ? NULL : PyObject_CallOneArg(cold.place_of, frame);
    }
    if (place != NULL)
        made = by_callbacks(longest->end - longest->start, 1, function, place);
    Py_XDECREF(frame);
    Py_XDECREF(function);
    Py_XDECREF(place);
    return made;
}

/* No step and no callback was long, and both together were not: a new reference to None */
static PyObject *
by_nobody(Ordinary *self, Passing *passing, const Held *held)
{
    if (held->idle >= cold.back && nobody(self, passing, passing->since, passing->since + held->idle) < 0)
        return NULL;
    return Py_NewRef(Py_None);
}

/* Culprits._named: a new Delay, or None. NULL where Python is to find out, or with an error set. */
static PyObject *
name_culprit(Ordinary *self, Passing *passing, const Long *longest)
{
    Py_ssize_t first;
    Held held;
    if (divide(passing->occupancy, passing->since, &first, &held) < 0)
        return NULL;
    int timer = passing->kind == cold.text.TIMER && held.gap < cold.late;
    long long callbacks = held.callbacks + (timer ? 0 : held.gap);
    long long length = longest == NULL ? 0 : longest->end - longest->start;
    if (length < self->threshold && 2 * length < held.steps + callbacks) {
        longest = NULL;
        length = 0;
    }
    int many = held.ended >= cold.burst && length * cold.part < held.steps && held.steps > callbacks;
    if (!many && longest == NULL && held.steps + callbacks < self->threshold)
        return by_nobody(self, passing, &held);
    if (!many && longest == NULL && held.steps <= callbacks)
        return by_callbacks(callbacks, 0, cold.empty, cold.empty);
    if (!many && longest != NULL && longest->holder == Py_None)
        return by_callback(self, passing, longest);
    PyObject *place = largest(passing->occupancy, first, passing->since);
    if (place == NULL || !Py_IS_TYPE(place, natives.place.type))
        return NULL;
    if (longest != NULL && !many)
        return by_step(self, longest, place, &held);
    return burst(self, place, &held, natives.zero, -1);
}

int
blame(Ordinary *self, Passing *passing)
{
    Long longs[MOST];
    Py_ssize_t count = find_longs(passing, longs);
    const Long *longest = count < 0 ? NULL : longest_of(longs, count);
    PyObject *delay = count < 0 ? NULL : name_culprit(self, passing, longest);
    if (delay != NULL) {
        slot_put(passing->step, cold.step.delay, delay);
        return harm(self, longs, count, delay, longest);
    }
    if (PyErr_Occurred())
        return -1;
    PyObject *since = PyLong_FromLongLong(passing->since);
    PyObject *done = since == NULL
        ? NULL : PyObject_CallFunctionObjArgs(self->blame, passing->step, passing->occupancy, since, NULL);
    Py_XDECREF(since);
    return came(done);
}
