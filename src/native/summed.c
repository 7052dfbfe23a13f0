/* The sums of the metrics: what Sums.stepped does of an ordinary step. */
#include "cold.h"

/* Whether the looks at the selector that came with the step count: they set the loop's time anew. */
static int
has_looks(Passing *passing)
{
    return passing->polls != Py_None && PyTuple_GET_SIZE(passing->polls) > 0
        && SLOT(passing->loop_time, cold.loop_time.estimated) == Py_False;
}

int
summed_fits(Ordinary *self, Passing *passing)
{
    PyObject *loop_time = PyDict_GetItemWithError(self->loops, passing->loop);
    if (loop_time == NULL || !Py_IS_TYPE(loop_time, cold.loop_time.type))
        return PyErr_Occurred() ? -1 : 0;
    passing->loop_time = loop_time;
    return passing->start >= WHOLE(loop_time, cold.loop_time._until) || has_looks(passing);
}

/* ---------------------------------------------------------------- the histogram */

/* Window.add, that is Histogram.add. */
static int
add_delay(PyObject *window, long long duration)
{
    PyObject *histogram = SLOT(window, cold.window._histogram);
    PyObject *counts = SLOT(histogram, cold.histogram._counts);
    long long most, before, place = duration;
    if (number(SLOT(histogram, cold.histogram._max), &most) < 0
        || (duration > most && put_whole(&SLOT(histogram, cold.histogram._max), duration) < 0))
        return -1;
    if (duration >= cold.longest)
        place = duration = cold.longest;
    if (duration >= 2 * cold.parts) {
        int shift = 0;
        for (long long rest = duration; rest >= 2 * cold.parts; rest >>= 1)
            shift++;
        place = shift * cold.parts + (duration >> shift);
    }
    if (place >= PyList_GET_SIZE(counts)) {
        PyErr_SetString(PyExc_IndexError, "a duration has no bucket");
        return -1;
    }
    if (number(PyList_GET_ITEM(counts, place), &before) < 0)
        return -1;
    return put_whole(&PyList_GET_ITEM(counts, place), before + 1);
}

/* ---------------------------------------------------------------- the loop's time */

/* Nothing before is taken back any more. The tuples are left to be filled anew. */
static int
settle(Ordinary *self, PyObject *kept)
{
    while (natives.length(kept) > 0 && self->spared < SPARES) {
        PyObject *sums = natives.popleft(kept, NULL);
        if (sums == NULL)
            return -1;
        self->spares[self->spared++] = sums;
    }
    return natives.length(kept) == 0 ? 0 : came(PyObject_CallOneArg(cold.clear, kept));
}

/* LoopTime.looked */
static int
looked(Ordinary *self, PyObject *time, PyObject *polls, long long before)
{
    long long *until = &WHOLE(time, cold.loop_time._until), *first = &WHOLE(time, cold.loop_time._first), begin, end;
    for (Py_ssize_t place = 0; place + 1 < PyTuple_GET_SIZE(polls); place += 2) {
        if (number(PyTuple_GET_ITEM(polls, place), &begin) < 0 || number(PyTuple_GET_ITEM(polls, place + 1), &end) < 0)
            return -1;
        if (begin >= before)
            break;
        if (begin < *first)
            *first = begin;
        begin = begin > *until ? begin : *until;
        if (end <= begin)
            continue;
        *until = end;
        WHOLE(time, cold.loop_time.idle) += end - begin;
    }
    return settle(self, SLOT(time, cold.loop_time._before));
}

/* Five numbers in a tuple, which is filled anew if nobody else has it: takes over the reference to it. A new reference,
 * NULL with an error set. */
static PyObject *
refill(PyObject *sums, const long long *numbers)
{
    if (sums == NULL || Py_REFCNT(sums) > 1) {
        Py_XDECREF(sums);
        return untracked(Py_BuildValue("LLLLL", numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]));
    }
    int failed = 0;
    for (int place = 0; place < 5; place++)
        failed |= put_whole(&PyTuple_GET_ITEM(sums, place), numbers[place]);
    if (failed)
        Py_CLEAR(sums);
    return sums;
}

