/* The native core: what the Python core does per step, in C. The Python core is the reference.
 *
 * readers.c reads attributes of CPython's own types
 * slots.c   reads and writes the slots of the Python core's own cells (Here, LoopState, ...) by their offsets; those with
 *           whole numbers become machine numbers
 * point.c   awaits.point: what a suspended task waits for, and where
 * suspended.c at which instruction it is suspended
 * step.c    what stands in a callback's place: its call is a step
 * record.c  the record of a step
 * stepped.c what it says, once the step has ended
 * handover.c how a thread of our own gets its turn then
 * gate.c    call_soon; timers.c: call_later and call_at; spawns.c: create_task
 * callback.c what stands for a callback that is no task's own
 * core.c    the fields of a core that are read per step, and the way into the buffer
 * births.c  the birth of a task
 * life.c    what hangs on it
 * weight.c  what makes up for what ours makes and frees
 * creations.c where a lock, a queue and the like is made
 * guard.c   what tells of a task that never ended
 * wakes.c   who or what woke a task, where no recorded step did
 * polls.c   what stands on asyncio's selector
 * otlp.c    spans as bytes, in the background thread
 * bytes.h   bytes in the making
 * numbers.h reading and replacing numbers that are Python's objects
 * cold.h    what the background thread does of an ordinary step
 *
 * What is rare is left to the Python core: uncommon births, and cancellations.
 * The GIL guards everything; there is one interpreter, and one load of the module in a process (module.c).
 */
#ifndef LOOPSCOPE_NATIVE_H
#define LOOPSCOPE_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <frameobject.h>
#include <stddef.h>
#include <time.h>
#include "numbers.h"
#include "bytes.h"

#if PY_VERSION_HEX < 0x030D0000
#define PyObject_GetOptionalAttr _PyObject_LookupAttr
#endif

/* What is ours is nobody else's: it is called directly. */
#ifdef __GNUC__
#pragma GCC visibility push(hidden)
#endif

#ifdef Py_GIL_DISABLED
#error "the native core needs the GIL"
#endif
#if SIZEOF_VOID_P < 8
#error "the native core keeps numbers of 64 bits in the place of addresses"
#endif

/* ---------------------------------------------------------------- names and slots */

#define NAMES(X) \
    X(_loopscope) X(_loopscope_due) X(_loopscope_guard) X(_loopscope_label) X(_task_factory) X(PENDING) X(__doc__) \
    X(__module__) X(arrive) X(awaken) X(begin) X(context) X(dropped) X(eager_start) \
    X(extend) X(f_lasti) X(failing) X(get_task_factory) X(rouse) X(time) X(alone) X(any_value) X(attributes) \
    X(encoded) X(end) X(error) X(events) X(links) X(name) X(parent_id) X(parent_remote) X(shared) X(span_id) X(start) \
    X(state) X(state_of) X(text) X(trace_id) X(trace_state)

#define HERE(X) X(birth) X(blind) X(callback) X(ident) X(life) X(polls)
#define HERE_WHOLES(X) X(ended) X(polled) X(polling) X(unpolled)
#define LOOP_STATE(X) X(cell) X(here) X(seen) X(where)
#define PLACE(X) X(chain) X(code) X(function) X(leaf) X(origin) X(public) X(qualname) X(timed)
#define CHAIN(X) X(further) X(waits)
#define NO_WHOLES(X)

/* Where in an object a slot is that holds a machine number. */
typedef struct { Py_ssize_t offset; } Whole;

#define AS_OBJECT(name) PyObject *name;
#define AS_OFFSET(name) Py_ssize_t name;
#define AS_WHOLE(name) Whole name;

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

/* What is read of one kind of coroutine-like object. `place`: see suspended.c, 0 where it is unknown. */
typedef struct { PyTypeObject *type; Reader code, frame, suspended, awaited; Py_ssize_t place; } Kind;

/* What is read of a task. `state` is only understood where it is PENDING. */
typedef struct {
    Reader waiter, doomed, state, done, cancelled, exception, coroutine, name, cancelling, traceback;
} TaskReaders;

