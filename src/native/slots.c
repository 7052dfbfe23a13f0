/* Offsets of the slots of the Python core's cells, and what else of Python's is used per step. */
#include "native.h"
#include <string.h>

Natives natives;

/* What a class says of one slot: NULL with an error set where it has no such slot, of an object or of this kind. */
static PyMemberDef *
member_of(PyTypeObject *type, const char *name, int kind)
{
    PyObject *descriptor = PyObject_GetAttrString((PyObject *)type, name);
    if (descriptor == NULL)
        return NULL;
    PyMemberDef *member = NULL;
    if (Py_IS_TYPE(descriptor, &PyMemberDescr_Type))
        member = ((PyMemberDescrObject *)descriptor)->d_member;
    Py_DECREF(descriptor); /* its class keeps it */
    if (member != NULL && (member->type == T_OBJECT_EX || member->type == kind))
        return member;
    PyErr_Format(PyExc_ImportError, "%s.%s is not a slot", type->tp_name, name);
    return NULL;
}

Py_ssize_t
offset_of(PyTypeObject *type, const char *name)
{
    PyMemberDef *member = member_of(type, name, T_OBJECT_EX);
    return member == NULL ? -1 : member->offset;
}

/* ---------------------------------------------------------------- machine numbers */

/* All objects that there are while classes are changed, a list. */
static PyObject *met;

int
wholes_begin(void)
{
    PyObject *gc = PyImport_ImportModule("gc");
    met = gc == NULL ? NULL : PyObject_CallMethod(gc, "get_objects", NULL);
    Py_XDECREF(gc);
    if (met != NULL && PyList_Check(met))
        return 0;
    wholes_end();
    return -1;
}

void
wholes_end(void)
{
    Py_CLEAR(met);
}

/* One of its objects, made before. */
static int
convert(PyObject *object, Py_ssize_t offset)
{
    PyObject *before = SLOT(object, offset);
    long long value = before == NULL ? 0 : whole(before);
    if (value == -1 && PyErr_Occurred())
        return -1;
    SLOT(object, offset) = NULL;
    memcpy((char *)object + offset, &value, sizeof value);
    Py_XDECREF(before);
    return 0;
}

/* The class's own table says what kind of a slot it is: to its attributes, to the collector, and at an object's end. */
int
whole_of(PyTypeObject *type, const char *name, Whole *slot)
{
    PyMemberDef *member = member_of(type, name, T_LONGLONG);
    if (member == NULL)
        return -1;
    slot->offset = member->offset;
    if (member->type == T_LONGLONG) /* a signal handler of the application's has broken off a load */
        return 0;
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(met); at++) {
        PyObject *object = PyList_GET_ITEM(met, at);
        if (Py_TYPE(object) == type && convert(object, member->offset) < 0)
            return -1;
    }
    member->type = T_LONGLONG;
    PyType_Modified(type);
    return 0;
}

/* ---------------------------------------------------------------- what is found in Python */

PyObject *
fetch(const char *module, const char *name)
{
    PyObject *from = PyImport_ImportModule(module);
    if (from == NULL)
        return NULL;
    PyObject *found = PyObject_GetAttrString(from, name);
    Py_DECREF(from);
    return found;
}

int
fetch_number(const char *module, const char *name, long long *number)
{
    PyObject *found = fetch(module, name);
    if (found == NULL)
        return -1;
    *number = whole(found);
    Py_DECREF(found);
    return *number == -1 && PyErr_Occurred() ? -1 : 0;
}

PyTypeObject *
fetch_type(const char *module, const char *name)
{
    PyObject *found = fetch(module, name);
    if (found != NULL && !PyType_Check(found)) {
        PyErr_Format(PyExc_ImportError, "%s.%s is not a class", module, name);
        Py_CLEAR(found);
    }
    return (PyTypeObject *)found;
}

LOADER(load_here, HereSlots, HERE, HERE_WHOLES, "loopscope.capture.life", "Here")
LOADER(load_loop_state, LoopStateSlots, LOOP_STATE, NO_WHOLES, "loopscope.capture.life", "LoopState")
LOADER(load_place, PlaceSlots, PLACE, NO_WHOLES, "loopscope.model", "Place")
LOADER(load_chain, ChainSlots, CHAIN, NO_WHOLES, "loopscope.capture.chains", "Chain")

/* Finds out where copies of HANGING have a Life. */
static int
load_hanging(void)
{
    PyObject *sample = PyDict_Copy(natives.hanging);
    if (sample == NULL || PyDict_SetItem(sample, natives.names._loopscope, natives.hanging) < 0) {
        Py_XDECREF(sample);
        return -1;
    }
    PyDictObject *dict = (PyDictObject *)sample;
    if (dict->ma_values != NULL && dict->ma_keys == ((PyDictObject *)natives.hanging)->ma_keys) {
        for (int place = 0; place < 2; place++) { /* two values hang there, at the least */
            if (((PyObject **)dict->ma_values)[place] == natives.hanging) {
                natives.hung_names = dict->ma_keys;
                natives.hung_life = place;
            }
        }
    }
    Py_DECREF(sample);
    return 0;
}

