/* call_soon: the gate on a loop's class. gate.py is the reference, and is called for all that is not common.
 *
 * Common are: a callback that is no task's; a task whose steps are not recorded; a first step; a bare yield; a wake
 * that is no cancellation. It adds no frame.
 */
#include "native.h"
#include <string.h>

/* What a call is to do. */
typedef enum {
    ERROR = -1,
    REFER,   /* leave it to the gate in Python */
    FORWARD, /* call the original as it is */
    RECORD,  /* put a stand-in in the callback's place */
} Verdict;

/* What is found out of a call. The loop is borrowed, and the context, NULL where none is given; all else is owned, and
 * `stand_in` or `how` is there where the verdict is RECORD. */
typedef struct { PyObject *loop, *context, *task, *life, *stand_in; How how; } Call;

/* RECORD, or FORWARD where the steps of a life are not recorded: this one is counted and passed by. */
static Verdict
passes(PyObject *life)
{
    if (LIFE_OF(life)->index < LIFE_OF(life)->hush)
        return RECORD;
    LIFE_OF(life)->index++;
    return FORWARD;
}

/* RECORD where a Life hangs on the task, REFER where none does yet. */
static Verdict
find_life(Core *core, Call *call)
{
    if (running != NULL && running->task == call->task && CORE(running) == core) {
        call->life = Py_NewRef(running->life);
        return RECORD;
    }
    if (life_on(call->task, &call->life) < 0)
        return ERROR;
    return call->life != NULL ? RECORD : REFER;
}

/* How a task became ready by a step of this one; nobody's where that is NULL. */
static How
by_step(long long since, PyObject *kind, PyObject *actor)
{
    int any = actor != NULL;
    return (How){
        since, any ? LIFE_OF(actor)->id : 0, any ? LIFE_OF(actor)->index : 0, Py_NewRef(kind), Py_NewRef(Py_None),
    };
}

/* A task is to take its first step, and may be met for the first time. */
static Verdict
begins(Core *core, Call *call)
{
    PyObject *here = enter();
    long long now;
    if (here == NULL || clock_read(&now) < 0)
        return ERROR;
    if (call->life == NULL)
        call->life = adopt(core, call->loop, call->task, call->context, here, now);
    if (call->life == NULL || LIFE_OF(call->life)->index != 0)
        return PyErr_Occurred() ? ERROR : REFER;
    call->how = by_step(0, natives.start_kind, actor_on(here));
    LIFE_OF(call->life)->ready = now;
    return RECORD;
}

/* A task is to go on without waiting for anything: Core.yields. */
static Verdict
yields(Core *core, Call *call)
{
    Verdict verdict = find_life(core, call);
    if (verdict == REFER)
        return begins(core, call);
    if (verdict != RECORD || (verdict = passes(call->life)) != RECORD)
        return verdict;
    long long started = LIFE_OF(call->life)->started;
    if (started == 0)
        return begins(core, call);
    call->how = by_step(0, natives.yield_kind, NULL);
    LIFE_OF(call->life)->ready = started;
    return RECORD;
}

/* A task wakes, for `future` is done: Core.wakes, where that is no cancellation. */
static Verdict
wakes(Core *core, Call *call, PyObject *future)
{
    Verdict verdict = find_life(core, call);
    if (verdict != RECORD || (verdict = passes(call->life)) != RECORD)
        return verdict;
    int cancelled = reader_ask_whether(&natives.cancelled, future);
    if (cancelled != 0)
        return cancelled < 0 ? ERROR : REFER;
    PyObject *here = enter();
    long long now;
    if (here == NULL || clock_read(&now) < 0)
        return ERROR;
    PyObject *actor = actor_on(here);
    int common = 1;
    if (actor == NULL)
        common = woken(call->loop, future, here, now, &call->how);
    else if (actor == call->life)
        call->how = by_step(0, natives.yield_kind, NULL);
    else
        call->how = by_step(now, natives.task_kind, actor);
    LIFE_OF(call->life)->ready = now;
    return common > 0 ? RECORD : common < 0 ? ERROR : REFER;
}

/* Whether a task that is done ends just now, rather than long ago: of one that is passed by nobody knows. */
static int
may_end(PyObject *life)
{
    return LIFE_OF(life)->started != 0 || LIFE_OF(life)->index >= LIFE_OF(life)->hush;
}

/* A callback that is no task's own: one with a task that is done for its argument is a task's done callback, and whom
 * it wakes was woken through the task's last step. See gate._after_task. */
static Verdict
other(Core *core, PyObject *const *args, Py_ssize_t count, Call *call)
{
    int after = count < 3 ? 0 : is_of_any(args[2], natives.tasks);
    if (after > 0)
        after = reader_ask_whether(&natives.task.done, args[2]);
    PyObject *life = NULL;
    if (after <= 0 || life_on(args[2], &life) < 0)
        return after < 0 || PyErr_Occurred() ? ERROR : FORWARD;
    if (life == NULL || !may_end(life) || !is_wrappable(args[1])) {
        Py_XDECREF(life);
        return FORWARD;
    }
    long long last = LIFE_OF(life)->index, now;
    if (LIFE_OF(life)->started == 0 && last > 0)
        last--;
    if (clock_read(&now) == 0)
        call->stand_in = callback_new(core, args[1], natives.callback_kind, now, LIFE_OF(life)->id, last);
    Py_DECREF(life);
    return call->stand_in == NULL ? ERROR : RECORD;
}