/* What the sums were before the step goes to those that may be taken back, in the place of the oldest. */
static int
keep(Ordinary *self, PyObject *time, long long start, long long until)
{
    PyObject *kept = SLOT(time, cold.loop_time._before), *spare = NULL;
    const long long numbers[] = {start, WHOLE(time, cold.loop_time.covered), WHOLE(time, cold.loop_time._busy),
                                 WHOLE(time, cold.loop_time.idle), until};
    if (natives.length(kept) == cold.nested) {
        if ((spare = natives.popleft(kept, NULL)) == NULL)
            return -1;
    }
    else if (self->spared > 0)
        spare = self->spares[--self->spared];
    PyObject *sums = refill(spare, numbers), *done = sums == NULL ? NULL : natives.append(kept, sums);
    Py_XDECREF(sums);
    return came(done);
}

/* The part of LoopTime.step for loops that do not show their looks. */
static void
estimate(PyObject *time, Passing *passing, long long begun, long long until)
{
    long long gap = begun - until, busy = gap;
    if (gap >= cold.gap) {
        long long ready = passing->ready > until ? passing->ready : until;
        busy = gap < passing->start - ready ? gap : passing->start - ready;
    }
    long long ran = passing->end > begun ? passing->end - begun : 0;
    WHOLE(time, cold.loop_time.idle) += gap - busy;
    WHOLE(time, cold.loop_time._busy) += busy + ran;
}

/* LoopTime.step, where no step is to be taken back. */
static int
loop_stepped(Ordinary *self, Passing *passing)
{
    PyObject *time = passing->loop_time;
    long long until = WHOLE(time, cold.loop_time._until);
    if (passing->start < WHOLE(time, cold.loop_time._first))
        WHOLE(time, cold.loop_time._first) = passing->start;
    if (keep(self, time, passing->start, until) < 0)
        return -1;
    if (!until)
        until = passing->start;
    long long begun = passing->start > until ? passing->start : until;
    if (SLOT(time, cold.loop_time.estimated) == Py_True)
        estimate(time, passing, begun, until);
    if (passing->end > begun) {
        WHOLE(time, cold.loop_time.covered) += passing->end - begun;
        until = passing->end;
    }
    WHOLE(time, cold.loop_time._until) = until;
    return 0;
}

/* ---------------------------------------------------------------- what was awaited */

/* Tally.add */
static int
tally(PyObject *tally, PyObject *key, long long duration)
{
    PyObject *entry = PyDict_GetItemWithError(SLOT(tally, cold.tally._entries), key), *done;
    if (entry == NULL) {
        PyObject *length = PyErr_Occurred() ? NULL : PyLong_FromLongLong(duration);
        done = length == NULL ? NULL : PyObject_CallMethodObjArgs(tally, cold.name.add, key, length, NULL);
        Py_XDECREF(length);
        return came(done);
    }
    long long times, sum;
    if (number(PyTuple_GET_ITEM(entry, 0), &times) < 0 || number(PyTuple_GET_ITEM(entry, 1), &sum) < 0)
        return -1;
    return put_pair_of(SLOT(tally, cold.tally._entries), key, entry, times + 1, sum + duration);
}

/* Who delayed the step, if anybody did. */
static int
count_delay(Ordinary *self, Passing *passing)
{
    PyObject *delay = SLOT(passing->step, cold.step.delay);
    long long duration;
    if (delay == Py_None)
        return 0;
    if (number(PyTuple_GET_ITEM(delay, DELAY_DURATION), &duration) < 0)
        return -1;
    return tally(SLOT(self->sums, cold.sums.delayed), PyTuple_GET_ITEM(delay, DELAY_NAME), duration);
}

/* A wait is over: what was awaited goes into a tally, with what tells it apart. `empty`: even an empty name. */
static int
wait_over(PyObject *into, Passing *passing, int empty, PyObject *apart, long long duration)
{
    PyObject *name = awaited_name(passing->waited);
    int known = empty && PyUnicode_CheckExact(passing->waited) ? 1 : PyObject_IsTrue(name);
    PyObject *key = known < 0 ? NULL : PyTuple_Pack(2, known ? name : cold.text.UNKNOWN, apart);
    int failed = key == NULL ? -1 : tally(into, key, duration);
    Py_XDECREF(key);
    return failed;
}