#define INTERN(name) if ((natives.names.name = PyUnicode_InternFromString(#name)) == NULL) return -1;
#define FETCH(field, module, name) if ((natives.field = fetch(module, name)) == NULL) return -1;

#define NUMBER(field, module, name) if (fetch_number(module, name, &natives.field) < 0) return -1;

#define READ(field, type, name) if (reader_make(&natives.field, type, name, 0) < 0) return -1;
#define CALL(field, type, name) if (reader_make(&natives.field, type, name, 1) < 0) return -1;

static int
load_task(void)
{
    PyObject *task = fetch("loopscope.capture.private", "Task");
    if (task == NULL)
        return -1;
    READ(task.waiter, task, "_fut_waiter")
    READ(task.doomed, task, "_must_cancel")
    READ(task.state, task, "_state")
    CALL(task.done, task, "done")
    CALL(task.cancelled, task, "cancelled")
    READ(task.exception, task, "_exception")
    CALL(task.coroutine, task, "get_coro")
    CALL(task.name, task, "get_name")
    CALL(task.cancelling, task, "cancelling")
    READ(task.traceback, task, "_source_traceback")
    CALL(cancelled, natives.future, "cancelled")
    return 0; /* the readers keep the class */
}

static int
load_kind(Kind *kind, PyTypeObject *type, const char *code, const char *frame, const char *suspended, const char *awaited)
{
    kind->type = type;
    PyObject *object = (PyObject *)type;
    return reader_make(&kind->code, object, code, 0) < 0 || reader_make(&kind->frame, object, frame, 0) < 0 ||
           reader_make(&kind->suspended, object, suspended, 0) < 0 || reader_make(&kind->awaited, object, awaited, 0) < 0
           ? -1 : 0;
}

/* A method of one of CPython's own classes: NULL with an error set where it takes no arguments of this form. */
static PyMethodDef *
method_of(PyTypeObject *type, const char *name, int flags)
{
    PyObject *method = PyObject_GetAttrString((PyObject *)type, name);
    if (method == NULL)
        return NULL;
    PyMethodDef *found = Py_IS_TYPE(method, &PyMethodDescr_Type) ? ((PyMethodDescrObject *)method)->d_method : NULL;
    Py_DECREF(method); /* its class keeps it */
    if (found != NULL && found->ml_flags == flags)
        return found;
    PyErr_Format(PyExc_ImportError, "%s.%s is another kind of method", type->tp_name, name);
    return NULL;
}

/* What is called of deques and of context variables. */
static int
load_calls(void)
{
    natives.deque = fetch_type("collections", "deque");
    PyMethodDef *append = natives.deque == NULL ? NULL : method_of(natives.deque, "append", METH_O);
    PyMethodDef *popleft = append == NULL ? NULL : method_of(natives.deque, "popleft", METH_NOARGS);
    if (popleft == NULL)
        return -1;
    natives.append = append->ml_meth;
    natives.popleft = popleft->ml_meth;
    natives.length = PyType_GetSlot(natives.deque, Py_sq_length);
    natives.get = method_of(&PyContextVar_Type, "get", METH_FASTCALL);
    return natives.get == NULL || natives.length == NULL ? -1 : 0;
}

/* The classes whose slots are read. */
static int
load_classes(void)
{
    int failed = wholes_begin() < 0 || load_here(&natives.here) < 0 || load_loop_state(&natives.loop_state) < 0
        || load_place(&natives.place) < 0 || load_chain(&natives.chain) < 0;
    wholes_end();
    return failed ? -1 : 0;
}

