/* What stands in a handle in a task's own callback's place: its call is one step, and writes the step's record.
 *
 * Made per scheduling, and strong on the task until the handle goes, as CPython's own callback is: one per task would
 * be a cycle. Where it is looked at it is the callback: `__self__` is the task, all else the callback's own.
 */
#include "native.h"

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *weak;
    Core *core;
    /* `life` hangs on the task too; `how`: see stand_ins.How */
    PyObject *task, *callback, *how, *life;
} Step;

/* ---------------------------------------------------------------- the record */

/* What the record of a step that did not end its task says of it. Borrowed, but for `point`. */
typedef struct {
    PyObject *start, *end, *outcome;
    Point point;
} Told;

/* Replaces a slot of a life by what its task says. */
static int
ask(PyObject *task, const Reader *reader, PyObject *life, Py_ssize_t offset)
{
    PyObject *said = reader_read(reader, task);
    if (said == NULL)
        return -1;
    slot_put(life, offset, said);
    return 0;
}

/* The looks at the selector that this record takes. A new reference. */
static PyObject *
take_polls(PyObject *here, PyObject *end)
{
    PyObject *polls = SLOT(here, natives.here.polls);
    Py_INCREF(polls);
    slot_put(here, natives.here.ended, Py_NewRef(end));
    if (polls != Py_None && PyTuple_GET_SIZE(polls) > 0)
        slot_put(here, natives.here.polls, PyTuple_New(0));
    return polls;
}

/* The record, with the index counted up. See model.py for its layout. */
static PyObject *
make_record(Step *self, PyObject *here, const Told *told)
{
    PyObject *life = self->life;
    PyObject *index = Py_NewRef(SLOT(life, natives.life.index));
    PyObject *following = PyLong_FromSsize_t(PyLong_AsSsize_t(index) + 1);
    PyObject *record = following == NULL ? NULL : PyTuple_New(18);
    if (record == NULL) {
        Py_DECREF(index);
        Py_XDECREF(following);
        return NULL;
    }
    slot_put(life, natives.life.index, following);
    PyObject *span = SLOT(life, natives.life.span);
    PyObject *items[18] = {
        Py_NewRef(natives.tag), Py_NewRef(SLOT(life, natives.life.id)), index,
        Py_NewRef(SLOT(life, natives.life.where)), Py_NewRef(self->how), Py_NewRef(told->start), Py_NewRef(told->end),
        Py_NewRef(told->outcome), Py_NewRef(told->point.awaiting), Py_NewRef(told->point.place),
        Py_NewRef(told->point.lasti), Py_NewRef(span), Py_NewRef(Py_None), Py_NewRef(span),
        Py_NewRef(SLOT(life, natives.life.name)), Py_NewRef(Py_None), Py_NewRef(Py_None),
        take_polls(here, told->end),
    };
    for (Py_ssize_t i = 0; i < 18; i++)
        PyTuple_SET_ITEM(record, i, items[i]);
    /* It is in no cycle: the collector need not walk all that waits in the buffer. */
    PyObject_GC_UnTrack(record);
    return record;
}

/* ---------------------------------------------------------------- the end of a step */

/* The step was the task's first on its thread, or its last; a span was opened in it; looks are to be seen anew. */
static int
is_rare(Core *core, PyObject *life, PyObject *here)
{
    return core->deaf || SLOT(life, natives.life.here) != here || SLOT(here, natives.here.blind) != Py_False ||
           SLOT(life, natives.life.activated) != Py_None || SLOT(life, natives.life.left) != Py_False;
}

