/* The first task span of a task: what TaskSpans.home and TaskSpans.open do for one that nobody known created, or a task
 * whose own span is open. */
#include "cold.h"

/* What the sampler says: a new reference. */
static PyObject *
sampled(Ordinary *self, PyObject *trace_id, PyObject *name)
{
    if (self->sampled != NULL)
        return Py_NewRef(self->sampled);
    return PyObject_CallFunctionObjArgs(self->sampler, trace_id, name, NULL);
}

/* A trace of its own, of which the sampler is asked: Traces.root. A new reference. */
static PyObject *
make_root(Ordinary *self, PyObject *life)
{
    PyObject *name = PyUnicode_Concat(cold.text.TASK_SPAN, SLOT(SLOT(life, cold.life.place), natives.place.qualname));
    PyObject *trace_id = name == NULL ? NULL : new_trace_id(self);
    PyObject *said = trace_id == NULL ? NULL : sampled(self, trace_id, name);
    PyObject *trace = said == NULL ? NULL : copy(cold.a_trace);
    if (trace != NULL) {
        slot_put(trace, cold.trace.trace_id, Py_NewRef(trace_id));
        slot_put(trace, cold.trace.sampled, Py_NewRef(PyTuple_GET_ITEM(said, 0)));
        slot_put(trace, cold.trace.attributes, Py_NewRef(PyTuple_GET_ITEM(said, 1)));
        slot_put(trace, cold.trace.trace_state, Py_NewRef(PyTuple_GET_ITEM(said, 2)));
        WHOLE(trace, cold.trace.born) = WHOLE(trace, cold.trace.last_end) = WHOLE(life, cold.life.born);
    }
    Py_XDECREF(name);
    Py_XDECREF(trace_id);
    Py_XDECREF(said);
    return trace;
}

/* Why the visit is not told for now: TaskSpans._visit. NULL where it is. */
static PyObject *
why_untold(Ordinary *self, PyObject *trace)
{
    if (WHOLE(self->budget, cold.budget.level) >= cold.untold)
        return cold.text.SPARED;
    return WHOLE(trace, cold.trace.spans) >= self->room * 7 / 8 ? cold.text.CROWDED : NULL;
}

/* The visit, under another span if `above` is not NULL: TaskSpans._begin. A new reference. */
static PyObject *
make_visit(Ordinary *self, Passing *passing, PyObject *trace, PyObject *span_id, PyObject *above)
{
    int room = WHOLE(trace, cold.trace.spans) < self->room;
    WHOLE(trace, cold.trace.spans) += room;
    PyObject *untold = why_untold(self, trace), *visit = copy(cold.a_visit);
    PyObject *quiet = untold != NULL ? untracked(PyList_New(0)) : Py_NewRef(Py_None);
    if (visit == NULL || quiet == NULL) {
        Py_XDECREF(visit);
        Py_XDECREF(quiet);
        return NULL;
    }
    long long start = passing->index > 0 ? passing->ready : WHOLE(passing->life, cold.life.born);
    WHOLE(visit, cold.visit.start) = WHOLE(visit, cold.visit.cursor) = start;
    slot_put(visit, cold.visit.trace, Py_NewRef(trace));
    slot_put(visit, cold.visit.span_id, Py_NewRef(span_id));
    slot_put(visit, cold.visit.local, Py_NewRef(Py_True));
    slot_put(visit, cold.visit.quiet, quiet);
    slot_put(visit, cold.visit.room, Py_NewRef(room ? Py_True : Py_False));
    if (above != NULL)
        slot_put(visit, cold.visit.parent_id, Py_NewRef(above));
    if (untold != NULL) {
        slot_put(visit, cold.visit.untold, Py_NewRef(untold));
        WHOLE(visit, cold.visit.detail) = cold.untold;
    }
    return visit;
}

/* Notes.add */
static int
add_visit(PyObject *notes, PyObject *visit)
{
    PyObject *one = untracked(PyTuple_Pack(1, visit)), *visits = NULL;
    if (one != NULL)
        visits = untracked(PySequence_Concat(SLOT(notes, cold.notes.visits), one));
    Py_XDECREF(one);
    if (visits == NULL)
        return -1;
    slot_put(notes, cold.notes.visits, visits);
    return 0;
}