int
slots_load(void)
{
    NAMES(INTERN)
    if (load_classes() < 0)
        return -1;
    if (load_kind(&natives.kinds[0], &PyCoro_Type, "cr_code", "cr_frame", "cr_suspended", "cr_await") < 0 ||
        load_kind(&natives.kinds[1], &PyGen_Type, "gi_code", "gi_frame", "gi_suspended", "gi_yieldfrom") < 0 ||
        load_kind(&natives.kinds[2], &PyAsyncGen_Type, "ag_code", "ag_frame", "ag_suspended", "ag_await") < 0 ||
        suspended_load() < 0)
        return -1;
    READ(running, (PyObject *)&PyCoro_Type, "cr_running")
#if PY_VERSION_HEX >= 0x030B0000
    READ(waits, (PyObject *)&PyCoro_Type, "cr_suspended")
#endif
    READ(qualname, (PyObject *)&PyCoro_Type, "__qualname__")
    FETCH(future, "asyncio", "Future")
    if (load_task() < 0)
        return -1;
    FETCH(tag, "loopscope.model", "STEP")
    FETCH(birth_tag, "loopscope.model", "BIRTH")
    FETCH(polls_tag, "loopscope.model", "POLLS")
    FETCH(collection_tag, "loopscope.model", "COLLECTION")
    FETCH(suspended, "loopscope.model", "SUSPENDED")
    FETCH(yielded, "loopscope.model", "YIELDED")
    FETCH(cancel, "loopscope.model", "CANCEL")
    FETCH(weights, "loopscope.uncollected", "weights")
    FETCH(off, "loopscope.uncollected", "off")
    FETCH(release, "loopscope.uncollected", "release")
    FETCH(unhang, "loopscope.capture.core", "_unhang")
    FETCH(returned, "loopscope.model", "RETURNED")
    FETCH(raised, "loopscope.model", "RAISED")
    FETCH(start_kind, "loopscope.model", "START")
    FETCH(timer_kind, "loopscope.model", "TIMER")
    FETCH(io_kind, "loopscope.model", "IO")
    FETCH(thread_kind, "loopscope.model", "THREAD")
    FETCH(callback_kind, "loopscope.model", "CALLBACK")
    FETCH(task_kind, "loopscope.model", "TASK")
    FETCH(nothing, "loopscope.capture.life", "nothing")
    FETCH(enter, "loopscope.capture.life", "enter")
    FETCH(hanging, "loopscope.capture.life", "HANGING")
    FETCH(gone, "loopscope.capture.life", "gone")
    NUMBER(first, "loopscope.capture.life", "FIRST")
    NUMBER(never, "loopscope.model", "NEVER")
    NUMBER(longest_name, "loopscope.capture.private", "LONGEST_NAME")
    FETCH(task_ids, "loopscope.capture.core", "_tasks")
    FETCH(yield_kind, "loopscope.model", "YIELD")
    FETCH(place_of, "loopscope.capture.coroutines", "place_of")
    FETCH(type_name, "loopscope.capture.coroutines", "type_name")
    FETCH(tell_again, "loopscope.capture.births", "tell_again")
    FETCH(kin, "loopscope.capture.births", "kin")
    FETCH(about, "loopscope.capture.wakes", "about")
    FETCH(current_task, "loopscope.capture.private", "current_task")
    FETCH(function_name, "loopscope.capture.awaits", "function_name")
    FETCH(hidden, "loopscope.capture.awaits", "_hidden")
    FETCH(hiding, "loopscope.capture.awaits", "_HIDING")
    FETCH(sleep, "loopscope.capture.awaits", "_SLEEP")
    FETCH(sleeps, "loopscope.capture.waits", "_sleeps")
    FETCH(told, "loopscope.capture.awaits", "told")
    FETCH(trim, "loopscope.capture.private", "trim")
    FETCH(tasks, "loopscope.capture.private", "TASKS")
    FETCH(futures, "loopscope.capture.private", "FUTURES")
    FETCH(own, "loopscope.capture.private", "own")
    FETCH(end_of_sleep, "loopscope.capture.private", "END_OF_SLEEP")
    FETCH(py_step, "loopscope.capture.private", "PY_STEP")
    FETCH(py_wakeup, "loopscope.capture.private", "PY_WAKEUP")
    NUMBER(kept, "loopscope.capture.polls", "KEPT")
    NUMBER(late, "loopscope.capture.polls", "LATE")
    NUMBER(turns, "loopscope.capture.polls", "TURNS")
    NUMBER(waited, "loopscope.capture.polls", "WAITED")
    NUMBER(matters, "loopscope.capture.polls", "MATTERS")
    NUMBER(cramped, "loopscope.capture.core", "CRAMPED")
    NUMBER(early, "loopscope.capture.wakers", "EARLY")
    NUMBER(depth, "loopscope.capture.wakes", "DEPTH")
    FETCH(whose, "loopscope.capture.creations", "whose")
    FETCH(line_of, "loopscope.capture.creations", "_place")
    NUMBER(creators, "loopscope.capture.creations", "_DEPTH")
    NUMBER(outside, "loopscope.capture.creations", "OUTSIDE")
    NUMBER(application, "loopscope.model", "APPLICATION")
    NUMBER(standard, "loopscope.model", "STANDARD")
    if ((natives.chains = PyImport_ImportModule("loopscope.capture.chains")) == NULL)
        return -1;
    if ((natives.wait = fetch_type("loopscope.model", "Wait")) == NULL || load_calls() < 0)
        return -1;
    natives.zero = PyLong_FromLong(0);
    natives.unnamed = PyUnicode_FromString("");
    natives.sixty_four = PyLong_FromLong(64);
    natives.no_arguments = PyTuple_New(0);
    natives.plain = PyUnicode_InternFromString("asyncio.Future");
    PyObject *cancelling = fetch("loopscope.capture.private", "CANCELLING");
    PyObject *seconds = fetch("loopscope.capture.gate", "_NEVER");
    natives.seconds = seconds == NULL ? 0 : PyFloat_AsDouble(seconds);
    Py_XDECREF(seconds);
    if (!natives.zero || !natives.unnamed || !natives.sixty_four || !natives.no_arguments || !natives.plain
        || !cancelling)
        return -1;
    natives.cancelling = PyObject_IsTrue(cancelling);
    Py_DECREF(cancelling);
    return PyErr_Occurred() ? -1 : load_hanging();
}