/* Whether this is the type of a C task's step, which is told by its name when it is first met. */
static int
is_wrapper(PyTypeObject *kind)
{
    if (natives.wrapper != NULL)
        return kind == natives.wrapper;
    const char *name = strrchr(kind->tp_name, '.');
    if (strcmp(name == NULL ? kind->tp_name : name + 1, "TaskStepMethWrapper") != 0)
        return 0;
    if (reader_make(&natives.owner, (PyObject *)kind, "__self__", 0) < 0) {
        PyErr_Clear();
        return 0;
    }
    natives.wrapper = (PyTypeObject *)Py_NewRef((PyObject *)kind);
    return 1;
}

/* Whether this is what a C task calls to wake, which is told by its name when it is first met. 0 where it is no task's,
 * -1 where a task has another such method, or with an error set. */
static int
is_wakeup(PyObject *callback, PyObject *owner)
{
    PyMethodDef *method = ((PyCFunctionObject *)callback)->m_ml;
    if (method == natives.wakeup)
        return 1;
    if (owner == NULL || !is_of_any(owner, natives.tasks))
        return 0;
    if (strcmp(method->ml_name, "task_wakeup") != 0)
        return -1;
    natives.wakeup = method;
    return 1;
}

static Verdict
judge(Core *core, PyObject *const *args, Py_ssize_t count, Call *call)
{
    PyObject *callback = args[1];
    if (PyCFunction_CheckExact(callback)) {
        PyObject *owner = PyCFunction_GET_SELF(callback);
        int wakeup = is_wakeup(callback, owner);
        if (wakeup == 0)
            return other(core, args, count, call);
        if (wakeup < 0 || count != 3)
            return PyErr_Occurred() ? ERROR : REFER;
        call->task = Py_NewRef(owner);
        return wakes(core, call, args[2]);
    }
    if (PyMethod_Check(callback)) {
        PyObject *function = PyMethod_GET_FUNCTION(callback);
        if (function == natives.py_step || function == natives.py_wakeup)
            return REFER;
        return other(core, args, count, call);
    }
    if (!PyFunction_Check(callback) && is_wrapper(Py_TYPE(callback))) {
        if (count != 2)
            return REFER;
        call->task = reader_read(&natives.owner, callback);
        return call->task == NULL ? ERROR : yields(core, call);
    }
    return other(core, args, count, call);
}

/* The original, with a stand-in in the callback's place. */
static PyObject *
schedule(Gate *self, Call *call, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *given[4] = {args[0], NULL, NULL, NULL};
    if (call->stand_in == NULL)
        call->stand_in = step_new(CORE(self), call->task, args[1], &call->how, call->life);
    if (call->stand_in == NULL) {
        if (core_fail(CORE(self)) < 0)
            return NULL;
        call->stand_in = Py_NewRef(args[1]);
    }
    given[1] = call->stand_in;
    Py_ssize_t total = count + (keywords == NULL ? 0 : PyTuple_GET_SIZE(keywords));
    for (Py_ssize_t i = 2; i < total; i++)
        given[i] = args[i];
    return PyObject_Vectorcall(self->original, given, count, keywords);
}

/* Whether a call is of the common form: (loop, callback[, argument], context=...). */
static int
is_common(Py_ssize_t count, PyObject *keywords)
{
    if (count != 2 && count != 3)
        return 0;
    if (keywords == natives.keywords || keywords == NULL || PyTuple_GET_SIZE(keywords) == 0)
        return 1;
    if (PyTuple_GET_SIZE(keywords) != 1 || PyUnicode_Compare(PyTuple_GET_ITEM(keywords, 0), natives.names.context) != 0)
        return 0;
    if (natives.keywords == NULL)
        natives.keywords = Py_NewRef(keywords);
    return 1;
}

int
gate_trim(Gate *self, PyObject *handle)
{
    Reader *reader = &self->traceback;
    PyObject *traceback = NULL, *done = NULL;
    if (reader->name != NULL || reader_make(reader, (PyObject *)Py_TYPE(handle), "_source_traceback", 0) == 0)
        traceback = reader_read(reader, handle);
    if (traceback != NULL && traceback != Py_None)
        done = PyObject_CallOneArg(natives.trim, handle);
    Py_XDECREF(traceback);
    Py_XDECREF(done);
    return PyErr_Occurred() ? core_fail(CORE(self)) : 0;
}

