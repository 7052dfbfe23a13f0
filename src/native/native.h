/* The native core: what the Python core does per step, in C. The Python core is the reference.
 *
 * readers.c reads attributes of CPython's own types
 * slots.c   reads and writes the slots of the Python core's own cells (Life, Here, ...) by their offsets
 * point.c   awaits.point: what a suspended task waits for, and where
 * step.c    what stands in a callback's place, and the record of the step that its call is
 * gate.c    call_soon
 * core.c    the fields of a core that are read per step
 * otlp.c    spans as bytes, in the background thread
 * cold.h    what the background thread does of an ordinary step
 *
 * What is rare is left to the Python core: first and last steps, cancellations, wakes by anything but a task.
 * The GIL guards everything; there is one interpreter, and one load of the module in a process (module.c).
 */
#ifndef LOOPSCOPE_NATIVE_H
#define LOOPSCOPE_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <stddef.h>

#ifdef Py_GIL_DISABLED
#error "the native core needs the GIL"
#endif

/* ---------------------------------------------------------------- names and slots */

#define NAMES(X) \
    X(_loopscope) X(_loopscope_label) X(PENDING) X(__name__) X(arrive) X(awaken) X(begin) X(context) X(dropped) \
    X(extend) X(f_lasti) X(failing) X(here) X(look) X(rouse) X(stepped) \
    X(alone) X(any_value) X(attributes) X(encoded) X(end) X(error) X(events) X(links) X(name) X(parent_id) \
    X(parent_remote) X(shared) X(span_id) X(start) X(state) X(text) X(trace_id) X(trace_state)

#define LIFE(X) \
    X(activated) X(cancels) X(cell) X(here) X(hush) X(id) X(index) X(left) X(loop) X(name) X(place) X(ready) \
    X(span) X(started) X(where)
#define HERE(X) X(blind) X(ended) X(life) X(polls)
#define LOOP_STATE(X) X(here)
#define PLACE(X) X(chain) X(code) X(function) X(leaf) X(origin) X(public) X(qualname) X(timed)
#define CHAIN(X) X(further) X(waits)

#define AS_OBJECT(name) PyObject *name;
#define AS_OFFSET(name) Py_ssize_t name;

typedef struct { NAMES(AS_OBJECT) } Names;

/* How something is read from an object: by a C function of `type`, or in the ordinary way. See readers.c. */
typedef struct {
    PyTypeObject *type;
    PyObject *name;
    int method;
    getter get;
    void *closure;
    PyCFunction call;
    Py_ssize_t offset;
} Reader;

/* What is read of one kind of coroutine-like object. */
typedef struct { PyTypeObject *type; Reader code, frame, awaited; } Kind;

/* What is read of a task. `state` is only understood where it is PENDING. */
typedef struct { Reader waiter, doomed, state, done, coroutine, name, cancelling; } TaskReaders;

/* Types of the Python core, each with the offsets of its slots. */
typedef struct { PyTypeObject *type; LIFE(AS_OFFSET) } LifeSlots;
typedef struct { PyTypeObject *type; HERE(AS_OFFSET) } HereSlots;
typedef struct { PyTypeObject *type; LOOP_STATE(AS_OFFSET) } LoopStateSlots;
typedef struct { PyTypeObject *type; PLACE(AS_OFFSET) } PlaceSlots;
typedef struct { PyTypeObject *type; CHAIN(AS_OFFSET) } ChainSlots;

/* Filled once, when the module is loaded, and never freed: handles may outlive the module. */
typedef struct {
    Names names;
    TaskReaders task;
    Reader cancelled, owner;
    Kind kinds[3];
    LifeSlots life;
    HereSlots here;
    LoopStateSlots loop_state;
    PlaceSlots place;
    ChainSlots chain;
    PyTypeObject *core, *step, *encoder;
    PyObject *append, *local, *chains;
    PyObject *place_of, *hidden, *told, *trim, *hiding, *sleep;
    PyObject *future, *tasks, *yields, *py_step, *py_wakeup;
    PyObject *never, *plain, *zero, *minus_one, *sixty_four, *tag, *suspended, *yielded, *task_kind;
    /* what the interpreter has: task.cancelling() */
    int cancelling;
    /* the type of what a C task passes for a step that is not a wake, once it is met */
    PyTypeObject *wrapper;
    /* the names of keyword arguments that a C task gives to call_soon, once they are met: only a context */
    PyObject *keywords;
} Natives;