/* Sums._waited, and _contended: a lock or a queue was waited for, and is from now on. */
static int
contend(Ordinary *self, Passing *passing)
{
    PyObject *before = SLOT(passing->life, cold.life.contends), *now;
    if (before != Py_None) {
        long long index, since;
        if (number(PyTuple_GET_ITEM(before, 1), &index) < 0 || number(PyTuple_GET_ITEM(before, 2), &since) < 0)
            return -1;
        long long length = passing->ready > since ? passing->ready - since : 0;
        if (passing->index == index + 1
            && wait_over(SLOT(self->sums, cold.sums.waits), passing, 0, PyTuple_GET_ITEM(before, 0), length) < 0)
            return -1;
    }
    int details_known = Py_IS_TYPE(passing->awaiting, natives.wait);
    PyObject *details = details_known ? PyTuple_GET_ITEM(passing->awaiting, 1) : cold.nothing;
    for (Py_ssize_t place = 0; place < PyTuple_GET_SIZE(details); place++) {
        PyObject *detail = PyTuple_GET_ITEM(details, place);
        int found = PyObject_RichCompareBool(PyTuple_GET_ITEM(detail, 0), cold.text.WAIT_PLACE, Py_EQ);
        if (found < 0)
            return -1;
        if (found) {
            PyObject *made = PyObject_Str(PyTuple_GET_ITEM(detail, 1));
            now = made == NULL ? NULL : untracked(Py_BuildValue("NLL", made, passing->index, passing->end));
            if (now == NULL)
                return -1;
            slot_put(passing->life, cold.life.contends, now);
            return 0;
        }
    }
    slot_put(passing->life, cold.life.contends, Py_NewRef(Py_None));
    return 0;
}

/* The application's function that awaits from now on. */
static int
await_from(Passing *passing)
{
    PyObject *point = Py_None;
    if (passing->outcome == cold.text.SUSPENDED)
        point = passing->point != Py_None ? passing->point : SLOT(passing->life, cold.life.place);
    if (point != Py_None) {
        long long origin;
        if (!Py_IS_TYPE(point, natives.place.type)) {
            PyErr_SetString(PyExc_TypeError, "not a Place");
            return -1;
        }
        if (number(SLOT(point, natives.place.origin), &origin) < 0)
            return -1;
        if (origin != cold.application)
            point = Py_None;
    }
    slot_put(passing->life, cold.life.awaits, Py_NewRef(point));
    return 0;
}

/* ---------------------------------------------------------------- a step */

int
summed(Ordinary *self, Passing *passing)
{
    PyObject *sums = self->sums, *life = passing->life;
    long long following = WHOLE(life, cold.life.counted), delay = passing->start - passing->ready;
    if (passing->index >= following) {
        WHOLE(life, cold.life.counted) = passing->index + 1;
        WHOLE(sums, cold.sums.steps) += passing->index + 1 - following;
    }
    WHOLE(sums, cold.sums.running) += passing->end - passing->start;
    WHOLE(sums, cold.sums.ready) += delay;
    if (add_delay(SLOT(sums, cold.sums.delays), delay + (passing->unpolled > 0 ? passing->unpolled : 0)) < 0
        || (has_looks(passing) && looked(self, passing->loop_time, passing->polls, passing->start) < 0)
        || loop_stepped(self, passing) < 0)
        return -1;
    if (count_delay(self, passing) < 0)
        return -1;
    PyObject *point = SLOT(life, cold.life.awaits);
    if (point != Py_None && passing->index == following
        && wait_over(SLOT(sums, cold.sums.awaits), passing, 1, SLOT(point, natives.place.function),
                     passing->ready - passing->last) < 0)
        return -1;
    if (await_from(passing) < 0 || contend(self, passing) < 0)
        return -1;
    PyObject *sample = SLOT(sums, cold.sums.sample);
    if (sample == Py_None)
        return 0;
    PyObject *done = PyObject_CallMethodObjArgs(sample, cold.name.add, passing->step, NULL);
    return came(done);
}
