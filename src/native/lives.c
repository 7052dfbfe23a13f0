/* What is known of the tasks that live, by their ids: pipeline/lives.py says what it is in place of.
 *
 * As in a dict, entries stand in the order in which they came, and a table finds them. Where more than some are awake,
 * what is known of others is packed (asleep.c): of those that took no step since their first, the oldest first; of those
 * that did when they took none for a while, for to pack and unpack costs as much as a step does. None is packed while
 * somebody may have one without a reference of its own, nor one that others have.
 */
#include "cold.h"
#include <string.h>

/* `held` is a TaskLife, or an Asleep with the bit ASLEEP. 0: it is no more. The other bits: no record of it came yet; one
 * came since it was queued. */
typedef struct { long long id; uintptr_t held; } Entry;

enum { ASLEEP = 1, FRESH = 2, ASKED = 4, BITS = 7 };

/* Who is awake, the first that was queued first; some may have left. Not to be packed before `until`. */
typedef struct { long long id, until; } Waiting;
typedef struct { Waiting *waiting; size_t room, first, length; } Ring;

enum { NOBODY = -1, LEAST = 64, TURNS = 64, VAIN = 8 };

/* Nanoseconds without a step. */
#define REST 10000000000LL

struct Lives {
    PyObject_HEAD
    /* so many there is room for, so many were filled, and so many of these are still there */
    Entry *entries;
    int room, filled, count;
    /* numbers of entries, in twice as many places as there is room for entries, each near the place of its id */
    int *table;
    /* those of whom no step was told since the first, or since they were packed; and those of whom one was */
    Ring idle, busy;
    /* how many are awake, and may be */
    Py_ssize_t awake, most;
    int lent;
    /* the clock, as it was last read */
    long long now;
};

static PyObject *
life_in(const Entry *entry)
{
    return (PyObject *)(entry->held & ~(uintptr_t)BITS);
}

static Asleep *
asleep_in(const Entry *entry)
{
    return (Asleep *)(entry->held & ~(uintptr_t)BITS);
}

/* ---------------------------------------------------------------- the table */

static size_t
place_of(const Lives *self, long long id)
{
    return (size_t)(spread(id) >> 32) & ((size_t)self->room * 2 - 1);
}

/* Where the number of its entry stands, or would. */
static int *
find(const Lives *self, long long id)
{
    size_t place = place_of(self, id), last = (size_t)self->room * 2 - 1;
    while (self->table[place] != NOBODY && self->entries[self->table[place]].id != id)
        place = (place + 1) & last;
    return &self->table[place];
}

/* NULL where there is none. */
static Entry *
entry_of(const Lives *self, long long id)
{
    int number = *find(self, id);
    return number == NOBODY ? NULL : &self->entries[number];
}

/* Makes room for so many, a power of two; the entries there are move up. -1 with an error set. */
static int
make_room(Lives *self, int room)
{
    Lives other = *self;
    other.room = room;
    other.filled = 0;
    other.entries = PyMem_RawMalloc((size_t)room * sizeof *other.entries);
    other.table = PyMem_RawMalloc((size_t)room * 2 * sizeof *other.table);
    if (other.entries == NULL || other.table == NULL) {
        PyMem_RawFree(other.entries);
        PyMem_RawFree(other.table);
        return PyErr_NoMemory(), -1;
    }
    memset(other.table, NOBODY, (size_t)room * 2 * sizeof *other.table);
    for (int number = 0; number < self->filled; number++)
        if (self->entries[number].held) {
            *find(&other, self->entries[number].id) = other.filled;
            other.entries[other.filled++] = self->entries[number];
        }
    PyMem_RawFree(self->entries);
    PyMem_RawFree(self->table);
    self->entries = other.entries;
    self->table = other.table;
    self->room = other.room;
    self->filled = other.filled;
    return 0;
}

/* Makes room for one more; -1 with an error set. */
static int
grow(Lives *self)
{
    if (self->filled < self->room)
        return 0;
    int room = LEAST;
    while (room < self->count + self->count / 2)
        room *= 2;
    return make_room(self, room);
}

/* Closes the gap where one stood: those behind it move up, as far as they would be found there. */
static void
close_gap(Lives *self, int *gone)
{
    size_t gap = (size_t)(gone - self->table), last = (size_t)self->room * 2 - 1;
    for (size_t place = (gap + 1) & last; self->table[place] != NOBODY; place = (place + 1) & last)
        if (((place - place_of(self, self->entries[self->table[place]].id)) & last) >= ((place - gap) & last)) {
            self->table[gap] = self->table[place];
            gap = place;
        }
    self->table[gap] = NOBODY;
}

static void
let_go(const Entry *entry)
{
    if (entry->held & ASLEEP)
        asleep_free(asleep_in(entry));
    else
        Py_DECREF(life_in(entry));
}

/* ---------------------------------------------------------------- who is awake */

