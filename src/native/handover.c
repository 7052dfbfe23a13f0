/* How a thread of our own gets the GIL while a loop is busy.
 *
 * Who waits for the GIL is woken whenever somebody lets go of it. A busy loop does so at each look at its selector, and
 * has taken it again before the other thread is up: dozens of wakings in vain for each turn, which the loop's thread
 * pays for, with up to some tens of microseconds each where the other processor was idle. So a thread of our own that
 * wakes while steps run watches for a moment, without the GIL, for the end of one, which lets go of it until it is
 * taken.
 */
#define _GNU_SOURCE /* for CPU_COUNT */
#include "native.h"
#include <pythread.h>

#ifdef HANDOVER
#include <pthread.h>
#include <sched.h>

/* How long it watches: in a step, and between steps, where the GIL may be free. How long a step's end waits for it.
 * Nanoseconds. */
enum { WATCHED = 300000, WATCHED_BETWEEN = 20000, AWAITED = 5000 };

/* So often it is offered to who does not take it: that one has no processor, and steps are not to wait for it. */
enum { OFFERS = 4 };

int watching;
unsigned long steps_over;

/* How often the GIL was offered, and taken. */
static unsigned long offered, taken;

/* In a forked child nobody watches. */
static void
forget(void)
{
    watching = 0;
}

int
handover_load(void)
{
    return pthread_atfork(NULL, NULL, forget) == 0 ? 0 : (PyErr_NoMemory(), -1);
}

/* Whether this thread has but one processor: to watch there keeps others from what is watched for. */
static int
is_confined(void)
{
#ifdef __linux__
    cpu_set_t processors;
    return sched_getaffinity(0, sizeof processors, &processors) == 0 && CPU_COUNT(&processors) == 1;
#else
    return 0;
#endif
}

#define NOW(what) __atomic_load_n(&(what), __ATOMIC_ACQUIRE)
#define MORE(what, by) __atomic_fetch_add(&(what), by, __ATOMIC_ACQ_REL)

/* Leaves a processor that two threads share to the other one for a moment. */
static inline void
relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    for (int i = 0; i < 4; i++)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb");
#endif
}

/* Waits until a count is another one, for no longer than that: whether it is. */
static int
watch(unsigned long *count, unsigned long before, long long most)
{
    long long began, now;
    if (clock_read(&began) < 0)
        return 0;
    while (NOW(*count) == before) {
        if (clock_read(&now) < 0 || now - began >= most)
            return 0;
        relax();
    }
    return 1;
}

void
hand_over(void)
{
    static unsigned long refused;
    static int times;
    unsigned long before = NOW(taken);
    if (before != refused)
        times = 0;
    if (times == OFFERS)
        return;
    PyThreadState *thread = PyEval_SaveThread();
    MORE(offered, 1); /* only now: who waits for a GIL that is held is put to sleep */
    int accepted = watch(&taken, before, AWAITED);
    PyEval_RestoreThread(thread);
    times = accepted ? 0 : times + 1;
    refused = before;
}

/* Takes the GIL again, if steps ended since they were so many, or one runs, at the end of a step. Who sleeps until it
 * is free is offered nothing: another thread of the application's may get it then, and keep it for its turn. */
static void
take_turn(PyThreadState *thread, unsigned long ended)
{
    int within = NOW(running) != NULL;
    if ((within || NOW(steps_over) != ended) && !is_confined()) {
        MORE(watching, 1);
        watch(&offered, NOW(offered), within ? WATCHED : WATCHED_BETWEEN);
        MORE(watching, -1);
    }
    PyEval_RestoreThread(thread);
    MORE(taken, 1);
}

PyObject *
pause_between(PyObject *module, PyObject *seconds)
{
    double wanted = PyFloat_AsDouble(seconds);
    if (wanted == -1 && PyErr_Occurred())
        return NULL;
    time_t full = (time_t)wanted;
    struct timespec time = {full, (long)((wanted - (double)full) * 1e9)};
    unsigned long ended = NOW(steps_over);
    PyThreadState *thread = PyEval_SaveThread();
    nanosleep(&time, NULL);
    take_turn(thread, ended);
    Py_RETURN_NONE;
}

/* ---------------------------------------------------------------- bells */

/* As loopscope.threads.Bell. Its lock is held while it is silent. */
typedef struct { PyObject_HEAD PyThread_type_lock lock; } Bell;

static PyObject *
bell_make(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    Bell *self = (Bell *)type->tp_alloc(type, 0);
    if (self != NULL && (self->lock = PyThread_allocate_lock()) == NULL) {
        Py_CLEAR(self);
        PyErr_SetString(PyExc_RuntimeError, "the system refuses a lock");
    }
    if (self != NULL)
        PyThread_acquire_lock(self->lock, NOWAIT_LOCK);
    return (PyObject *)self;
}

static void
bell_rings(Bell *self)
{
    PyThread_acquire_lock(self->lock, NOWAIT_LOCK); /* it may ring already */
    PyThread_release_lock(self->lock);
}

static PyObject *
bell_ring(Bell *self, PyObject *nothing)
{
    bell_rings(self);
    Py_RETURN_NONE;
}

static PyObject *
bell_wait(Bell *self, PyObject *args)
{
    double seconds = -1;
    if (!PyArg_ParseTuple(args, "|d", &seconds))
        return NULL;
    PY_TIMEOUT_T most = seconds < 0 ? -1 : (PY_TIMEOUT_T)(seconds * 1e6);
    unsigned long ended = NOW(steps_over);
    PyThreadState *thread = PyEval_SaveThread();
    PyThread_acquire_lock_timed(self->lock, most, 0);
    take_turn(thread, ended);
    Py_RETURN_NONE;
}

static void
bell_dealloc(Bell *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (self->lock != NULL) {
        bell_rings(self);
        PyThread_free_lock(self->lock);
    }
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMethodDef bell_methods[] = {
    {"ring", (PyCFunction)bell_ring, METH_NOARGS, "Wake who waits, or who waits next."},
    {"wait", (PyCFunction)bell_wait, METH_VARARGS, "Wait until it rings, or for so many seconds."},
    {NULL},
};

static PyType_Slot bell_slots[] = {
    {Py_tp_doc, "Wakes a thread of our own; a step's end may give it its turn."},
    {Py_tp_new, bell_make},
    {Py_tp_methods, bell_methods},
    {Py_tp_dealloc, bell_dealloc},
    {0, NULL},
};

PyType_Spec bell_spec = {
    .name = "loopscope._native.Bell",
    .basicsize = sizeof(Bell),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = bell_slots,
};

#endif