/* Core.stepped, in Python. */
static int
stepped_rarely(Step *self, PyObject *here, PyObject *start, PyObject *end, PyObject *doomed, PyObject *const *args,
               Py_ssize_t count)
{
    PyObject *given = PyTuple_New(count);
    if (given == NULL)
        return -1;
    for (Py_ssize_t i = 0; i < count; i++)
        PyTuple_SET_ITEM(given, i, Py_NewRef(args[i]));
    PyObject *done = PyObject_CallMethodObjArgs((PyObject *)self->core, natives.names.stepped, self->how, self->task,
                                                self->life, here, start, end, given, doomed, NULL);
    Py_DECREF(given);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* Whether the task has ended; -1 with an error set. */
static int
is_done(PyObject *task)
{
    if (Py_TYPE(task) == natives.task.state.type) {
        PyObject *state = reader_read(&natives.task.state, task);
        Py_XDECREF(state);
        if (state == natives.names.PENDING)
            return 0;
    }
    PyObject *done = reader_read(&natives.task.done, task);
    int said = done == NULL ? -1 : PyObject_IsTrue(done);
    Py_XDECREF(done);
    return said;
}

/* What of a life is read anew after a step that did not end its task. */
static int
read_anew(Step *self, int waits, PyObject *doomed)
{
    PyObject *life = self->life;
    if (waits && ask(self->task, &natives.task.name, life, natives.life.name) < 0)
        return -1;
    if (!natives.cancelling)
        return 0;
    if (!waits && doomed != Py_True && SLOT(life, natives.life.cancels) == natives.zero)
        return 0;
    return ask(self->task, &natives.task.cancelling, life, natives.life.cancels);
}

/* A step has ended: write its record. As Core.stepped. */
static int
stepped(Step *self, PyObject *here, PyObject *start, PyObject *end, PyObject *doomed, PyObject *const *args,
        Py_ssize_t count)
{
    PyObject *life = self->life;
    PyObject *waiter = reader_read(&natives.task.waiter, self->task);
    if (waiter == NULL)
        return -1;
    int waits = waiter != Py_None;
    int rare = is_rare(self->core, life, here) ? 1 : waits ? 0 : is_done(self->task);
    if (rare) {
        Py_DECREF(waiter);
        return rare < 0 ? -1 : stepped_rarely(self, here, start, end, doomed, args, count);
    }
    Told told = {start, end, waits ? natives.suspended : natives.yielded, {0}};
    int failed = point(self->task, waiter, SLOT(life, natives.life.place), &told.point);
    Py_DECREF(waiter);
    if (failed < 0)
        return -1;
    PyObject *record = read_anew(self, waits, doomed) < 0 ? NULL : make_record(self, here, &told);
    Py_DECREF(told.point.awaiting);
    Py_DECREF(told.point.place);
    Py_DECREF(told.point.lasti);
    if (record == NULL)
        return -1;
    failed = core_put(self->core, record);
    Py_DECREF(record);
    if (failed < 0 || !self->core->asleep)
        return failed;
    self->core->asleep = 0;
    PyObject *done = PyObject_CallMethodNoArgs((PyObject *)self->core, natives.names.awaken);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* ---------------------------------------------------------------- the step */

/* The object that a weak reference tells of, or that a callable returns: a new reference, NULL with an error set. */
static PyObject *
content_of(PyObject *cell)
{
    if (!PyWeakref_CheckRefExact(cell))
        return PyObject_CallNoArgs(cell);
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *content;
    if (PyWeakref_GetRef(cell, &content) < 0)
        return NULL;
    return content != NULL ? content : Py_NewRef(Py_None);
#else
    return Py_NewRef(PyWeakref_GET_OBJECT(cell));
#endif
}

/* Has the core look at the current span where it may have changed. */
static int
look(Core *core, PyObject *life)
{
    PyObject *context = PyObject_CallNoArgs(core->current);
    if (context == NULL)
        return -1;
    PyObject *known = content_of(SLOT(life, natives.life.cell));
    int failed = known == NULL ? -1 : 0;
    if (known != NULL && known != context) {
        PyObject *done =
            PyObject_CallMethodObjArgs((PyObject *)core, natives.names.look, life, context, NULL);
        failed = done == NULL ? -1 : 0;
        Py_XDECREF(done);
    }
    Py_XDECREF(known);
    Py_DECREF(context);
    return failed;
}

/* The Here of the thread on which this life's loop runs: a new reference, NULL with an error set. */
static PyObject *
here_of(Core *core, PyObject *life)
{
    PyObject *loop = SLOT(life, natives.life.loop);
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

/* The step has begun on this thread: -1 where the callback must not be called. */
static int
begin(Step *self, PyObject *here, PyObject **start)
{
    Core *core = self->core;
    slot_put(here, natives.here.life, Py_NewRef(self->life));
    slot_put(self->life, natives.life.ready, Py_NewRef(natives.zero));
    if (look(core, self->life) < 0 && core_fail(core) < 0)
        return -1;
    *start = reading();
    if (*start == NULL)
        return core_fail(core);
    slot_put(self->life, natives.life.started, Py_NewRef(*start));
    return 0;
}

/* It has ended. The application's own exception, if any, is kept aside. */
static int
end(Step *self, PyObject *here, PyObject *outer, PyObject *start, PyObject *doomed, PyObject *const *args,
    Py_ssize_t count)
{
    PyObject *now = reading();
    slot_put(here, natives.here.life, Py_NewRef(outer));
    if (now == NULL)
        return core_fail(self->core);
    int failed = 0;
    if (start != NULL && SLOT(self->life, natives.life.started) != natives.zero) {
        slot_put(self->life, natives.life.started, Py_NewRef(natives.zero));
        if (stepped(self, here, start, now, doomed, args, count) < 0)
            failed = core_fail(self->core);
    }
    Py_DECREF(now);
    return failed;
}

/* One step, recorded. */
static PyObject *
run(Step *self, PyObject *here, PyObject *doomed, PyObject *const *args, size_t flagged, PyObject *keywords)
{
    PyObject *outer = Py_NewRef(SLOT(here, natives.here.life));
    PyObject *start = NULL, *result = NULL;
    if (begin(self, here, &start) == 0)
        result = PyObject_Vectorcall(self->callback, args, flagged, keywords);
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    if (end(self, here, outer, start, doomed, args, PyVectorcall_NARGS(flagged)) < 0) {
        Py_CLEAR(result);
        Py_XDECREF(type);
        Py_XDECREF(error);
        Py_XDECREF(traceback);
    }
    else
        PyErr_Restore(type, error, traceback);
    Py_DECREF(outer);
    Py_XDECREF(start);
    return result;
}

static PyObject *
step_call(Step *self, PyObject *const *args, size_t flagged, PyObject *keywords)
{
    Core *core = self->core;
    PyObject *here = NULL, *doomed = NULL, *result;
    if (core->on) {
        if (core->dozing && core_tell(core, natives.names.rouse) < 0)
            return NULL;
        here = here_of(core, self->life);
        doomed = here == NULL ? NULL : reader_read(&natives.task.doomed, self->task);
        if (doomed == NULL && core_fail(core) < 0) {
            Py_XDECREF(here);
            return NULL;
        }
    }
    if (doomed != NULL)
        result = run(self, here, doomed, args, flagged, keywords);
    else
        result = PyObject_Vectorcall(self->callback, args, flagged, keywords);
    Py_XDECREF(here);
    Py_XDECREF(doomed);
    return result;
}

/* ---------------------------------------------------------------- its type */

PyObject *
step_new(Core *core, PyObject *task, PyObject *callback, PyObject *how, PyObject *life)
{
    Step *self = PyObject_GC_New(Step, natives.step);
    if (self == NULL)
        return NULL;
    self->call = (vectorcallfunc)step_call;
    self->weak = NULL;
    self->core = (Core *)Py_NewRef((PyObject *)core);
    self->task = Py_NewRef(task);
    self->callback = Py_NewRef(callback);
    self->how = Py_NewRef(how);
    self->life = Py_NewRef(life);
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

/* Step(core, (task, callback, how)): as MethodType(core.run, ...) in the Python core's gate. */
static PyObject *
step_make(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    Core *core;
    PyObject *task, *callback, *how;
    if (keywords != NULL && PyDict_GET_SIZE(keywords) > 0) {
        PyErr_SetString(PyExc_TypeError, "Step() takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "O!(OOO!)", natives.core, &core, &task, &callback, &PyTuple_Type, &how))
        return NULL;
    PyObject *life = PyObject_GetAttr(task, natives.names._loopscope);
    if (life == NULL)
        return NULL;
    PyObject *made = NULL;
    if (Py_IS_TYPE(life, natives.life.type))
        made = step_new(core, task, callback, how, life);
    else
        PyErr_SetString(PyExc_TypeError, "not a Life");
    Py_DECREF(life);
    return made;
}

static PyObject *
step_getattr(Step *self, PyObject *name)
{
    PyObject *found = PyObject_GenericGetAttr((PyObject *)self, name);
    if (found != NULL || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return found;
    PyErr_Clear();
    return PyObject_GetAttr(self->callback, name);
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
    Py_VISIT(self->core);
    Py_VISIT(self->task);
    Py_VISIT(self->callback);
    Py_VISIT(self->how);
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
    Py_DECREF(self->core);
    Py_DECREF(self->task);
    Py_DECREF(self->callback);
    Py_DECREF(self->how);
    Py_DECREF(self->life);
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

static PyType_Spec step_spec = {
    .name = "loopscope._native.Step",
    .basicsize = sizeof(Step),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .slots = step_slots,
};

PyTypeObject *
step_type(PyObject *module)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &step_spec, NULL);
}
