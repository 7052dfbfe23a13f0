/* A task's birth: what Assembler._birth and the sinks after it do. */
#include "cold.h"

/* Items of a birth's record: see model.py. */
enum { TAG, ID, TIME, PULSE, NAME, FUNCTION, CREATOR, CREATOR_STEP, SPAN, LATE, ITEMS };

/* Whether it is the birth of a task that was not heard of. */
static int
is_new(Ordinary *self, PyObject *record)
{
    if (!PyTuple_CheckExact(record) || PyTuple_GET_SIZE(record) != ITEMS
        || whole(PyTuple_GET_ITEM(record, TAG)) != cold.birth)
        return 0;
    PyObject *id = PyTuple_GET_ITEM(record, ID);
    int lives = lives_has((Lives *)self->lives, id);
    if (lives)
        return lives < 0 ? -1 : 0;
    PyObject *over = recent_get(self->over, id);
    return over == NULL && !PyErr_Occurred() ? 1 : PyErr_Occurred() ? -1 : 0;
}

/* Its life: a new reference */
static PyObject *
make_life(PyObject *record)
{
    PyObject *life = copy(cold.a_life);
    if (life == NULL)
        return NULL;
    const struct { Py_ssize_t slot; int item; } fields[] = {
        {cold.life.id, ID}, {cold.life.name, NAME}, {cold.life.place, FUNCTION}, {cold.life.pulse, PULSE},
        {cold.life.creator, CREATOR}, {cold.life.span, SPAN}, {cold.life.late, LATE},
    };
    for (size_t field = 0; field < sizeof fields / sizeof *fields; field++)
        slot_put(life, fields[field].slot, Py_NewRef(PyTuple_GET_ITEM(record, fields[field].item)));
    if (number(PyTuple_GET_ITEM(record, TIME), &WHOLE(life, cold.life.born)) < 0
        || number(PyTuple_GET_ITEM(record, CREATOR_STEP), &WHOLE(life, cold.life.creator_step)) < 0)
        Py_CLEAR(life);
    else
        WHOLE(life, cold.life.last_end) = WHOLE(life, cold.life.born);
    return life;
}

/* The task under which it stands: its creator, but for one that is excluded. */
static int
find_creator(Ordinary *self, PyObject *life, PyObject *notes)
{
    PyObject *creator = known(self, SLOT(life, cold.life.creator));
    if (creator == NULL)
        return PyErr_Occurred() ? -1 : 0;
    int older = PyObject_RichCompareBool(SLOT(creator, cold.life.id), SLOT(life, cold.life.id), Py_LT);
    if (older <= 0)
        return older;
    int excluded = is_excluded(creator);
    if (excluded < 0)
        return -1;
    PyObject *under =
        excluded ? SLOT(SLOT(creator, cold.life.notes), cold.notes.under) : SLOT(creator, cold.life.id);
    slot_put(notes, cold.notes.under, Py_NewRef(under));
    return 0;
}

/* Tracer.born */
static int
begin_notes(Ordinary *self, PyObject *life)
{
    PyObject *notes = copy(cold.a_notes);
    if (notes == NULL)
        return -1;
    slot_put(life, cold.life.notes, notes);
    return find_creator(self, life, notes);
}

/* A task of a burst, perhaps: Bursts.born. */
static int
count_made(Ordinary *self, PyObject *life)
{
    int made = PyObject_IsTrue(SLOT(life, cold.life.creator));
    if (made <= 0)
        return made;
    PyObject *done = PyObject_CallOneArg(self->making, life);
    return came(done);
}

/* Its steps may be passed by. */
static int
note_muted(Ordinary *self, PyObject *life)
{
    PyObject *pulse = SLOT(life, cold.life.pulse);
    int excluded = pulse == Py_None ? 0 : is_excluded(life);
    if (excluded <= 0)
        return excluded;
    PyObject *muted = pair(pulse, natives.zero);
    int failed = muted == NULL ? -1 : put_untracked(self->muted, SLOT(life, cold.life.id), muted);
    Py_XDECREF(muted);
    return failed;
}

int
born(Ordinary *self, PyObject *record)
{
    int new = is_new(self, record);
    if (new <= 0)
        return new;
    PyObject *life = make_life(record);
    if (life == NULL)
        return -1;
    int failed = count_made(self, life) < 0;
    WHOLE(self->sums, cold.sums.alive)++;
    failed = failed || (self->traces && begin_notes(self, life) < 0) || note_muted(self, life) < 0
        || lives_put((Lives *)self->lives, SLOT(life, cold.life.id), life) < 0;
    Py_DECREF(life);
    return failed ? -1 : 1;
}
