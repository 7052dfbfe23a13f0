/* Steps that share a span: what StepSpans and Group do of them. */
#include "cold.h"

/* Group.add */
static void
group_add(PyObject *group, PyObject *step)
{
    long long start = WHOLE(step, cold.step.start), end = WHOLE(step, cold.step.end);
    WHOLE(group, cold.group.count)++;
    WHOLE(group, cold.group.running) += end - start;
    WHOLE(group, cold.group.ready) += start - WHOLE(step, cold.step.ready);
    WHOLE(group, cold.group.end) = end;
}

int
tell_coalesced(Ordinary *self)
{
    if (self->coalesced == 0)
        return 0;
    PyObject *before = PyObject_GetAttr(self->spans, cold.name.coalesced);
    long long count;
    if (before == NULL || number(before, &count) < 0) {
        Py_XDECREF(before);
        return -1;
    }
    Py_DECREF(before);
    PyObject *now = PyLong_FromLongLong(count + self->coalesced);
    self->coalesced = 0;
    int failed = now == NULL ? -1 : PyObject_SetAttr(self->spans, cold.name.coalesced, now);
    Py_XDECREF(now);
    return failed;
}

/* A group that begins with this step. */
static int
begin_group(Ordinary *self, PyObject *visit, PyObject *step, PyObject *shared)
{
    PyObject *span_id = new_span_id(self);
    PyObject *group = span_id == NULL ? NULL : copy(cold.a_group);
    if (group == NULL) {
        Py_XDECREF(span_id);
        return -1;
    }
    slot_put(group, cold.group.span_id, span_id);
    slot_put(group, cold.group.step, Py_NewRef(step));
    slot_put(group, cold.group.shared, Py_NewRef(shared));
    PyObject *trace = SLOT(visit, cold.visit.trace);
    int room = SLOT(visit, cold.visit.room) == Py_True && WHOLE(trace, cold.trace.spans) < self->room;
    WHOLE(trace, cold.trace.spans) += room;
    slot_put(group, cold.group.room, Py_NewRef(room ? Py_True : Py_False));
    WHOLE(group, cold.group.index) = WHOLE(step, cold.step.index);
    WHOLE(group, cold.group.start) = WHOLE(step, cold.step.start);
    WHOLE(group, cold.group.count) = WHOLE(group, cold.group.running) = WHOLE(group, cold.group.ready) = 0;
    group_add(group, step);
    slot_put(visit, cold.visit.group, group);
    return 0;
}

/* StepSpans._coalesce, of a step that was held. */
static int
coalesce_held(Ordinary *self, Passing *passing, PyObject *step, PyObject *shared)
{
    PyObject *visit = passing->visit;
    if (SLOT(visit, cold.visit.group) != Py_None)
        group_add(SLOT(visit, cold.visit.group), step);
    else if (begin_group(self, visit, step, shared) < 0)
        return -1;
    if (!is_linked(visit))
        return 0;
    PyObject *group = SLOT(visit, cold.visit.group);
    int bare = WHOLE(visit, cold.visit.detail) >= cold.bare;
    if (!bare && SLOT(group, cold.group.room) != Py_True)
        return 0;
    PyObject *span_id = bare ? SLOT(visit, cold.visit.span_id) : SLOT(group, cold.group.span_id);
    return remember(self, passing->id, WHOLE(step, cold.step.index), passing->trace, span_id);
}

int
coalesce(Ordinary *self, Passing *passing)
{
    PyObject *visit = passing->visit;
    PyObject *now = pair(passing->step, Py_False);
    if (now == NULL)
        return -1;
    if (passing->level > WHOLE(visit, cold.visit.detail))
        WHOLE(visit, cold.visit.detail) = passing->level;
    PyObject *held = Py_NewRef(SLOT(visit, cold.visit.held));
    slot_put(visit, cold.visit.held, now);
    int failed = held == Py_None ? 0
                                 : coalesce_held(self, passing, PyTuple_GET_ITEM(held, 0), PyTuple_GET_ITEM(held, 1));
    Py_DECREF(held);
    return failed;
}
