/* A task's end: what Sums.ended and Tracer.ended do, and the task span of an ordinary visit: TaskSpans.close. */
#include "cold.h"

/* Calls a method of the task spans with the life, another object and its state, or without one. */
static int
ask_tasks(Ordinary *self, PyObject *method, PyObject *life, PyObject *of)
{
    PyObject *done = PyObject_CallMethodObjArgs(self->tasks, method, life, of, SLOT(life, cold.life.state), NULL);
    return came(done);
}

/* ---------------------------------------------------------------- sums */

/* The index that a pulse has; -1 with an error set. */
static long long
index_of(PyObject *pulse)
{
    if (Py_IS_TYPE(pulse, natives.life))
        return LIFE_OF(pulse)->index;
    return ask_whole(pulse, cold.name.index);
}

/* Steps that were not recorded are known by the pulse. */
static int
count_unrecorded(Ordinary *self, PyObject *life)
{
    PyObject *pulse = SLOT(life, cold.life.pulse);
    if (pulse == Py_None)
        return 0;
    long long index = index_of(pulse), counted = WHOLE(life, cold.life.counted);
    if (index == -1 && PyErr_Occurred())
        return -1;
    if (index > counted)
        WHOLE(self->sums, cold.sums.steps) += index - counted;
    return 0;
}

/* Sums.ended, of a task that nobody cancelled. */
static int
count_end(Ordinary *self, PyObject *life)
{
    PyObject *exits = SLOT(self->sums, cold.sums.exits), *state = SLOT(life, cold.life.state);
    PyObject *before = PyDict_GetItemWithError(exits, state);
    long long times = 0;
    if ((before == NULL && PyErr_Occurred()) || (before != NULL && number(before, &times) < 0))
        return -1;
    PyObject *now = PyLong_FromLongLong(times + 1);
    int failed = now == NULL || PyDict_SetItem(exits, state, now) < 0 || count_unrecorded(self, life) < 0;
    WHOLE(self->sums, cold.sums.alive)--;
    Py_XDECREF(now);
    return failed ? -1 : 0;
}

/* ---------------------------------------------------------------- whether its span is made here */

/* Whether the visit's span stands for its steps: Visit.bare. */
static int
is_bare(PyObject *visit)
{
    return WHOLE(visit, cold.visit.detail) >= cold.bare
        && SLOT(SLOT(visit, cold.visit.trace), cold.trace.own) == Py_True && !WHOLE(visit, cold.visit.written)
        && WHOLE(visit, cold.visit.cursor) - WHOLE(visit, cold.visit.start) < cold.quick;
}

/* Whether nothing but its span, or not even that, is to be written of a visit. `bare`: it stands for its steps. */
static int
visit_fits(Ordinary *self, PyObject *visit, int *bare)
{
    if (!Py_IS_TYPE(visit, cold.visit.type) || !Py_IS_TYPE(SLOT(visit, cold.visit.trace), cold.trace.type)
        || self->states || SLOT(visit, cold.visit.silent) != Py_False)
        return 0;
    int quiet = SLOT(visit, cold.visit.quiet) != Py_None;
    if (!quiet && SLOT(visit, cold.visit.room) != Py_True)
        return 0;
    if (quiet && (!is_untold(visit) || PyTuple_GET_SIZE(SLOT(visit, cold.visit.links)) > 0))
        return 0;
    *bare = is_bare(visit);
    if (*bare || quiet)
        return *bare;
    return SLOT(visit, cold.visit.held) == Py_None && SLOT(visit, cold.visit.group) == Py_None;
}

/* Whether a visit's task span can be made here: nothing befell the task, and there is room for it. */
static int
close_fits(Ordinary *self, Passing *passing, PyObject *visit, int *bare)
{
    PyObject *life = passing->life;
    if (SLOT(life, cold.life.state) == cold.text.RAISED || SLOT(life, cold.life.cancel) != Py_None
        || PyObject_IsTrue(SLOT(life, cold.life.mishaps)))
        return 0;
    int fits = visit_fits(self, visit, bare);
    if (fits == 1)
        fits = is_affordable(self, WHOLE(visit, cold.visit.cursor), WHOLE(self->budget, cold.budget.level));
    if (fits == 1)
        fits = find_batch(self);
    return fits;
}

/* ---------------------------------------------------------------- what is said of it */

/* A number, if it is not 0. */
static int
say_some(Said *said, PyObject *key, long long value)
{
    return value ? say_whole(said, key, value) : 0;
}