/* Types of the Python core, each with the offsets of its slots. */
typedef struct { PyTypeObject *type; HERE(AS_OFFSET) HERE_WHOLES(AS_WHOLE) } HereSlots;
typedef struct { PyTypeObject *type; LOOP_STATE(AS_OFFSET) } LoopStateSlots;
typedef struct { PyTypeObject *type; PLACE(AS_OFFSET) } PlaceSlots;
typedef struct { PyTypeObject *type; CHAIN(AS_OFFSET) } ChainSlots;

/* Filled once, when the module is loaded, and never freed: handles may outlive the module. */
typedef struct {
    Names names;
    TaskReaders task;
    /* of a future; of what a C task passes for a step that is not a wake; of a coroutine */
    Reader cancelled, owner, running, waits, qualname;
    Kind kinds[3];
    HereSlots here;
    LoopStateSlots loop_state;
    PlaceSlots place;
    ChainSlots chain;
    PyTypeObject *core, *tie, *life, *step, *callback, *record, *guard, *encoder, *placed, *packed, *lives, *wait;
    PyMethodDef *get; /* of a ContextVar */
    /* of a deque */
    PyTypeObject *deque;
    PyCFunction append, popleft;
    lenfunc length;
    PyObject *weights, *off, *release, *unhang;
    PyObject *enter, *chains, *task_ids, *hanging, *gone;
    PyObject *place_of, *hidden, *told, *trim, *hiding, *sleep, *sleeps, *type_name, *tell_again, *kin, *nothing;
    PyObject *about, *current_task, *function_name, *whose, *line_of, *own;
    PyObject *future, *futures, *tasks, *end_of_sleep, *py_step, *py_wakeup;
    PyObject *plain, *zero, *sixty_four, *no_arguments, *unnamed;
    /* see life.py, private.py and gate.py */
    long long first, never, longest_name;
    double seconds;
    /* see model.py */
    PyObject *tag, *birth_tag, *polls_tag, *collection_tag, *suspended, *yielded, *returned, *raised, *cancel;
    PyObject *start_kind, *task_kind, *timer_kind, *io_kind, *thread_kind, *callback_kind, *yield_kind;
    /* see polls.py, wakers.py and wakes.py */
    long long kept, late, turns, waited, matters, early, depth, cramped;
    /* see creations.py */
    long long creators, outside, application, standard;
    /* what the interpreter has: task.cancelling() */
    int cancelling;
    /* the names that dicts share which were copied of HANGING, and where their values have the Life; NULL where this
     * Python's dicts are not known */
    const void *hung_names;
    int hung_life;
    /* the type of what a C task passes for a step that is not a wake, once it is met */
    PyTypeObject *wrapper;
    /* what a C task calls to wake, once it is met */
    PyMethodDef *wakeup;
    /* the names of keyword arguments that a C task gives to call_soon, once they are met: only a context */
    PyObject *keywords;
} Natives;

extern Natives natives;

int slots_load(void);

/* The offset of one slot; -1 with an error set where the class has no such slot of an object. */
Py_ssize_t offset_of(PyTypeObject *type, const char *name);

/* Makes one slot, which must hold a whole number in each object, a machine number: Python reads and sets it as before.
 * -1 with an error set. All such slots of some classes are made between `wholes_begin` and `wholes_end`. */
int whole_of(PyTypeObject *type, const char *name, Whole *slot);
int wholes_begin(void);
void wholes_end(void);

/* module.name, imported: a new reference; NULL with an error set. The second: if it is a class. */
PyObject *fetch(const char *module, const char *name);
PyTypeObject *fetch_type(const char *module, const char *name);

/* The same, if it is a whole number: -1 with an error set where it is none. */
int fetch_number(const char *module, const char *name, long long *number);

#define LOAD_SLOT(name) if ((into->name = offset_of(into->type, #name)) < 0) return -1;
#define LOAD_WHOLE(name) if (whole_of(into->type, #name, &into->name) < 0) return -1;
#define LOADER(function, Slots, FIELDS, WHOLES, module, class) \
    static int function(Slots *into) \
    { \
        if ((into->type = fetch_type(module, class)) == NULL) \
            return -1; \
        FIELDS(LOAD_SLOT) \
        WHOLES(LOAD_WHOLE) \
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
    if (Py_TYPE(object) != reader->type
        && (reader->type == NULL || !PyType_IsSubtype(Py_TYPE(object), reader->type)))
        return reader_ask(reader, object);
    if (reader->get != NULL)
        return reader->get(object, reader->closure);
    if (reader->call != NULL)
        return reader->call(object, NULL);
    PyObject *found = *(PyObject **)((char *)object + reader->offset);
    return found != NULL ? Py_NewRef(found) : reader_ask(reader, object);
}