extern Natives natives;

int slots_load(void);

/* The offset of one slot; -1 with an error set where the class has no such slot of an object. */
Py_ssize_t offset_of(PyTypeObject *type, const char *name);

/* module.name, imported: a new reference; NULL with an error set. The second: if it is a class. */
PyObject *fetch(const char *module, const char *name);
PyTypeObject *fetch_type(const char *module, const char *name);

#define LOAD_SLOT(name) if ((into->name = offset_of(into->type, #name)) < 0) return -1;
#define LOADER(function, Slots, FIELDS, module, class) \
    static int function(Slots *into) \
    { \
        if ((into->type = fetch_type(module, class)) == NULL) \
            return -1; \
        FIELDS(LOAD_SLOT) \
        return 0; \
    }

/* A reader of `name`, an attribute or a method without arguments. */
int reader_make(Reader *reader, PyObject *type, const char *name, int method);

/* What it reads of an object in the ordinary way. */
PyObject *reader_ask(const Reader *reader, PyObject *object);

/* What it reads of an object: a new reference, NULL with an error set. */
static inline PyObject *
reader_read(const Reader *reader, PyObject *object)
{
    if (Py_TYPE(object) != reader->type)
        return reader_ask(reader, object);
    if (reader->get != NULL)
        return reader->get(object, reader->closure);
    if (reader->call != NULL)
        return reader->call(object, NULL);
    PyObject *found = *(PyObject **)((char *)object + reader->offset);
    return found != NULL ? Py_NewRef(found) : reader_ask(reader, object);
}

/* A slot of a cell: borrowed. The Python core sets all of them when it makes the cell. */
#define SLOT(cell, offset) (*(PyObject **)((char *)(cell) + (offset)))

/* Replaces a slot's value, whose reference is taken over. */
static inline void
slot_put(PyObject *cell, Py_ssize_t offset, PyObject *value)
{
    PyObject *before = SLOT(cell, offset);
    SLOT(cell, offset) = value;
    Py_XDECREF(before);
}

#if PY_VERSION_HEX < 0x030D0000
#define PyObject_GetOptionalAttr _PyObject_LookupAttr
#endif

/* A reading of `loopscope.model.clock`, which is time.perf_counter_ns: a new reference, NULL with an error set. */
static inline PyObject *
reading(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyTime_t now;
    if (PyTime_PerfCounterRaw(&now) < 0)
        return NULL;
#else
    _PyTime_t now = _PyTime_GetPerfCounter();
#endif
    return PyLong_FromLongLong(now);
}

/* ---------------------------------------------------------------- core.c */

/* The base of loopscope.capture.native.Core. Its fields are attributes of the same names as the Python core's. */
typedef struct {
    PyObject_HEAD
    char on, dozing, asleep, deaf;
    Py_ssize_t limit;
    PyObject *buffer, *queue, *current;
} Core;

PyTypeObject *core_type(PyObject *module);

/* An error of our own is set: have the core switch itself off. 0 if the host may go on, -1 if what is set is no error
 * but meant for the host, such as a KeyboardInterrupt. */
int core_fail(Core *core);

/* ---------------------------------------------------------------- point.c */

/* As awaits.point: new references, 0; or -1 with an error set. */
typedef struct { PyObject *awaiting, *place, *lasti; } Point;

int point(PyObject *task, PyObject *waiter, PyObject *root, Point *found);

/* ---------------------------------------------------------------- step.c */

PyTypeObject *step_type(PyObject *module);

/* What stands for `callback`: takes over no reference. */
PyObject *step_new(Core *core, PyObject *task, PyObject *callback, PyObject *how, PyObject *life);

/* ---------------------------------------------------------------- gate.c */

PyTypeObject *gate_type(PyObject *module);

/* ---------------------------------------------------------------- otlp.c */

PyTypeObject *encoder_type(PyObject *module);

/* What is written of a span: the fields of a Span, in this order. */
enum {
    OF_TRACE, OF_ID, OF_PARENT, OF_REMOTE, OF_STATE, OF_NAME, OF_START, OF_END, OF_SHARED, OF_ALONE, OF_EVENTS,
    OF_LINKS, OF_ERROR, OF_FIELDS
};

/* A span as Encoder.span has it, of its fields: a new reference. */
PyObject *encoder_bytes(PyObject *encoder, PyObject **of);

/* ---------------------------------------------------------------- ordinary.c */

PyTypeObject *ordinary_type(PyObject *module);

#endif
