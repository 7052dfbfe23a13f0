/* How the background thread gets the GIL while a loop is busy.
 *
 * Who waits for the GIL is woken whenever somebody lets go of it. A busy loop does so at each look at its selector, and
 * has taken it again before the other thread is up: dozens of wakings in vain for each turn that it gets, which take some
 * microseconds each, of the loop's thread too. So after a pause in which steps ended the background thread watches for a
 * moment, without the GIL, for the end of one, which lets go of it until it is taken.
 */
#include "native.h"

#ifdef HANDOVER
#include <time.h>

/* How long it watches: for longer once it came to nothing and the GIL was long in coming, for then steps are longer, and it
 * would get a turn every 5 ms, which is too seldom to keep up. How long a step's end waits for it. Nanoseconds. */
enum { WATCHED = 20000, WATCHED_LONG = 300000, AWAITED = 5000, LONG_IN_COMING = 1000000 };

static long long watched = WATCHED;

int handover;
unsigned long steps_over;

static inline int
is_still(int state)
{
    return __atomic_load_n(&handover, __ATOMIC_ACQUIRE) == state;
}

/* Goes from one state to another, but not where it is in a third by now. */
static void
go(int from, int to)
{
    __atomic_compare_exchange_n(&handover, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Waits until it is in another state, for no longer than that. */
static void
watch(int state, long long most)
{
    long long began, now;
    if (clock_read(&began) < 0)
        return;
    while (is_still(state) && clock_read(&now) == 0 && now - began < most)
        ;
}

void
hand_over(void)
{
    PyThreadState *thread = PyEval_SaveThread();
    go(ASKED, GIVEN); /* only now: who waits for a GIL that is held is put to sleep */
    watch(GIVEN, AWAITED);
    PyEval_RestoreThread(thread);
}

/* Whether it watched, and nobody gave it its turn. */
static int
pause_for(struct timespec time)
{
    unsigned long before = __atomic_load_n(&steps_over, __ATOMIC_RELAXED);
    nanosleep(&time, NULL);
    if (__atomic_load_n(&steps_over, __ATOMIC_RELAXED) == before)
        return 0; /* the loop is idle, or in a long step */
    go(QUIET, ASKED);
    watch(ASKED, watched);
    return is_still(ASKED);
}

PyObject *
pause_between(PyObject *module, PyObject *seconds)
{
    double wanted = PyFloat_AsDouble(seconds);
    if (wanted == -1 && PyErr_Occurred())
        return NULL;
    time_t full = (time_t)wanted;
    long long asked = 0, got;
    int missed;
    Py_BEGIN_ALLOW_THREADS
    missed = pause_for((struct timespec){full, (long)((wanted - (double)full) * 1e9)}) && clock_read(&asked) == 0;
    Py_END_ALLOW_THREADS
    __atomic_store_n(&handover, QUIET, __ATOMIC_RELEASE);
    if (missed && clock_read(&got) == 0)
        watched = got - asked >= LONG_IN_COMING ? WATCHED_LONG : WATCHED;
    Py_RETURN_NONE;
}

#endif
