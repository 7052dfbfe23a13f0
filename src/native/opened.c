/* The first task span of a task: what TaskSpans.home and TaskSpans.open do for one that nobody known created. */
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

/* The visit, not told for now where the budget asks for that: TaskSpans._begin. A new reference. */
static PyObject *
make_visit(Passing *passing, PyObject *trace, PyObject *span_id, int untold)
{
    PyObject *visit = copy(cold.a_visit);
    PyObject *quiet = untold ? untracked(PyList_New(0)) : Py_NewRef(Py_None);
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
    if (untold) {
        slot_put(visit, cold.visit.untold, Py_NewRef(cold.text.SPARED));
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

/* Whether the task stands under no other, and nothing was prepared for its span. */
static int
opened_fits(Ordinary *self, Passing *passing)
{
    PyObject *notes = passing->notes;
    int stands = PyObject_IsTrue(SLOT(notes, cold.notes.under));
    if (stands)
        return stands < 0 ? -1 : 0;
    return SLOT(notes, cold.notes.reserved) == Py_False && SLOT(notes, cold.notes.link) == Py_None && !self->quiet
        && self->room * 7 / 8 > 1 && passing->start - WHOLE(passing->life, cold.life.born) < self->rotate;
}

int
opened(Ordinary *self, Passing *passing)
{
    int fits = opened_fits(self, passing);
    if (fits != 1)
        return fits;
    PyObject *notes = passing->notes, *trace = make_root(self, passing->life);
    if (trace == NULL)
        return -1;
    slot_put(notes, cold.notes.home, Py_NewRef(trace));
    if (SLOT(trace, cold.trace.sampled) != Py_True) {
        Py_DECREF(trace);
        return 1;
    }
    PyObject *span_id = new_span_id(self);
    int untold = WHOLE(self->budget, cold.budget.level) >= cold.untold;
    PyObject *visit = span_id == NULL ? NULL : make_visit(passing, trace, span_id, untold);
    WHOLE(trace, cold.trace.spans)++;
    int failed = visit == NULL || add_visit(notes, visit) < 0;
    if (!failed)
        slot_put(notes, cold.notes.own, Py_NewRef(span_id));
    Py_DECREF(trace);
    Py_XDECREF(span_id);
    Py_XDECREF(visit);
    return failed ? -1 : 1;
}
