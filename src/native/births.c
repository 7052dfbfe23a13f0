/* The birth of a task that the gate meets for the first time: births.adopt. births.py is the reference.
 *
 * Common is a task of a coroutine, to take its first step later, whose code and name say all that is to be known of it.
 */
#include "native.h"

/* Hangs something on a task: in its dict, NULL where that is of another form. */
static int
hang(PyObject *task, PyObject *dict, PyObject *name, PyObject *value)
{
    return dict != NULL ? PyDict_SetItem(dict, name, value) : PyObject_GenericSetAttr(task, name, value);
}

/* Hangs a Life on a task, and the Guard that tells when both go. Nothing that hangs there leads back to the task: what
 * is made to hold it need not be walked by the collector. A dict knows by itself when that is no longer so, but from
 * 3.14 on it does not. */
static int
attach(Core *core, PyObject *task, PyObject *life)
{
    Py_ssize_t offset = Py_TYPE(task)->tp_dictoffset;
    PyObject **place = offset > 0 ? (PyObject **)((char *)task + offset) : NULL;
    int first = place != NULL && *place == NULL;
    if (first && (*place = PyDict_Copy(natives.hanging)) == NULL)
        return -1;
    PyObject *dict = place != NULL ? *place : NULL, *guard = guard_new(core, life);
    int failed = guard == NULL || hang(task, dict, natives.names._loopscope, life) < 0
        || hang(task, dict, natives.names._loopscope_guard, guard) < 0 ? -1 : 0;
    Py_XDECREF(guard);
    if (failed && first)
        Py_CLEAR(*place);
#if PY_VERSION_HEX < 0x030E0000
    if (first)
        untracked(*place);
#endif
    return failed;
}

/* ---------------------------------------------------------------- whose code it is */

/* Whether that is known: functools.wraps gives many functions one code. */
static int
is_known(const Kin *kin, PyObject *code, PyObject *qualname)
{
    if (kin->place == NULL || SLOT(kin->place, natives.place.code) != code)
        return 0;
    PyObject *known = SLOT(kin->place, natives.place.qualname);
    return known == qualname || PyObject_RichCompareBool(known, qualname, Py_EQ) == 1;
}

/* What this core knows of all tasks whose coroutine runs this code and is called so, which is a str of no class of the
 * application's: NULL with an error set. */
static const Kin *
kin_of(Core *core, PyObject *coroutine, PyObject *code, PyObject *qualname)
{
    Kin *kin = &core->kin[place_in_table(code) ^ ((size_t)PyObject_Hash(qualname) % TABLE)];
    if (is_known(kin, code, qualname))
        return kin;
    PyObject *told = PyObject_CallFunctionObjArgs(natives.kin, core, coroutine, NULL);
    PyObject *place, *excluded;
    if (told == NULL)
        return NULL;
    if (!PyArg_ParseTuple(told, "O!O", natives.place.type, &place, &excluded)) {
        Py_DECREF(told);
        return NULL;
    }
    kin->uncommon = excluded == Py_None;
    kin->excluded = excluded == Py_True;
    Py_XSETREF(kin->place, Py_NewRef(place));
    Py_DECREF(told);
    return kin;
}

/* Whether it was begun before it came to be a task's, or before the task is met; -1 with an error set. */
static int
has_begun(PyObject *coroutine)
{
    int runs = reader_ask_whether(&natives.running, coroutine);
    if (runs != 0)
        return runs;
#if PY_VERSION_HEX >= 0x030B0000
    return reader_ask_whether(&natives.waits, coroutine);
#else
    PyFrameObject *frame = ((PyCoroObject *)coroutine)->cr_frame;
    return frame != NULL && frame->f_lasti >= 0;
#endif
}

/* The Place of the task, and whether it is excluded: a new reference, NULL where that is not common, or with an error
 * set. */
static PyObject *
place_of(Core *core, PyObject *task, int *excluded)
{
    PyObject *place = NULL;
    PyObject *coroutine = reader_read(&natives.task.coroutine, task);
    if (coroutine != NULL && PyCoro_CheckExact(coroutine) && has_begun(coroutine) == 0) {
        PyObject *code = reader_read(&natives.kinds[0].code, coroutine);
        PyObject *qualname = code == NULL ? NULL : reader_read(&natives.qualname, coroutine);
        const Kin *kin = qualname == NULL || !PyUnicode_CheckExact(qualname)
            ? NULL : kin_of(core, coroutine, code, qualname);
        if (kin != NULL && !kin->uncommon) {
            place = Py_NewRef(kin->place);
            *excluded = kin->excluded;
        }
        Py_XDECREF(code);
        Py_XDECREF(qualname);
    }
    Py_XDECREF(coroutine);
    return place;
}