/* The part of the loop's busy time that is known. */
static int
say_coverage(Ordinary *self, Said *said, PyObject *life, PyObject *visit)
{
    PyObject *where = SLOT(life, cold.life.where);
    if (where == Py_None || WHOLE(visit, cold.visit.steps) == 0)
        return 0;
    PyObject *share = coverage(self, PyTuple_GET_ITEM(where, 0), WHOLE(visit, cold.visit.start));
    int failed = share == NULL ? -1 : share == Py_None ? 0 : say(said, cold.text.LOOP_COVERAGE, share);
    Py_XDECREF(share);
    return failed;
}

static int
say_creator(Ordinary *self, Said *said, PyObject *life)
{
    PyObject *id = SLOT(life, cold.life.creator);
    int made = PyObject_IsTrue(id);
    if (made <= 0)
        return made;
    PyObject *creator = known(self, id);
    if (creator == NULL && PyErr_Occurred())
        return -1;
    if (say(said, cold.text.TASK_CREATOR_ID, id) < 0)
        return -1;
    return creator == NULL ? 0 : say_if(said, cold.text.TASK_CREATOR_NAME, SLOT(creator, cold.life.name));
}

/* What the sampler wants said on the root. */
static int
say_root(Said *said, PyObject *visit, PyObject *trace)
{
    int stands = PyObject_IsTrue(SLOT(visit, cold.visit.parent_id));
    if (stands || SLOT(trace, cold.trace.own) != Py_True)
        return stands < 0 ? -1 : 0;
    return say_all(said, SLOT(trace, cold.trace.attributes));
}

/* All that is said of the task and this visit. */
static int
say_task(Ordinary *self, Said *said, PyObject *life, PyObject *visit)
{
    PyObject *trace = SLOT(visit, cold.visit.trace);
    return say(said, cold.text.TASK_ID, SLOT(life, cold.life.id)) < 0
        || say(said, cold.text.TASK_NAME, SLOT(life, cold.life.name)) < 0
        || say_if(said, cold.text.TASK_LATE, SLOT(life, cold.life.late)) < 0
        || say_some(said, cold.text.TASK_STEP_MISSING, WHOLE(life, cold.life.missing)) < 0
        || say(said, cold.text.TASK_STATE, SLOT(life, cold.life.state)) < 0
        || say_whole(said, cold.text.TASK_STEP_COUNT, WHOLE(visit, cold.visit.steps)) < 0
        || say_seconds(said, cold.text.TASK_RUNNING, WHOLE(visit, cold.visit.running)) < 0
        || say_seconds(said, cold.text.TASK_READY, WHOLE(visit, cold.visit.ready)) < 0
        || say_seconds(said, cold.text.TASK_WAITING, WHOLE(visit, cold.visit.waiting)) < 0
        || say_seconds(said, cold.text.TASK_STEP_MAX, WHOLE(visit, cold.visit.longest)) < 0
        || say_coverage(self, said, life, visit) < 0
        || say_some(said, cold.text.TASK_SPANS_DROPPED, WHOLE(trace, cold.trace.lost)) < 0
        || say_some(said, cold.text.DETAIL_LEVEL, WHOLE(visit, cold.visit.detail)) < 0
        || say_creator(self, said, life) < 0 || say_root(said, visit, trace) < 0 ? -1 : 0;
}

/* describe.task_kind: a new reference */
static PyObject *
kind_of(PyObject *life)
{
    PyObject *where = SLOT(life, cold.life.where);
    PyObject *kind = PyDict_GetItemWithError(cold.kinds, SLOT(life, cold.life.place));
    PyObject *there = kind == NULL || where == Py_None ? NULL : PyDict_GetItemWithError(cold.kinds, where);
    if (there != NULL)
        return PyTuple_Pack(2, kind, there);
    return PyErr_Occurred() ? NULL : PyObject_CallOneArg(cold.task_kind, life);
}

/* Items of an Event: see pipeline.spans.span. */
enum { EVENT_NAME, EVENT_TIME };

/* The changes of detail while it was open: Budget.events. A new reference. */
static PyObject *
changes(Ordinary *self, PyObject *visit)
{
    Py_ssize_t count = PyObject_Size(SLOT(self->budget, cold.budget._changes));
    PyObject *last = count <= 0 ? NULL : PySequence_GetItem(SLOT(self->budget, cold.budget._changes), -1);
    if (last == NULL)
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    long long time;
    int failed = number(PyTuple_GET_ITEM(last, EVENT_TIME), &time);
    Py_DECREF(last);
    if (failed || time < WHOLE(visit, cold.visit.start))
        return failed ? NULL : Py_NewRef(Py_None);
    return PyObject_CallMethod(self->budget, "events", "LL", WHOLE(visit, cold.visit.start),
                               WHOLE(visit, cold.visit.cursor));
}

