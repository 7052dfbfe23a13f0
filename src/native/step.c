/* What stands in a handle in a task's own callback's place: its call is one step.
 *
 * Made per scheduling, and strong on the task until the handle goes, as CPython's own callback is: one per task would
 * be a cycle. Where it is looked at it is the callback: `__self__` is the task, all else the callback's own.
 */
#include "native.h"

/* Has the core look at the current span where it may have changed. */
static int
look(Core *core, PyObject *life)
{
    PyObject *context = core_current(core);
    if (context == NULL)
        return -1;
    PyObject *known = content_of(LIFE_OF(life)->cell);
    int failed = known == NULL ? -1 : 0;
    if (known != NULL && known != context)
        failed = core_look(core, life, context);
    Py_XDECREF(known);
    Py_DECREF(context);
    return failed;
}

/* The Here of the thread on which this life's loop runs: a new reference, NULL with an error set. */
static PyObject *
here_of(Core *core, PyObject *life)
{
    PyObject *loop = LIFE_OF(life)->loop;
    PyObject *here = SLOT(loop, natives.loop_state.here);
    if (here == Py_None)
        here = PyObject_CallMethodOneArg((PyObject *)core, natives.names.arrive, loop);
    else
        Py_INCREF(here);
    if (here != NULL && !Py_IS_TYPE(here, natives.here.type)) {
        PyErr_SetString(PyExc_TypeError, "not a Here");
        Py_CLEAR(here);
    }
    return here;
}

/* What is set, no error of ours, is raised once the step is over, lest its task never goes on. */
static void
keep(Aside *interrupt)
{
    aside_clear(interrupt);
    aside_fetch(interrupt);
}

/* The step has begun on this thread. */
static void
begin(Step *self, PyObject *here, long long *start, Aside *interrupt)
{
    Core *core = CORE(self);
    slot_put(here, natives.here.life, Py_NewRef(self->life));
    LIFE_OF(self->life)->ready = 0;
    if ((look(core, self->life) < 0 || stepping(self) < 0) && core_fail(core) < 0)
        keep(interrupt);
    if (clock_read(start) == 0)
        LIFE_OF(self->life)->started = *start;
    else if (core_fail(core) < 0)
        keep(interrupt);
}

/* It has ended. The application's own exception, if any, is kept aside. */
static int
end(Step *self, PyObject *here, PyObject *outer, long long start, PyObject *doomed)
{
    long long now;
    int failed = clock_read(&now);
    slot_put(here, natives.here.life, Py_NewRef(outer));
    if (failed == 0 && start != 0 && LIFE_OF(self->life)->started != 0) {
        LIFE_OF(self->life)->started = 0;
        failed = stepped(self, here, start, now, doomed);
    }
    return failed < 0 ? core_fail(CORE(self)) : 0;
}

Step *running;

/* Calls the task's own callback: the common one, which takes no arguments, directly. */
static inline PyObject *
call(Step *self, PyObject *const *args, size_t flagged, PyObject *keywords)
{
    PyObject *callback = self->callback;
    if (Py_TYPE(callback) == natives.wrapper && PyVectorcall_NARGS(flagged) == 0 && keywords == NULL)
        return natives.wrapper->tp_call(callback, natives.no_arguments, NULL);
    return PyObject_Vectorcall(callback, args, flagged, keywords);
}

/* One step, recorded. */
static PyObject *
run(Step *self, PyObject *here, PyObject *doomed, PyObject *const *args, size_t flagged, PyObject *keywords,
    Aside *interrupt)
{
    PyObject *outer = Py_NewRef(SLOT(here, natives.here.life));
    long long start = 0;
    begin(self, here, &start, interrupt);
    running = self;
    PyObject *result = call(self, args, flagged, keywords);
    if (running == self)
        running = NULL;
    Aside error = {0};
    if (result == NULL)
        aside_fetch(&error);
    if (end(self, here, outer, start, doomed) < 0) {
        Py_CLEAR(result);
        aside_clear(&error);
    }
    else if (result == NULL)
        aside_restore(&error);
    Py_DECREF(outer);
    step_over();
    return result;
}

