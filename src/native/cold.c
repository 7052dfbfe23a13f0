/* The slots of the pipeline's own objects, and whole numbers in them. */
#include "cold.h"
#include <stdarg.h>
#include <string.h>

Cold cold;

LOADER(load_life, TaskLifeSlots, TASK_LIFE, TASK_LIFE_WHOLES, "loopscope.model", "TaskLife")
LOADER(load_step, StepSlots, STEP, STEP_WHOLES, "loopscope.model", "Step")
LOADER(load_notes, NotesSlots, NOTES, NOTES_WHOLES, "loopscope.pipeline.spans.notes", "Notes")
LOADER(load_trace, TraceSlots, TRACE, TRACE_WHOLES, "loopscope.pipeline.spans.traces", "Trace")
LOADER(load_visit, VisitSlots, VISIT, VISIT_WHOLES, "loopscope.pipeline.spans.visit", "Visit")
LOADER(load_whose, WhoseSlots, WHOSE, NO_WHOLES, "loopscope.pipeline.spans.span", "Whose")
LOADER(load_group, GroupSlots, GROUP, GROUP_WHOLES, "loopscope.pipeline.spans.visit", "Group")
LOADER(load_occupancy, OccupancySlots, OCCUPANCY, OCCUPANCY_WHOLES, "loopscope.pipeline.occupancy", "Occupancy")
LOADER(load_loop_time, LoopTimeSlots, LOOP_TIME, LOOP_TIME_WHOLES, "loopscope.pipeline.metrics.looptime", "LoopTime")
LOADER(load_histogram, HistogramSlots, HISTOGRAM, NO_WHOLES, "loopscope.pipeline.metrics.histogram", "Histogram")
LOADER(load_harm, HarmSlots, NO_SLOTS, HARM_WHOLES, "loopscope.model", "Harm")
LOADER(load_window, WindowSlots, WINDOW, NO_WHOLES, "loopscope.pipeline.metrics.histogram", "Window")
LOADER(load_tally, TallySlots, TALLY, NO_WHOLES, "loopscope.pipeline.metrics.tally", "Tally")
LOADER(load_sums, SumsSlots, SUMS, SUMS_WHOLES, "loopscope.pipeline.metrics.sums", "Sums")
LOADER(load_recent, RecentSlots, RECENT, RECENT_WHOLES, "loopscope.pipeline.recent", "Recent")
LOADER(load_bucket, BucketSlots, BUCKET, BUCKET_WHOLES, "loopscope.pipeline.spans.bucket", "Bucket")
LOADER(load_budget, BudgetSlots, BUDGET, BUDGET_WHOLES, "loopscope.pipeline.spans.budget", "Budget")
LOADER(load_batch, BatchSlots, BATCH, BATCH_WHOLES, "loopscope.pipeline.export.outbox", "Batch")

static int
load_slots(void)
{
    int failed = wholes_begin() < 0 || load_life(&cold.life) < 0 || load_step(&cold.step) < 0
        || load_notes(&cold.notes) < 0 || load_trace(&cold.trace) < 0 || load_visit(&cold.visit) < 0
        || load_whose(&cold.whose) < 0 || load_group(&cold.group) < 0 || load_occupancy(&cold.occupancy) < 0
        || load_loop_time(&cold.loop_time) < 0 || load_histogram(&cold.histogram) < 0 || load_harm(&cold.harm) < 0
        || load_window(&cold.window) < 0 || load_tally(&cold.tally) < 0 || load_sums(&cold.sums) < 0
        || load_recent(&cold.recent) < 0 || load_bucket(&cold.bucket) < 0 || load_budget(&cold.budget) < 0
        || load_batch(&cold.batch) < 0;
    wholes_end();
    return failed ? -1 : 0;
}

/* An object to copy, if its class has slots and nothing else. */
static PyObject *
load_model(PyTypeObject *type, PyObject *object)
{
    if (object != NULL && (!Py_IS_TYPE(object, type) || type->tp_base != &PyBaseObject_Type || type->tp_dictoffset != 0
                           || type->tp_weaklistoffset != 0 || type->tp_itemsize != 0)) {
        PyErr_Format(PyExc_ImportError, "%s has more than slots", type->tp_name);
        Py_CLEAR(object);
    }
    return object;
}

/* A Step without content. */
static PyObject *
load_step_model(void)
{
    PyTypeObject *type = cold.step.type;
    PyObject *step = load_model(type, type->tp_alloc(type, 0));
#define EMPTY(name) if (step != NULL) SLOT(step, cold.step.name) = Py_NewRef(Py_None);
    STEP(EMPTY)
    return step;
}

#define LOAD_NUMBER(field, module, name) if (fetch_number(module, name, &cold.field) < 0) return -1;
#define LOAD_TEXT(module, field) if ((cold.text.field = fetch(module, #field)) == NULL) return -1;
#define LOAD_NAME(field) if ((cold.name.field = PyUnicode_InternFromString(#field)) == NULL) return -1;
#define FETCH(field, module, name) if ((cold.field = fetch(module, name)) == NULL) return -1;