/* ---------------------------------------------------------------- its span */

/* StepSpans.close, where the span stands for the visit's steps. */
static int
close_bare(Ordinary *self, PyObject *life, PyObject *visit)
{
    PyObject *held = Py_NewRef(SLOT(visit, cold.visit.held)), *group = SLOT(visit, cold.visit.group);
    self->coalesced += (held != Py_None) + (group == Py_None ? 0 : WHOLE(group, cold.group.count));
    if (group != Py_None && SLOT(group, cold.group.room) == Py_True)
        WHOLE(SLOT(visit, cold.visit.trace), cold.trace.spans)--;
    slot_put(visit, cold.visit.held, Py_NewRef(Py_None));
    slot_put(visit, cold.visit.group, Py_NewRef(Py_None));
    int failed = 0;
    if (held != Py_None && is_linked(visit))
        failed = remember(self, SLOT(life, cold.life.id), WHOLE(PyTuple_GET_ITEM(held, 0), cold.step.index),
                          SLOT(visit, cold.visit.trace), SLOT(visit, cold.visit.span_id));
    Py_DECREF(held);
    return failed;
}

/* Handoffs.closed: which steps the span holds. */
static int
note_closed(Ordinary *self, PyObject *life, PyObject *visit)
{
    PyObject *id = SLOT(life, cold.life.id);
    long long first = WHOLE(visit, cold.visit.first);
    if (first < 0)
        return 0;
    PyObject *before = recent_get(self->closed, id), *done;
    if (before != NULL) {
        done = PyObject_CallMethodObjArgs(self->handoffs, cold.name.closed, id, visit, NULL);
        return came(done);
    }
    PyObject *holder = PyErr_Occurred() ? NULL : named_tuple(
        cold.holder, 4, PyLong_FromLongLong(first), PyLong_FromLongLong(WHOLE(visit, cold.visit.last)),
        Py_NewRef(SLOT(visit, cold.visit.trace)), Py_NewRef(SLOT(visit, cold.visit.span_id)));
    PyObject *holders = holder == NULL ? NULL : untracked(Py_BuildValue("[N]", holder));
    int failed = holders == NULL ? -1 : recent_put(self->closed, id, holders);
    Py_XDECREF(holders);
    return failed;
}

/* The span would have been the only one, if there is room for it: Quiet.silence. */
static int
silence(Ordinary *self, PyObject *visit)
{
    PyObject *trace = SLOT(visit, cold.visit.trace);
    int room = SLOT(visit, cold.visit.room) == Py_True;
    WHOLE(trace, cold.trace.spans) -= room;
    WHOLE(trace, cold.trace.lost)++;
    PyObject *one = PyLong_FromLong(1), *why = room ? SLOT(visit, cold.visit.untold) : cold.text.CROWDED;
    PyObject *done = one == NULL ? NULL : PyObject_CallFunctionObjArgs(self->lost, why, one, NULL);
    Py_XDECREF(one);
    Py_XDECREF(done);
    slot_put(visit, cold.visit.quiet, Py_NewRef(Py_None));
    slot_put(visit, cold.visit.silent, Py_NewRef(Py_True));
    return done == NULL || recent_put(self->silenced, SLOT(visit, cold.visit.span_id), Py_True) < 0 ? -1 : 0;
}

/* The task span, written and emitted. */
static int
encode(Ordinary *self, Passing *passing, PyObject *visit, PyObject **of)
{
    Said said;
    Bytes span;
    long long end = WHOLE(visit, cold.visit.cursor);
    said_begin(&said, self->encoder, SPAN_ATTRIBUTE);
    bytes_begin(&span);
    int failed = say_task(self, &said, passing->life, visit) < 0
        || encode_span(self->encoder, &span, of, WHOLE(visit, cold.visit.start), end, &said.bytes, NULL) < 0;
    failed = emit(self, end, failed ? NULL : &span);
    bytes_end(&said.bytes);
    bytes_end(&span);
    return failed;
}