static PyObject *
step_call(Step *self, PyObject *const *args, size_t flagged, PyObject *keywords)
{
    Core *core = core_held(self->tie);
    PyObject *here = NULL, *doomed = NULL, *result;
    Aside interrupt = {0};
    if (core != NULL && core->on) {
        if (core->dozing && core_tell(core, natives.names.rouse) < 0)
            keep(&interrupt);
        here = here_of(core, self->life);
        doomed = here == NULL ? NULL : reader_read(&natives.task.doomed, self->task);
        if (doomed == NULL && core_fail(core) < 0)
            keep(&interrupt);
    }
    if (doomed != NULL)
        result = run(self, here, doomed, args, flagged, keywords, &interrupt);
    else
        result = call(self, args, flagged, keywords);
    if (interrupt.type != NULL && result != NULL) {
        Py_CLEAR(result);
        aside_restore(&interrupt);
    }
    aside_clear(&interrupt);
    Py_XDECREF((PyObject *)core);
    Py_XDECREF(here);
    Py_XDECREF(doomed);
    return result;
}

/* ---------------------------------------------------------------- its type */

/* Memory of stand-ins that went, for the next ones. */
enum { SPARES = 32 };
static Step *spares[SPARES];
static int spare = 0;

/* A stand-in without content. */
static Step *
step_alloc(void)
{
    if (spare == 0)
        return PyObject_GC_New(Step, natives.step);
    return (Step *)PyObject_Init((PyObject *)spares[--spare], natives.step);
}

PyObject *
step_new(Core *core, PyObject *task, PyObject *callback, How *how, PyObject *life)
{
    Step *self = step_alloc();
    if (self == NULL)
        return NULL;
    self->call = (vectorcallfunc)step_call;
    self->weak = NULL;
    self->tie = tie_to(core);
    self->task = Py_NewRef(task);
    self->callback = Py_NewRef(callback);
    self->how = *how;
    *how = (How){0};
    self->life = Py_NewRef(life);
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

/* Step(core, (task, callback, how)): as MethodType(core.run, ...) in the Python core's gate. */
static PyObject *
step_make(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    Core *core;
    PyObject *task, *callback, *tuple;
    if (keywords != NULL && PyDict_GET_SIZE(keywords) > 0) {
        PyErr_SetString(PyExc_TypeError, "Step() takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "O!(OOO!)", natives.core, &core, &task, &callback, &PyTuple_Type, &tuple))
        return NULL;
    PyObject *life;
    if (life_on(task, &life) < 0)
        return NULL;
    PyObject *made = NULL;
    How how = {0};
    if (life == NULL) /* one of the Python core's, from an earlier time on: this step passes, the next one is met anew */
        made = came(PyObject_CallOneArg(natives.unhang, task)) < 0 ? NULL : Py_NewRef(callback);
    else if (how_read(&how, tuple) == 0)
        made = step_new(core, task, callback, &how, life);
    how_clear(&how);
    Py_XDECREF(life);
    return made;
}

static PyObject *
step_getattr(Step *self, PyObject *name)
{
    return attribute_of((PyObject *)self, self->callback, name);
}

static PyObject *
step_repr(Step *self)
{
    return PyObject_Repr(self->callback);
}

/* It never changes, as a tuple: a cycle that it is in is broken elsewhere, and it can be called at any time. */
static int
step_traverse(Step *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->task);
    Py_VISIT(self->callback);
    Py_VISIT(self->how.name);
    Py_VISIT(self->life);
    return 0;
}

static void
step_dealloc(Step *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weak != NULL)
        PyObject_ClearWeakRefs((PyObject *)self);
    Py_DECREF(self->tie);
    Py_DECREF(self->task);
    Py_DECREF(self->callback);
    how_clear(&self->how);
    Py_DECREF(self->life);
    if (spare < SPARES)
        spares[spare++] = self;
    else
        type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMemberDef step_members[] = {
    {"__self__", T_OBJECT, offsetof(Step, task), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Step, call), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Step, weak), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot step_slots[] = {
    {Py_tp_doc, "Stands for a task's own callback: its call is one step."},
    {Py_tp_new, step_make},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, step_members},
    {Py_tp_getattro, step_getattr},
    {Py_tp_repr, step_repr},
    {Py_tp_traverse, step_traverse},
    {Py_tp_dealloc, step_dealloc},
    {0, NULL},
};

PyType_Spec step_spec = {
    .name = "loopscope._native.Step",
    .basicsize = sizeof(Step),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .slots = step_slots,
};