/* Room for one more; -1 with an error set. */
static int
widen(Ring *ring)
{
    if (ring->length < ring->room)
        return 0;
    size_t room = ring->room ? 2 * ring->room : LEAST;
    Waiting *wider = PyMem_RawMalloc(room * sizeof *wider);
    if (wider == NULL)
        return PyErr_NoMemory(), -1;
    for (size_t place = 0; place < ring->length; place++)
        wider[place] = ring->waiting[(ring->first + place) & (ring->room - 1)];
    PyMem_RawFree(ring->waiting);
    *ring = (Ring){wider, room, 0, ring->length};
    return 0;
}

/* There is room: see `widen`. */
static void
queue_up(Ring *ring, long long id, long long until)
{
    ring->waiting[(ring->first + ring->length++) & (ring->room - 1)] = (Waiting){id, until};
}

static Waiting
next(Ring *ring)
{
    Waiting first = ring->waiting[ring->first];
    ring->first = (ring->first + 1) & (ring->room - 1);
    ring->length--;
    return first;
}

/* Packs what is known of a task; 0 where it stays awake. */
static int
put_to_sleep(Lives *self, Entry *entry)
{
    PyObject *life = life_in(entry);
    Asleep *asleep = asleep_make(life);
    if (asleep == NULL)
        return 0;
    entry->held = (uintptr_t)asleep | ASLEEP;
    self->awake--;
    Py_DECREF(life);
    return 1;
}

/* The next of a ring: it leaves, is packed, goes to who is busy, or is queued again: 0. */
static int
see_to(Lives *self, Ring *ring)
{
    Waiting one = next(ring);
    Entry *entry = entry_of(self, one.id);
    if (entry == NULL || entry->held & ASLEEP)
        return 1;
    if (entry->held & ASKED) {
        if (widen(&self->busy) < 0) {
            PyErr_Clear(); /* there is no memory: it is awake for good */
            return 0;
        }
        entry->held &= ~(uintptr_t)ASKED;
        queue_up(&self->busy, one.id, self->now + REST);
        return 1;
    }
    int due = one.until <= self->now && !(entry->held & FRESH);
    if (due && self->awake > self->most && put_to_sleep(self, entry))
        return 1;
    queue_up(ring, one.id, one.until);
    return 0;
}

/* Once at most to each of a ring. */
static void
go_through(Lives *self, Ring *ring)
{
    size_t left = ring->length < TURNS ? ring->length : TURNS;
    for (int in_vain = 0; left > 0 && in_vain < VAIN; left--) {
        int due = self->awake > self->most && ring->waiting[ring->first].until <= self->now;
        if (!due && ring->length <= 2 * (size_t)self->awake + LEAST) /* else most of them have left */
            return;
        in_vain += !see_to(self, ring);
    }
}

void
lives_rest(Lives *self)
{
    if (self->lent)
        return;
    if (clock_read(&self->now) < 0) {
        PyErr_Clear();
        return;
    }
    go_through(self, &self->idle);
    go_through(self, &self->busy);
}

/* ---------------------------------------------------------------- what is done with it */

/* Awake, or NULL where there is none, or with an error set. */
static Entry *
wake(Lives *self, PyObject *id, long long until)
{
    long long key;
    if (number(id, &key) < 0)
        return NULL;
    Entry *entry = entry_of(self, key);
    if (entry == NULL || !(entry->held & ASLEEP))
        return entry;
    Ring *ring = until ? &self->busy : &self->idle;
    Asleep *asleep = asleep_in(entry);
    PyObject *life = widen(ring) < 0 ? NULL : asleep_wake(asleep);
    if (life == NULL)
        return NULL;
    entry->held = (uintptr_t)life;
    asleep_free(asleep);
    self->awake++;
    queue_up(ring, key, until);
    return entry;
}

PyObject *
lives_get(Lives *self, PyObject *id)
{
    Entry *entry = wake(self, id, self->now + REST);
    if (entry == NULL)
        return NULL;
    entry->held = entry->held & FRESH ? entry->held & ~(uintptr_t)FRESH : entry->held | ASKED;
    return life_in(entry);
}

int
lives_has(Lives *self, PyObject *id)
{
    long long key;
    return number(id, &key) < 0 ? -1 : entry_of(self, key) != NULL;
}

int
lives_put(Lives *self, PyObject *id, PyObject *life)
{
    long long key;
    if (lives_drop(self, id) < 0 || number(id, &key) < 0 || grow(self) < 0 || widen(&self->idle) < 0)
        return -1;
    *find(self, key) = self->filled;
    self->entries[self->filled++] = (Entry){key, (uintptr_t)Py_NewRef(life) | FRESH};
    self->count++;
    self->awake++;
    queue_up(&self->idle, key, 0);
    return 0;
}