/* What hangs on an object of the application's under a name of ours, as life.hung_on: 1 and a new reference, 0 for
 * nothing, -1 with an error set. Its class is not asked. */
int hung_on(PyObject *object, PyObject *name, PyObject **found);

/* The same of a task's Life, if it is one of the native core's. */
int life_on(PyObject *task, PyObject **found);

/* An attribute of ours, or else of what stands behind it: a new reference, NULL with an error set. */
PyObject *attribute_of(PyObject *self, PyObject *behind, PyObject *name);

/* Whether an object is of one of these types. It is not asked itself. */
static inline int
is_of_any(PyObject *object, PyObject *types)
{
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(types); at++)
        if (PyType_IsSubtype(Py_TYPE(object), (PyTypeObject *)PyTuple_GET_ITEM(types, at)))
            return 1;
    return 0;
}

/* How a coroutine-like object is read, NULL where it is of none of the known kinds. */
static inline Kind *
coroutine_kind(PyObject *item)
{
    for (int i = 0; i < 3; i++) {
        if (Py_IS_TYPE(item, natives.kinds[i].type))
            return &natives.kinds[i];
    }
    return NULL;
}

/* Whether it reads something true; -1 with an error set. */
int reader_ask_whether(const Reader *reader, PyObject *object);

/* A task's name, as private.name_of: a new reference, NULL with an error set. */
static inline PyObject *
task_name(PyObject *task)
{
    PyObject *name = reader_read(&natives.task.name, task);
    if (name != NULL && PyUnicode_Check(name)
        && (!PyUnicode_CheckExact(name) || PyUnicode_GET_LENGTH(name) > natives.longest_name))
        Py_SETREF(name, PyUnicode_Substring(name, 0, natives.longest_name));
    return name;
}

/* The object that a weak reference tells of, or that a callable returns: a new reference, NULL with an error set. */
PyObject *content_of(PyObject *cell);

/* The collector does not know of much that is made here: it is in no cycle, and there can be a great deal of it, which
 * it would walk again and again while it waits for the background thread. NULL stays NULL. */
static inline PyObject *
untracked(PyObject *object)
{
    if (object != NULL)
        PyObject_GC_UnTrack(object);
    return object;
}

/* An exception that is set, or none, kept aside. */
typedef struct { PyObject *type, *error, *traceback; } Aside;

static inline void
aside_fetch(Aside *aside)
{
    PyErr_Fetch(&aside->type, &aside->error, &aside->traceback);
}

static inline void
aside_restore(Aside *aside)
{
    PyErr_Restore(aside->type, aside->error, aside->traceback);
    *aside = (Aside){0};
}

static inline void
aside_clear(Aside *aside)
{
    Py_CLEAR(aside->type);
    Py_CLEAR(aside->error);
    Py_CLEAR(aside->traceback);
}

enum { TABLE = 1024 };

/* Where something that goes by the address of an object stands in a table of so many. */
static inline size_t
place_in_table(PyObject *object)
{
    return (size_t)((uint64_t)(uintptr_t)object * 0x9e3779b97f4a7c15u >> 54);
}

/* Whether a call came to its end: takes over what it returned. -1 where an error is set. */
static inline int
came(PyObject *returned)
{
    Py_XDECREF(returned);
    return returned == NULL ? -1 : 0;
}

/* A slot of a cell: borrowed. The Python core sets all of them when it makes the cell. */
#define SLOT(cell, offset) (*(PyObject **)((char *)(cell) + (offset)))

/* A slot with a machine number. */
#define WHOLE(cell, slot) (*(long long *)((char *)(cell) + (slot).offset))

/* Replaces a slot's value, whose reference is taken over. */
static inline void
slot_put(PyObject *cell, Py_ssize_t offset, PyObject *value)
{
    PyObject *before = SLOT(cell, offset);
    SLOT(cell, offset) = value;
    Py_XDECREF(before);
}