/* ---------------------------------------------------------------- its life */

/* A new Life. */
static PyObject *
conceive(PyObject *state, PyObject *place, int excluded)
{
    PyObject *id = PyIter_Next(natives.task_ids);
    long long number = id == NULL ? -1 : whole(id);
    Py_XDECREF(id);
    return number < 0 ? NULL : life_new(number, place, state, excluded);
}

/* Looks at the span that is current in a context; NULL for the running one. */
static int
look_in(Core *core, PyObject *life, PyObject *context)
{
    PyObject *current =
        context == NULL ? core_current(core) : PyObject_CallOneArg(core->current_in, context);
    if (current == NULL)
        return -1;
    int failed = core_look(core, life, current);
    Py_DECREF(current);
    return failed;
}

/* The record of the birth. */
static PyObject *
make_record(PyObject *life, PyObject *creator, PyObject *name, long long time)
{
    int created = creator != NULL;
    PyObject *id = life_id(life), *by = created ? life_id(creator) : Py_NewRef(natives.zero);
    PyObject *now = PyLong_FromLongLong(time);
    PyObject *step = PyLong_FromLongLong(created ? LIFE_OF(creator)->index : 0);
    PyObject *record = id == NULL || by == NULL || now == NULL || step == NULL ? NULL : PyTuple_Pack(
        10, natives.birth_tag, id, now, life, name, LIFE_OF(life)->place, by, step, LIFE_OF(life)->span, Py_False);
    Py_XDECREF(id);
    Py_XDECREF(by);
    Py_XDECREF(now);
    Py_XDECREF(step);
    return untracked(record);
}

static int
tell(Core *core, PyObject *task, PyObject *life, PyObject *creator, long long now)
{
    PyObject *name = task_name(task);
    PyObject *record = name == NULL ? NULL : make_record(life, creator, name, now);
    int put = record == NULL ? -1 : core_put(core, record, core->reserve);
    Py_XDECREF(name);
    Py_XDECREF(record);
    if (put == 0)
        LIFE_OF(life)->unborn = 1;
    return put < 0 ? -1 : 0;
}

/* The loop's state: a new reference, NULL with an error set. */
static PyObject *
state_of(Core *core, PyObject *loop)
{
    PyObject *state = core->loop_state, *known = NULL;
    if (state != NULL && (known = content_of(SLOT(state, natives.loop_state.cell))) == NULL)
        return NULL;
    Py_XDECREF(known);
    if (known == loop)
        return Py_NewRef(state);
    state = PyObject_CallMethodOneArg((PyObject *)core, natives.names.state_of, loop);
    if (state != NULL && !Py_IS_TYPE(state, natives.loop_state.type)) {
        PyErr_SetString(PyExc_TypeError, "not a LoopState");
        Py_CLEAR(state);
    }
    if (state != NULL)
        Py_XSETREF(core->loop_state, Py_NewRef(state));
    return state;
}

/* Whether it is of CPython's own class or one derived from it, and not traced, as in debug mode; -1 with an error set. */
static int
is_plain(PyObject *task)
{
    PyTypeObject *type = natives.task.state.type;
    if (type == NULL || !PyObject_TypeCheck(task, type))
        return 0;
    PyObject *traceback = reader_read(&natives.task.traceback, task);
    Py_XDECREF(traceback);
    return traceback == NULL ? -1 : traceback == Py_None;
}

PyObject *
adopt(Core *core, PyObject *loop, PyObject *task, PyObject *context, PyObject *here, long long now)
{
    if (SLOT(here, natives.here.birth) != Py_None || is_plain(task) <= 0)
        return NULL;
    int excluded;
    PyObject *place = place_of(core, task, &excluded);
    PyObject *state = place == NULL ? NULL : state_of(core, loop);
    if (state == NULL) {
        Py_XDECREF(place);
        return NULL;
    }
    PyObject *creator = Py_XNewRef(actor_on(here));
    PyObject *life = conceive(state, place, excluded);
    slot_put(state, natives.loop_state.seen, Py_NewRef(Py_True));
    if (life != NULL && (attach(core, task, life) < 0 || look_in(core, life, context) < 0
                         || tell(core, task, life, creator, now) < 0))
        Py_CLEAR(life);
    Py_XDECREF(creator);
    Py_DECREF(place);
    Py_DECREF(state);
    return life;
}