int
lives_drop(Lives *self, PyObject *id)
{
    long long key;
    if (number(id, &key) < 0)
        return -1;
    int *place = find(self, key);
    if (*place == NOBODY)
        return 0;
    Entry *entry = &self->entries[*place], gone = *entry;
    close_gap(self, place);
    entry->held = 0;
    self->count--;
    self->awake -= !(gone.held & ASLEEP);
    let_go(&gone);
    return 0;
}

void
lives_lend(Lives *self, int lent)
{
    self->lent = lent;
}

/* ---------------------------------------------------------------- its type */

static PyObject *
lives_make(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    Py_ssize_t most;
    if (!PyArg_ParseTuple(args, "n", &most) || cold_load() < 0)
        return NULL;
    if (most < 0)
        return PyErr_Format(PyExc_ValueError, "Lives() takes no negative number");
    Lives *self = (Lives *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->most = most;
    if (make_room(self, LEAST) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void
lives_dealloc(Lives *self)
{
    PyTypeObject *type = Py_TYPE(self);
    for (int number = 0; number < self->filled; number++)
        if (self->entries[number].held)
            let_go(&self->entries[number]);
    PyMem_RawFree(self->entries);
    PyMem_RawFree(self->table);
    PyMem_RawFree(self->idle.waiting);
    PyMem_RawFree(self->busy.waiting);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

/* A new reference, as for a look at it alone; NULL where there is none, or with an error set. */
static PyObject *
look_at(Lives *self, PyObject *id)
{
    Entry *entry = wake(self, id, 0);
    if (entry == NULL)
        return NULL;
    entry->held &= ~(uintptr_t)FRESH;
    return Py_NewRef(life_in(entry));
}

static PyObject *
lives_get_python(Lives *self, PyObject *id)
{
    PyObject *life = look_at(self, id);
    if (life == NULL)
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    lives_rest(self);
    return life;
}

static PyObject *
lives_pop(Lives *self, PyObject *args)
{
    PyObject *id, *otherwise;
    if (!PyArg_ParseTuple(args, "OO", &id, &otherwise))
        return NULL;
    PyObject *life = look_at(self, id);
    if (life == NULL)
        return PyErr_Occurred() ? NULL : Py_NewRef(otherwise);
    if (lives_drop(self, id) < 0)
        Py_CLEAR(life);
    return life;
}

static PyObject *
lives_item(Lives *self, PyObject *id)
{
    PyObject *life = look_at(self, id);
    if (life == NULL && !PyErr_Occurred())
        PyErr_SetObject(PyExc_KeyError, id);
    return life;
}

static int
lives_set_item(Lives *self, PyObject *id, PyObject *life)
{
    return life == NULL ? lives_drop(self, id) : lives_put(self, id, life);
}

static Py_ssize_t
lives_length(Lives *self)
{
    return self->count;
}

/* Over the ids of now: numbers in few bytes, for there may be many. */
static PyObject *
lives_iterate(Lives *self)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, self->count * (Py_ssize_t)sizeof(long long));
    if (bytes == NULL)
        return NULL;
    char *at = PyBytes_AS_STRING(bytes);
    for (int number = 0; number < self->filled; number++)
        if (self->entries[number].held) {
            memcpy(at, &self->entries[number].id, sizeof(long long));
            at += sizeof(long long);
        }
    PyObject *view = PyMemoryView_FromObject(bytes);
    PyObject *ids = view == NULL ? NULL : PyObject_CallMethod(view, "cast", "s", "q");
    PyObject *iterator = ids == NULL ? NULL : PyObject_GetIter(ids);
    Py_DECREF(bytes);
    Py_XDECREF(view);
    Py_XDECREF(ids);
    return iterator;
}

static PyMethodDef lives_methods[] = {
    {"get", (PyCFunction)lives_get_python, METH_O, "A task's life; None where none is known."},
    {"pop", (PyCFunction)lives_pop, METH_VARARGS, "As dict.pop, with a default."},
    {NULL},
};

static PyMemberDef lives_members[] = {
    {"awake", T_PYSSIZET, offsetof(Lives, awake), READONLY, "Of how many all is kept as objects."},
    {NULL},
};

static PyType_Slot lives_slots[] = {
    {Py_tp_doc, "What is known of living tasks: Lives(how many are not packed). See loopscope.pipeline.lives."},
    {Py_tp_new, lives_make},
    {Py_tp_methods, lives_methods},
    {Py_tp_members, lives_members},
    {Py_tp_iter, lives_iterate},
    {Py_mp_subscript, lives_item},
    {Py_mp_ass_subscript, lives_set_item},
    {Py_mp_length, lives_length},
    {Py_sq_contains, lives_has},
    {Py_tp_dealloc, lives_dealloc},
    {0, NULL},
};

PyType_Spec lives_spec = {
    .name = "loopscope._native.Lives",
    .basicsize = sizeof(Lives),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = lives_slots,
};