/* Whether nothing was prepared for its span. */
static int
is_new(Ordinary *self, Passing *passing)
{
    PyObject *notes = passing->notes;
    return SLOT(notes, cold.notes.reserved) == Py_False && SLOT(notes, cold.notes.link) == Py_None && !self->quiet;
}

/* The open visit of this span that is told: borrowed, NULL where there is none, or with an error set. */
static PyObject *
find_told(PyObject *visits, PyObject *span_id)
{
    for (Py_ssize_t place = 0; PyTuple_CheckExact(visits) && place < PyTuple_GET_SIZE(visits); place++) {
        PyObject *visit = PyTuple_GET_ITEM(visits, place);
        int same = Py_IS_TYPE(visit, cold.visit.type)
            ? PyObject_RichCompareBool(SLOT(visit, cold.visit.span_id), span_id, Py_EQ) : 0;
        if (same)
            return same > 0 && is_linked(visit) && SLOT(visit, cold.visit.silent) == Py_False ? visit : NULL;
    }
    return NULL;
}

/* The trace of the task that created this one, where that one's own span is open there and told, and the trace is not
 * old: borrowed, as is the span's id. NULL where that is not so, or with an error set. */
static PyObject *
find_above(Ordinary *self, Passing *passing, PyObject **above)
{
    PyObject *creator = known(self, SLOT(passing->notes, cold.notes.under));
    if (creator == NULL || !Py_IS_TYPE(creator, cold.life.type) || SLOT(creator, cold.life.state) != Py_None
        || SLOT(creator, cold.life.span) != Py_None)
        return NULL;
    PyObject *notes = SLOT(creator, cold.life.notes);
    if (!Py_IS_TYPE(notes, cold.notes.type) || SLOT(notes, cold.notes.reserved) != Py_False)
        return NULL;
    PyObject *trace = SLOT(notes, cold.notes.home);
    if (!Py_IS_TYPE(trace, cold.trace.type) || SLOT(trace, cold.trace.own) != Py_True
        || passing->start - WHOLE(trace, cold.trace.born) >= self->rotate)
        return NULL;
    *above = SLOT(notes, cold.notes.own);
    PyObject *visit = find_told(SLOT(notes, cold.notes.visits), *above);
    return visit != NULL && SLOT(visit, cold.visit.trace) == trace ? trace : NULL;
}

/* The trace of its own: a new reference, NULL where it is not to be found here, or with an error set. */
static PyObject *
find_trace(Ordinary *self, Passing *passing, PyObject **above)
{
    int stands = PyObject_IsTrue(SLOT(passing->notes, cold.notes.under));
    if (stands)
        return stands < 0 ? NULL : Py_XNewRef(find_above(self, passing, above));
    if (passing->start - WHOLE(passing->life, cold.life.born) >= self->rotate)
        return NULL;
    return make_root(self, passing->life);
}

/* Its first visit there, under another span if `above` is not NULL. */
static int
open_visit(Ordinary *self, Passing *passing, PyObject *trace, PyObject *above)
{
    PyObject *notes = passing->notes, *span_id = new_span_id(self);
    PyObject *visit = span_id == NULL ? NULL : make_visit(self, passing, trace, span_id, above);
    int failed = visit == NULL || add_visit(notes, visit) < 0;
    if (!failed) {
        slot_put(notes, cold.notes.own, Py_NewRef(span_id));
        if (above != NULL)
            slot_put(notes, cold.notes.above, Py_NewRef(above));
    }
    Py_XDECREF(span_id);
    Py_XDECREF(visit);
    return failed ? -1 : 0;
}

int
opened(Ordinary *self, Passing *passing)
{
    PyObject *notes = passing->notes, *above = NULL;
    PyObject *trace = is_new(self, passing) ? find_trace(self, passing, &above) : NULL;
    if (trace == NULL)
        return PyErr_Occurred() ? -1 : 0;
    Py_XINCREF(above);
    slot_put(notes, cold.notes.home, Py_NewRef(trace));
    int failed = SLOT(trace, cold.trace.sampled) == Py_True && open_visit(self, passing, trace, above) < 0;
    Py_DECREF(trace);
    Py_XDECREF(above);
    return failed ? -1 : 1;
}