/* Reads `loopscope.model.clock`, which is time.perf_counter_ns: -1 with an error set where it cannot be read. */
static inline int
clock_read(long long *now)
{
#ifdef __linux__ /* what Python reads there */
    struct timespec read;
    if (clock_gettime(CLOCK_MONOTONIC, &read) < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    *now = read.tv_sec * 1000000000LL + read.tv_nsec;
#elif PY_VERSION_HEX >= 0x030D0000
    PyTime_t read;
    if (PyTime_PerfCounterRaw(&read) < 0)
        return -1;
    *now = read;
#else
    *now = _PyTime_GetPerfCounter();
#endif
    return 0;
}

/* ---------------------------------------------------------------- core.c */

/* What is known of all tasks whose coroutine runs the code of this place, and is called as it: see births.kin. */
typedef struct { PyObject *place; int uncommon, excluded; } Kin;

typedef struct Tie Tie;

/* The base of loopscope.capture.native.Core. Its fields are attributes of the same names as the Python core's. */
typedef struct {
    PyObject_HEAD
    char on, dozing, asleep, deaf;
    int cramped;
    Py_ssize_t limit, reserve;
    PyObject *buffer, *queue, *threads, *current, *current_in, *describe;
    /* the context that was looked at last, a weak reference, and the span in it */
    PyObject *cell, *span;
    /* what is known of the loop that a task was born on last, NULL for nothing */
    PyObject *loop_state;
    /* what its stand-ins know it by */
    Tie *tie;
    /* by the address of the code */
    Kin kin[TABLE];
} Core;

extern PyType_Spec core_spec;

/* What stands in the application's place knows its core by this, which does not keep it: who goes through all that a
 * loop refers to, as tests do that count it, would come to the buffer. NULL once the core is gone. */
struct Tie { PyObject_HEAD Core *core; };

extern PyType_Spec tie_spec;

/* What a new stand-in of this core is to have: a new reference. */
static inline Tie *
tie_to(const Core *core)
{
    return (Tie *)Py_NewRef((PyObject *)core->tie);
}

/* The core of a stand-in: borrowed. */
#define CORE(stand_in) ((stand_in)->tie->core)

/* The same, owned. */
static inline Core *
core_held(const Tie *tie)
{
    return (Core *)Py_XNewRef((PyObject *)tie->core);
}

/* An error of our own is set: have the core switch itself off. 0 if the host may go on, -1 if what is set is no error
 * but meant for the host, such as a KeyboardInterrupt, or what a signal handler raised. */
int core_fail(Core *core);

/* Calls a method of the core's without arguments, whose errors are our own: as core_fail. */
int core_tell(Core *core, PyObject *method);

/* Puts a record into the buffer, or counts it as dropped where there are so many: Buffer.put and put_vital. 1 if it
 * was put, 0 if not, -1 with an error set. */
int core_put(Core *core, PyObject *record, Py_ssize_t limit);

/* What Core.current gives: a new reference, NULL with an error set. */
PyObject *core_current(Core *core);

/* As Core.look, but for errors: -1 with one set. */
int core_look(Core *core, PyObject *life, PyObject *context);

/* This thread's Here, as life.enter: borrowed, NULL with an error set. */
PyObject *enter(void);

/* ---------------------------------------------------------------- suspended.c */

int suspended_load(void);

/* The index of the instruction at which an object of a known kind is suspended, -1 for none; -1 with an error set. */
long long suspended_at(PyObject *item);

/* ---------------------------------------------------------------- record.c */

/* How a task became ready: see stand_ins.How. Its objects are owned. */
typedef struct { long long since, waker, step; PyObject *kind, *name; } How;

static inline void
how_clear(How *how)
{
    Py_CLEAR(how->kind);
    Py_CLEAR(how->name);
}

/* To a tuple: a new reference, NULL with an error set. And from one: -1 with an error set. */
PyObject *how_tuple(const How *how);
int how_read(How *how, PyObject *tuple);

/* The record of a step: see model.py. */
typedef struct {
    PyObject_HEAD
    How how;
    long long id, index, start, end, lasti;
    PyObject *where, *outcome, *awaiting, *point, *span, *activated, *after, *name, *state, *error, *polls;
} Record;

extern PyType_Spec record_spec;

/* A new one, all of whose fields are to be set; NULL with an error set. */
Record *record_new(void);

/* What a tuple tells of a step, as the Python core writes it: a new reference; NULL where it is none, or with an error
 * set. */
Record *record_of(PyObject *tuple);

/* ---------------------------------------------------------------- life.c */

/* See life.Life. */
typedef struct {
    PyObject_HEAD
    PyObject *activated, *cell, *here, *loop, *name, *place, *span;
    long long id, index, hush, ready, started, uncancelled;
    int cancels;
    char excluded, left, over, unborn;
} Life;

extern PyType_Spec life_spec;

#define LIFE_OF(object) ((Life *)(object))

/* A new reference, NULL with an error set. */
PyObject *life_new(long long id, PyObject *place, PyObject *loop, int excluded);

/* Its id: a new reference, NULL with an error set. */
PyObject *life_id(PyObject *life);

/* The Life of what runs on a thread: borrowed; NULL for none, or for one of the Python core's, whose step is not over. */
static inline PyObject *
actor_on(PyObject *here)
{
    PyObject *life = SLOT(here, natives.here.life);
    return Py_IS_TYPE(life, natives.life) ? life : NULL;
}

/* ---------------------------------------------------------------- weight.c */

extern PyType_Spec weight_spec;

/* ---------------------------------------------------------------- births.c */

/* As births.adopt, for a task that is to take its first step in this context (NULL for the running one): its Life, a
 * new reference; NULL where that is not common, or with an error set. */
PyObject *adopt(Core *core, PyObject *loop, PyObject *task, PyObject *context, PyObject *here, long long now);

/* ---------------------------------------------------------------- creations.c */

/* As creations.creator: a new reference, NULL with an error set. A method of the core's. */
PyObject *creator(PyObject *core, PyObject *arguments);

/* ---------------------------------------------------------------- guard.c */

extern PyType_Spec guard_spec;

/* A new one for this life: a new reference, NULL with an error set. */
PyObject *guard_new(Core *core, PyObject *life);

/* ---------------------------------------------------------------- wakes.c */

/* As wakers.woken, for a future that was not cancelled: 1; 0 where that is not common, -1 with an error set. */
int woken(PyObject *loop, PyObject *future, PyObject *here, long long now, How *how);

/* ---------------------------------------------------------------- point.c */

/* As awaits.point: new references, 0; or -1 with an error set. */
typedef struct { PyObject *awaiting, *place; long long lasti; } Point;

int point(PyObject *task, PyObject *waiter, PyObject *root, Point *found);

/* ---------------------------------------------------------------- step.c */

/* What stands in a callback's place. `life` hangs on the task too. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *weak;
    Tie *tie;
    PyObject *task, *callback, *life;
    How how;
} Step;

/* A step that runs now: of several threads' and of nested ones that which began last, NULL where it has ended. */
extern Step *running;

extern PyType_Spec step_spec;

/* What stands for `callback`: what `how` refers to is moved into it, where it can be made. */
PyObject *step_new(Core *core, PyObject *task, PyObject *callback, How *how, PyObject *life);

/* ---------------------------------------------------------------- constructed.c */

#if PY_VERSION_HEX >= 0x030C0000
PyObject *watch_tasks(PyObject *module, PyObject *args);
#endif

/* ---------------------------------------------------------------- stepped.c */

/* A step begins: its life knows the cancellations that were asked, if there are any. -1 with an error set. */
int stepping(Step *self);

/* A step has ended: writes its record. As Core.stepped. */
int stepped(Step *self, PyObject *here, long long start, long long end, PyObject *doomed);

/* ---------------------------------------------------------------- handover.c */

#if defined(__GNUC__) && !defined(_WIN32)
#define HANDOVER

/* How many threads of our own watch for a step's end. */
extern int watching;

/* Steps that ended. */
extern unsigned long steps_over;

/* Lets one of them take the GIL, and takes it back. */
void hand_over(void);

/* pause(seconds), of the background thread. */
PyObject *pause_between(PyObject *module, PyObject *seconds);

extern PyType_Spec bell_spec;

int handover_load(void);

/* A step has ended, and all is done for it. */
static inline void
step_over(void)
{
    __atomic_store_n(&steps_over, steps_over + 1, __ATOMIC_RELAXED);
    if (__atomic_load_n(&watching, __ATOMIC_RELAXED))
        hand_over();
}

#else

static inline void
step_over(void)
{
}

#endif

/* ---------------------------------------------------------------- gate.c */

/* What replaces a method of a loop's class. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *weak;
    Tie *tie;
    /* the method that was replaced, and the gate in Python */
    PyObject *original, *reference;
    /* NULL for call_soon and create_task. For timers of uvloop, what tells whether a loop is in debug mode; None for
     * asyncio's, whose handles tell, and which are given a time of the loop's rather than a delay */
    PyObject *debugging;
    /* the source traceback of the handles that the original makes */
    Reader traceback;
} Gate;