/* As it was found out that it is to be called. */
static PyObject *
carry_out(Gate *self, Verdict verdict, Call *call, PyObject *const *args, size_t flagged, PyObject *keywords)
{
    if (verdict == REFER)
        return PyObject_Vectorcall(self->reference, args, flagged, keywords);
    PyObject *handle;
    if (verdict == RECORD)
        handle = schedule(self, call, args, PyVectorcall_NARGS(flagged), keywords);
    else
        handle = PyObject_Vectorcall(self->original, args, flagged, keywords);
    if (handle == NULL && call->life != NULL)
        LIFE_OF(call->life)->ready = 0;
    if (handle != NULL && gate_trim(self, handle) < 0)
        Py_CLEAR(handle);
    return handle;
}

void
forward_interrupted(Gate *self, PyObject *const *args, size_t flagged, PyObject *keywords)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *handle = PyObject_Vectorcall(self->original, args, flagged, keywords);
    if (handle == NULL)
        PyErr_Clear();
    Py_XDECREF(handle);
    PyErr_Restore(type, value, traceback);
}

static PyObject *
gate_call(Gate *self, PyObject *const *args, size_t flagged, PyObject *keywords)
{
    Py_ssize_t count = PyVectorcall_NARGS(flagged);
    Core *core = core_held(self->tie);
    Verdict verdict = core != NULL && core->on ? REFER : FORWARD;
    Call call = {0};
    if (verdict == REFER && is_common(count, keywords)) {
        call.loop = args[0];
        if (keywords != NULL && PyTuple_GET_SIZE(keywords) > 0 && args[count] != Py_None)
            call.context = args[count];
        verdict = judge(core, args, count, &call);
    }
    PyObject *handle = NULL;
    if (verdict != ERROR || core_fail(core) == 0)
        handle = carry_out(self, verdict == ERROR ? FORWARD : verdict, &call, args, flagged, keywords);
    else {
        forward_interrupted(self, args, flagged, keywords);
        if (call.life != NULL)
            LIFE_OF(call.life)->ready = 0;
    }
    Py_XDECREF((PyObject *)core);
    Py_XDECREF(call.task);
    Py_XDECREF(call.life);
    how_clear(&call.how);
    Py_XDECREF(call.stand_in);
    return handle;
}

/* ---------------------------------------------------------------- its type */

/* Gate(core, original, reference) of call_soon; with `debugging` of a method for timers, with `spawns` of create_task. */
static PyObject *
gate_make(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"core", "original", "reference", "debugging", "spawns", NULL};
    Core *core;
    PyObject *original, *reference, *debugging = NULL;
    int spawns = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O!OO|Op", names, natives.core, &core, &original, &reference,
                                     &debugging, &spawns))
        return NULL;
    Gate *self = (Gate *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->call = (vectorcallfunc)(spawns ? spawn_call : debugging != NULL ? timer_call : gate_call);
    self->tie = tie_to(core);
    self->original = Py_NewRef(original);
    self->reference = Py_NewRef(reference);
    self->debugging = Py_XNewRef(debugging);
    return (PyObject *)self;
}

/* It is a function of a class. */
static PyObject *
gate_get(PyObject *self, PyObject *loop, PyObject *type)
{
    return loop == NULL || loop == Py_None ? Py_NewRef(self) : PyMethod_New(self, loop);
}

/* Name, module, code and the like are those of the gate in Python, which has them of what it stands for. */
static PyObject *
gate_getattr(Gate *self, PyObject *name)
{
    if (name == natives.names.__doc__ || name == natives.names.__module__)
        return PyObject_GetAttr(self->reference, name);
    return attribute_of((PyObject *)self, self->reference, name);
}

/* It is copied and pickled as a function of its class: by name. */
static PyObject *
gate_reduce(Gate *self, PyObject *nothing)
{
    return PyObject_GetAttrString(self->reference, "__qualname__");
}

static PyObject *
gate_repr(Gate *self)
{
    return PyObject_Repr(self->reference);
}

/* No clear: as a Step. */
static int
gate_traverse(Gate *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->original);
    Py_VISIT(self->reference);
    Py_VISIT(self->debugging);
    Py_VISIT(self->traceback.type);
    return 0;
}

static void
gate_dealloc(Gate *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weak != NULL)
        PyObject_ClearWeakRefs((PyObject *)self);
    Py_XDECREF(self->tie);
    Py_XDECREF(self->original);
    Py_XDECREF(self->reference);
    Py_XDECREF(self->debugging);
    Py_XDECREF(self->traceback.type);
    Py_XDECREF(self->traceback.name);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMethodDef gate_methods[] = {
    {"__reduce__", (PyCFunction)gate_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef gate_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Gate, call), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Gate, weak), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot gate_slots[] = {
    {Py_tp_doc, "A method of a loop's class that schedules callbacks."},
    {Py_tp_new, gate_make},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_descr_get, gate_get},
    {Py_tp_methods, gate_methods},
    {Py_tp_members, gate_members},
    {Py_tp_getattro, gate_getattr},
    {Py_tp_repr, gate_repr},
    {Py_tp_traverse, gate_traverse},
    {Py_tp_dealloc, gate_dealloc},
    {0, NULL},
};

PyType_Spec gate_spec = {
    .name = "loopscope._native.Gate",
    .basicsize = sizeof(Gate),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .slots = gate_slots,
};