/* TaskSpans.close */
static int
close_visit(Ordinary *self, Passing *passing, PyObject *visit, int bare)
{
    PyObject *life = passing->life, *trace = SLOT(visit, cold.visit.trace), *of[OF_FIELDS];
    if (bare && close_bare(self, life, visit) < 0)
        return -1;
    if (SLOT(visit, cold.visit.quiet) != Py_None)
        return silence(self, visit);
    PyObject *name = PyUnicode_Concat(cold.text.TASK_SPAN, SLOT(SLOT(life, cold.life.place), natives.place.qualname));
    PyObject *shared = name == NULL ? NULL : kind_of(life), *events = shared == NULL ? NULL : changes(self, visit);
    int failed = events == NULL ? -1 : 0;
    if (!failed) {
        of[OF_TRACE] = SLOT(trace, cold.trace.trace_id);
        of[OF_ID] = SLOT(visit, cold.visit.span_id);
        of[OF_PARENT] = SLOT(visit, cold.visit.parent_id);
        of[OF_REMOTE] = SLOT(visit, cold.visit.parent_remote);
        of[OF_STATE] = SLOT(trace, cold.trace.trace_state);
        of[OF_NAME] = name;
        of[OF_SHARED] = shared;
        of[OF_EVENTS] = events;
        of[OF_LINKS] = SLOT(visit, cold.visit.links);
        of[OF_ERROR] = Py_False;
        failed = encode(self, passing, visit, of);
    }
    Py_XDECREF(name);
    Py_XDECREF(shared);
    Py_XDECREF(events);
    return failed ? -1 : note_closed(self, life, visit);
}

static int
close_visits(Ordinary *self, Passing *passing)
{
    PyObject *visits = Py_NewRef(SLOT(passing->notes, cold.notes.visits));
    int failed = 0;
    for (Py_ssize_t place = 0; !failed && place < PyTuple_GET_SIZE(visits); place++) {
        PyObject *visit = PyTuple_GET_ITEM(visits, place);
        int bare = 0, fits = close_fits(self, passing, visit, &bare);
        if (fits == 1)
            failed = close_visit(self, passing, visit, bare);
        else {
            if (fits < 0)
                PyErr_Clear();
            failed = ask_tasks(self, cold.name.close, passing->life, visit);
        }
    }
    Py_DECREF(visits);
    return failed;
}

/* ---------------------------------------------------------------- the end */

/* No hand-off waits for the task's steps any more: Handoffs.ended. */
static int
end_handoffs(Ordinary *self, PyObject *id, int excluded)
{
    if (PyDict_GET_SIZE(self->waiting) == 0)
        return 0;
    PyObject *done =
        PyObject_CallMethodObjArgs(self->handoffs, cold.name.ended, id, excluded ? Py_True : Py_False, NULL);
    return came(done);
}

static int
leave(PyObject *dict, PyObject *id)
{
    int there = PyDict_Contains(dict, id);
    return there <= 0 ? there : PyDict_DelItem(dict, id);
}

/* Tracer.ended */
static int
end_telling(Ordinary *self, Passing *passing)
{
    PyObject *life = passing->life, *notes = passing->notes, *id = passing->id;
    int excluded = is_excluded(life);
    if (excluded < 0 || leave(self->leaving, id) < 0 || recent_put(self->names, id, life) < 0
        || close_visits(self, passing) < 0)
        return -1;
    if (end_handoffs(self, id, excluded) < 0
        || (SLOT(notes, cold.notes.reserved) != Py_False && ask_tasks(self, cold.name.redeem, life, notes) < 0))
        return -1;
    slot_put(notes, cold.notes.visits, Py_NewRef(cold.nothing));
    slot_put(notes, cold.notes.excluded, Py_NewRef(excluded ? Py_True : Py_False));
    slot_put(life, cold.life.pulse, Py_NewRef(Py_None));
    return 0;
}

int
ended(Ordinary *self, Passing *passing)
{
    PyObject *life = passing->life;
    passing->notes = SLOT(life, cold.life.notes);
    if (lives_drop((Lives *)self->lives, passing->id) < 0 || leave(self->muted, passing->id) < 0
        || recent_put(self->over, passing->id, Py_True) < 0)
        return -1;
    if (SLOT(life, cold.life.cancel) == Py_None && !self->traces)
        return count_end(self, life);
    if (SLOT(life, cold.life.cancel) == Py_None && Py_IS_TYPE(passing->notes, cold.notes.type))
        return count_end(self, life) < 0 ? -1 : end_telling(self, passing);
    PyObject *end = PyLong_FromLongLong(passing->end);
    PyObject *done = end == NULL ? NULL : PyObject_CallMethodObjArgs(self->sink, cold.name.ended, life, end, NULL);
    Py_XDECREF(end);
    return came(done);
}