extern PyType_Spec gate_spec;

/* The original is called though something is to be raised, a signal handler's: it is set, and is so again then. Else
 * what was to be scheduled would be lost. */
void forward_interrupted(Gate *self, PyObject *const *args, size_t flagged, PyObject *keywords);

/* In debug mode a handle has a source traceback, from which our frames are taken: as core_fail. */
int gate_trim(Gate *self, PyObject *handle);

/* ---------------------------------------------------------------- spawns.c */

/* The call of a gate on create_task. */
PyObject *spawn_call(Gate *self, PyObject *const *args, size_t flagged, PyObject *keywords);

/* ---------------------------------------------------------------- timers.c */

/* The call of a gate on timers. */
PyObject *timer_call(Gate *self, PyObject *const *args, size_t flagged, PyObject *keywords);

/* ---------------------------------------------------------------- callback.c */

/* What stands for a callback that may wake tasks: see stand_ins.Callback. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    Tie *tie;
    PyObject *wrapped, *kind;
    long long since, waker, waker_step;
} Callback;

extern PyType_Spec callback_spec;

/* A new reference, NULL with an error set. */
PyObject *callback_new(Core *core, PyObject *wrapped, PyObject *kind, long long since, long long waker, long long step);

/* As stand_ins.wrappable. */
int is_wrappable(PyObject *callback);