int
cold_load(void)
{
    static int loaded = 0;
    if (loaded)
        return 0;
    if (load_slots() < 0)
        return -1;
    NUMBERS(LOAD_NUMBER)
    TEXTS(LOAD_TEXT)
    ASKED(LOAD_NAME)
    FETCH(a_long, "loopscope.pipeline.occupancy", "Long")
    FETCH(kind_step, "loopscope.pipeline.occupancy", "STEP")
    FETCH(kind_callback, "loopscope.pipeline.occupancy", "CALLBACK")
    FETCH(kind_idle, "loopscope.pipeline.occupancy", "IDLE")
    FETCH(kind_gap, "loopscope.pipeline.occupancy", "GAP")
    cold.of_callbacks = pair(cold.kind_callback, Py_None);
    cold.of_idle = pair(cold.kind_idle, Py_None);
    cold.of_gap = pair(cold.kind_gap, Py_None);
    if (cold.of_callbacks == NULL || cold.of_idle == NULL || cold.of_gap == NULL)
        return -1;
    FETCH(holder, "loopscope.pipeline.spans.handoffs", "Holder")
    FETCH(delay, "loopscope.model", "Delay")
    FETCH(delayed_by_step, "loopscope.pipeline.culprits", "_step")
    FETCH(function_of, "loopscope.pipeline.frames", "function_of")
    FETCH(place_of, "loopscope.pipeline.frames", "place_of")
    FETCH(kinds, "loopscope.pipeline.spans.describe", "_kinds")
    FETCH(task_kind, "loopscope.pipeline.spans.describe", "task_kind")
    FETCH(step_kind, "loopscope.pipeline.spans.describe", "step_kind")
    FETCH(freed_by, "loopscope.pipeline.spans.describe", "FREED_BY")
#define LOAD_MODEL(of, ...) \
    cold.a_##of = load_model(cold.of.type, PyObject_CallFunction((PyObject *)cold.of.type, __VA_ARGS__)); \
    if (cold.a_##of == NULL) \
        return -1;
    LOAD_MODEL(life, "isOi", 0, "", Py_None, 0)
    LOAD_MODEL(notes, NULL)
    LOAD_MODEL(trace, "iOOi", 0, Py_True, Py_True, 0)
    LOAD_MODEL(visit, "OiiO", Py_None, 0, 0, Py_True)
    LOAD_MODEL(whose, "sO", "", Py_None)
    if ((cold.a_step = load_step_model()) == NULL)
        return -1;
    LOAD_MODEL(group, "iOOO", 0, cold.a_step, Py_False, Py_False)
    PyTypeObject *queue = fetch_type("collections", "deque");
    if (queue == NULL)
        return -1;
    cold.clear = PyObject_GetAttrString((PyObject *)queue, "clear");
    Py_DECREF(queue);
    cold.nothing = PyTuple_New(0);
    cold.empty = PyUnicode_FromString("");
    if (cold.clear == NULL || cold.nothing == NULL || cold.empty == NULL || asleep_load() < 0)
        return -1;
    loaded = 1;
    return 0;
}

PyObject *
key_of(PyObject *task, long long index)
{
    PyObject *at = PyLong_FromLongLong(index);
    PyObject *key = at == NULL ? NULL : pair(task, at);
    Py_XDECREF(at);
    return key;
}

PyObject *
named_tuple(PyObject *type, Py_ssize_t count, ...)
{
    PyObject *made = ((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, count);
    int failed = made == NULL;
    va_list items;
    va_start(items, count);
    for (Py_ssize_t place = 0; place < count; place++) {
        PyObject *item = va_arg(items, PyObject *);
        failed |= item == NULL;
        if (made != NULL)
            PyTuple_SET_ITEM(made, place, item);
        else
            Py_XDECREF(item);
    }
    va_end(items);
    if (failed)
        Py_CLEAR(made);
    return untracked(made);
}

PyObject *
copy(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject *made = type->tp_alloc(type, 0);
    if (made == NULL)
        return NULL;
    memcpy(made + 1, object + 1, type->tp_basicsize - sizeof *made);
    for (const PyMemberDef *member = type->tp_members; member->name != NULL; member++)
        if (member->type == T_OBJECT_EX)
            Py_XINCREF(SLOT(made, member->offset));
    return untracked(made);
}

void
memory_clear(Memory *memory)
{
    for (size_t place = 0; place < sizeof memory->of / sizeof *memory->of; place++)
        Py_CLEAR(memory->of[place]);
    Py_CLEAR(memory->found);
}

PyObject *
memory_keep(Memory *memory, PyObject *const *of, size_t count, PyObject *found)
{
    if (found == NULL)
        return NULL;
    memory_clear(memory);
    for (size_t place = 0; place < count; place++)
        memory->of[place] = Py_NewRef(of[place]);
    memory->found = found;
    return Py_NewRef(found);
}

int
put_pair_of(PyObject *dict, PyObject *key, PyObject *before, long long first, long long second)
{
    if (before != NULL && Py_REFCNT(before) == 1)
        return put_whole(&PyTuple_GET_ITEM(before, 0), first) < 0 || put_whole(&PyTuple_GET_ITEM(before, 1), second) < 0
            ? -1 : 0;
    PyObject *now = untracked(Py_BuildValue("LL", first, second));
    int failed = now == NULL ? -1 : PyDict_SetItem(dict, key, now);
    Py_XDECREF(now);
    return failed;
}

int
recent_put(PyObject *recent, PyObject *key, PyObject *value)
{
    PyObject *items = SLOT(recent, cold.recent._items), *order = SLOT(recent, cold.recent._order);
    Py_ssize_t before = PyDict_GET_SIZE(items);
    if (put_untracked(items, key, value) < 0)
        return -1;
    if (PyDict_GET_SIZE(items) == before)
        return 0;
    if (came(natives.append(order, key)) < 0)
        return -1;
    if (before != WHOLE(recent, cold.recent._size))
        return 0;
    PyObject *oldest = natives.popleft(order, NULL);
    int failed = oldest == NULL ? -1 : PyDict_DelItem(items, oldest);
    Py_XDECREF(oldest);
    return failed;
}

PyObject *
awaited_name(PyObject *awaited)
{
    if (Py_IS_TYPE(awaited, natives.wait))
        awaited = PyTuple_GET_ITEM(awaited, 0);
    return Py_IS_TYPE(awaited, natives.place.type) ? SLOT(awaited, natives.place.public) : awaited;
}