/* ---------------------------------------------------------------- polls.c */

extern PyType_Spec select_spec;

/* ---------------------------------------------------------------- collected.c */

extern PyType_Spec collected_spec;

/* ---------------------------------------------------------------- otlp.c */

extern PyType_Spec encoder_spec;

/* Adds an attribute, or each pair of a list or a tuple, in a field of this tag; the others: a number. */
int encode_pair(PyObject *encoder, Bytes *bytes, char tag, PyObject *key, PyObject *value);
int encode_pairs(PyObject *encoder, Bytes *bytes, char tag, PyObject *pairs);
int encode_whole(PyObject *encoder, Bytes *bytes, char tag, PyObject *key, long long value);
int encode_double(PyObject *encoder, Bytes *bytes, char tag, PyObject *key, double value);

/* The tags of an attribute of a span and of a link. */
enum { SPAN_ATTRIBUTE = 0x4a, LINK_ATTRIBUTE = 0x22 };

/* Adds a link with these attributes. */
int encode_link(Bytes *bytes, PyObject *trace_id, PyObject *span_id, const Bytes *attributes);

/* What is written of a span beside its times: the fields of a Span, in this order. */
enum {
    OF_TRACE, OF_ID, OF_PARENT, OF_REMOTE, OF_STATE, OF_NAME, OF_SHARED, OF_ALONE, OF_EVENTS, OF_LINKS, OF_ERROR,
    OF_FIELDS
};

/* Writes a span of its fields and times, without its tag and length. `alone` and `links` are those fields' bytes, or NULL
 * where they are to be made of the fields. */
int encode_span(PyObject *encoder, Bytes *bytes, PyObject **of, long long start, long long end, const Bytes *alone,
                const Bytes *links);

/* The tag and the length before it, written there: how many bytes they take. */
enum { SPAN_HEAD = 11 };
size_t encode_span_head(char *at, const Bytes *span);

/* ---------------------------------------------------------------- packed.c */

extern PyType_Spec packed_spec;

typedef struct Packed Packed;

/* How many spans there are; and one more, that comes in two parts: -1 with an error set, and then it is as before. */
Py_ssize_t packed_count(Packed *self);
int packed_put(Packed *self, const char *head, size_t head_size, const char *data, size_t size);

/* ---------------------------------------------------------------- placed.c */

extern PyType_Spec placed_spec;

/* ---------------------------------------------------------------- lives.c */

extern PyType_Spec lives_spec;

/* ---------------------------------------------------------------- ordinary.c */

extern PyType_Spec ordinary_spec;

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#endif
