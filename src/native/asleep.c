/* What is known of a task that waits, in few bytes: its TaskLife, its Notes and its Visits, which are made anew once
 * somebody asks for it.
 *
 * Of each object, two bits a slot say how it is written: not at all where it is as in a new object, as a number, as a
 * reference, or as a byte that says which value before it was the same. Numbers are of as many bytes as they need; those
 * of the clock are counted from the task's birth.
 */
#include "cold.h"
#include <stddef.h>
#include <string.h>

enum { NEW, NUMBER, AGAIN, OBJECT };

/* How many references and bytes a task's may have: what takes more stays as it is. How many values are remembered. */
enum { REFERENCES = 64, ROOM = 768, MOST_SLOTS = 64, REMEMBERED = 64 };

/* In the place of which value it is again: an id of eight bytes follows, a whole number beyond those of the machine. */
enum { ID = 255 };

/* How many references, then these, wherever they come to stand, then its bytes. */
struct Asleep { unsigned char content[1]; };

enum { REFERENCE = sizeof(PyObject *) };

/* The slots of a class that are written. */
typedef struct { PyObject *model; int count; struct { Py_ssize_t offset; int whole; } slot[MOST_SLOTS]; } Layout;

static Layout life_layout, notes_layout, visit_layout;

/* The slots of a new object's class but for one, which holds a part that is written by itself, or what can be found
 * again. */
static int
lay_out(Layout *layout, PyObject *model, Py_ssize_t except)
{
    layout->model = model;
    layout->count = 0;
    for (const PyMemberDef *member = Py_TYPE(model)->tp_members; member->name != NULL; member++) {
        int whole = member->type == T_LONGLONG;
        if (member->offset == except || (!whole && member->type != T_OBJECT_EX))
            continue;
        if (layout->count == MOST_SLOTS) {
            PyErr_Format(PyExc_ImportError, "%s has too many slots", Py_TYPE(model)->tp_name);
            return -1;
        }
        layout->slot[layout->count].offset = member->offset;
        layout->slot[layout->count++].whole = whole;
    }
    return 0;
}

int
asleep_load(void)
{
    return lay_out(&life_layout, cold.a_life, cold.life.notes) < 0
        || lay_out(&notes_layout, cold.a_notes, cold.notes.visits) < 0
        || lay_out(&visit_layout, cold.a_visit, cold.visit._whose) < 0 ? -1 : 0;
}

/* ---------------------------------------------------------------- values that were written before */

/* A number or an id, or an object. */
typedef struct { int kind; unsigned long long number; PyObject *object; } Value;

/* Both sides remember the same. */
typedef struct { Value value[REMEMBERED]; int count; } Known;

static void
note_value(Known *known, Value value)
{
    if (known->count < REMEMBERED)
        known->value[known->count++] = value;
}

/* What most have is known before the first, and the task's Life, where there is one, with its Place. */
static void
begin_known(Known *known, PyObject *pulse)
{
    known->count = 0;
    if (pulse != NULL) {
        note_value(known, (Value){OBJECT, 0, pulse});
        note_value(known, (Value){OBJECT, 0, LIFE_OF(pulse)->place});
    }
    note_value(known, (Value){OBJECT, 0, Py_True});
    note_value(known, (Value){OBJECT, 0, Py_False});
    note_value(known, (Value){OBJECT, 0, Py_None});
    note_value(known, (Value){OBJECT, 0, natives.suspended});
    note_value(known, (Value){OBJECT, 0, natives.yielded});
}

/* Which one it is; -1 for none. */
static int
find_value(const Known *known, Value value)
{
    for (int place = 0; place < known->count; place++) {
        const Value *other = &known->value[place];
        if (other->number == value.number && other->kind == value.kind && other->object == value.object)
            return place;
    }
    return -1;
}

/* ---------------------------------------------------------------- to bytes */

/* `full`: it has taken no more. */
typedef struct {
    PyObject *reference[REFERENCES];
    unsigned char bytes[ROOM];
    int references, size, full;
    long long born;
    Known known;
} Draft;

static void
write_byte(Draft *draft, int byte)
{
    if (draft->size == ROOM)
        draft->full = 1;
    else
        draft->bytes[draft->size++] = (unsigned char)byte;
}

static inline unsigned long long
folded(unsigned long long number)
{
    return number << 1 ^ (0 - (number >> 63));
}

static inline unsigned long long
unfolded(unsigned long long number)
{
    return number >> 1 ^ (0 - (number & 1));
}

/* Six bits, and whether it is counted from the birth; seven bits; ... */
static void
write_number(Draft *draft, long long number)
{
    unsigned long long plain = folded(number), near = folded((unsigned long long)number - draft->born);
    int relative = near < plain;
    unsigned long long rest = relative ? near : plain;
    write_byte(draft, relative | (int)(rest & 63) << 1 | (rest > 63) << 7);
    for (rest >>= 6; rest; rest >>= 7)
        write_byte(draft, (int)(rest & 127) | (rest > 127) << 7);
}

static void
write_id(Draft *draft, unsigned long long id)
{
    for (int byte = 0; byte < 8; byte++)
        write_byte(draft, (int)(id >> 8 * byte & 255));
}

/* A value that is not as in a new object; how it is written. */
static int
write_value(Draft *draft, Value value)
{
    int again = find_value(&draft->known, value), before = draft->size, kind = value.kind;
    if (again >= 0) {
        write_byte(draft, again);
        return AGAIN;
    }
    if (kind == NUMBER)
        write_number(draft, (long long)value.number);
    else if (kind == ID) {
        write_byte(draft, ID);
        write_id(draft, value.number);
    } else if (draft->references == REFERENCES)
        draft->full = 1;
    else
        draft->reference[draft->references++] = value.object;
    if (kind != NUMBER || draft->size > before + 1)
        note_value(&draft->known, value);
    return kind == ID ? AGAIN : kind;
}

static Value
value_of(PyObject *object)
{
    int beyond = 0;
    long long number = PyLong_CheckExact(object) ? PyLong_AsLongLongAndOverflow(object, &beyond) : 0;
    if (PyLong_CheckExact(object) && !beyond)
        return (Value){NUMBER, (unsigned long long)number, NULL};
    if (beyond > 0) {
        unsigned long long id = PyLong_AsUnsignedLongLong(object);
        if (id != (unsigned long long)-1 || !PyErr_Occurred())
            return (Value){ID, id, NULL};
        PyErr_Clear();
    }
    return (Value){OBJECT, 0, object};
}

static void
write_slots(Draft *draft, const Layout *layout, PyObject *object)
{
    int kinds = draft->size, room = (layout->count + 3) / 4;
    for (int byte = 0; byte < room; byte++)
        write_byte(draft, 0);
    for (int place = 0; place < layout->count && !draft->full; place++) {
        Py_ssize_t offset = layout->slot[place].offset;
        int kind = NEW;
        if (layout->slot[place].whole) {
            long long number = WHOLE(object, layout->slot[place]);
            if (number != WHOLE(layout->model, layout->slot[place]))
                kind = write_value(draft, (Value){NUMBER, (unsigned long long)number, NULL});
        } else if (SLOT(object, offset) == NULL)
            draft->full = 1;
        else if (SLOT(object, offset) != SLOT(layout->model, offset))
            kind = write_value(draft, value_of(SLOT(object, offset)));
        draft->bytes[kinds + place / 4] |= kind << place % 4 * 2;
    }
}

/* Whether it is of this class, and nobody else has it. */
static int
is_alone(PyObject *object, PyTypeObject *type)
{
    return Py_IS_TYPE(object, type) && Py_REFCNT(object) == 1;
}

/* A task's Notes and Visits; 0 where somebody else has one. */
static int
write_notes(Draft *draft, PyObject *notes)
{
    write_byte(draft, notes != Py_None);
    if (notes == Py_None)
        return 1;
    if (!is_alone(notes, cold.notes.type))
        return 0;
    PyObject *visits = SLOT(notes, cold.notes.visits);
    Py_ssize_t count = PyTuple_GET_SIZE(visits);
    if (count > 16 || (count > 0 && Py_REFCNT(visits) != 1))
        return 0;
    write_slots(draft, &notes_layout, notes);
    write_byte(draft, (int)count);
    for (Py_ssize_t place = 0; place < count; place++) {
        PyObject *visit = PyTuple_GET_ITEM(visits, place);
        if (!is_alone(visit, cold.visit.type))
            return 0;
        write_slots(draft, &visit_layout, visit);
    }
    return 1;
}

Asleep *
asleep_make(PyObject *life)
{
    Draft draft;
    draft.references = draft.size = draft.full = 0;
    draft.born = 0;
    if (!is_alone(life, cold.life.type))
        return NULL;
    PyObject *pulse = SLOT(life, cold.life.pulse);
    int lives = Py_IS_TYPE(pulse, natives.life);
    begin_known(&draft.known, lives ? pulse : NULL);
    write_byte(&draft, lives);
    if (lives)
        draft.reference[draft.references++] = pulse;
    write_number(&draft, WHOLE(life, cold.life.born));
    draft.born = WHOLE(life, cold.life.born);
    write_slots(&draft, &life_layout, life);
    if (!write_notes(&draft, SLOT(life, cold.life.notes)) || draft.full)
        return NULL;
    size_t references = draft.references * REFERENCE;
    Asleep *made = PyMem_Malloc(1 + references + draft.size);
    if (made == NULL)
        return NULL;
    made->content[0] = (unsigned char)draft.references;
    memcpy(made->content + 1, draft.reference, references);
    memcpy(made->content + 1 + references, draft.bytes, draft.size);
    for (int place = 0; place < draft.references; place++)
        Py_INCREF(draft.reference[place]);
    return made;
}

static PyObject *
read_reference(const unsigned char **next)
{
    PyObject *object;
    memcpy(&object, *next, REFERENCE);
    *next += REFERENCE;
    return object;
}

void
asleep_free(Asleep *self)
{
    const unsigned char *next = self->content + 1;
    for (int place = 0; place < self->content[0]; place++)
        Py_DECREF(read_reference(&next));
    PyMem_Free(self);
}

/* ---------------------------------------------------------------- and back */

typedef struct { const unsigned char *reference, *byte; long long born; Known known; } Reading;

static long long
read_number(Reading *reading)
{
    int first = *reading->byte++, more = first & 128, shift = 6;
    unsigned long long number = first >> 1 & 63;
    for (; more; shift += 7) {
        more = *reading->byte & 128;
        number |= (unsigned long long)(*reading->byte++ & 127) << shift;
    }
    number = unfolded(number);
    return (long long)(first & 1 ? number + reading->born : number);
}

static Value
read_value(Reading *reading, int kind)
{
    const unsigned char *before = reading->byte;
    Value value = {kind, 0, NULL};
    if (kind == NUMBER)
        value.number = (unsigned long long)read_number(reading);
    else if (kind == OBJECT)
        value.object = read_reference(&reading->reference);
    else if (*before != ID)
        return reading->known.value[*reading->byte++];
    else {
        value.kind = *reading->byte++;
        for (int byte = 0; byte < 8; byte++)
            value.number |= (unsigned long long)*reading->byte++ << 8 * byte;
    }
    if (kind != NUMBER || reading->byte > before + 1)
        note_value(&reading->known, value);
    return value;
}

/* A new reference; NULL with an error set. */
static PyObject *
object_of(Value value)
{
    if (value.kind == OBJECT)
        return Py_NewRef(value.object);
    return value.kind == ID ? PyLong_FromUnsignedLongLong(value.number) : PyLong_FromLongLong((long long)value.number);
}

/* A new reference; NULL with an error set. */
static PyObject *
read_slots(Reading *reading, const Layout *layout)
{
    const unsigned char *kinds = reading->byte;
    PyObject *made = copy(layout->model);
    reading->byte += (layout->count + 3) / 4;
    for (int place = 0; made != NULL && place < layout->count; place++) {
        Py_ssize_t offset = layout->slot[place].offset;
        int kind = kinds[place / 4] >> place % 4 * 2 & 3;
        if (kind == NEW)
            continue;
        Value value = read_value(reading, kind);
        if (layout->slot[place].whole)
            WHOLE(made, layout->slot[place]) = (long long)value.number;
        else {
            PyObject *object = object_of(value);
            if (object == NULL)
                Py_CLEAR(made);
            else
                slot_put(made, offset, object);
        }
    }
    return made;
}

/* A new reference; NULL with an error set. */
static PyObject *
read_notes(Reading *reading)
{
    if (!*reading->byte++)
        return Py_NewRef(Py_None);
    PyObject *notes = read_slots(reading, &notes_layout);
    int count = notes == NULL ? 0 : *reading->byte++;
    PyObject *visits = count == 0 ? NULL : untracked(PyTuple_New(count));
    int failed = notes == NULL || (count > 0 && visits == NULL);
    for (int place = 0; !failed && place < count; place++) {
        PyObject *visit = read_slots(reading, &visit_layout);
        PyTuple_SET_ITEM(visits, place, visit);
        failed = visit == NULL;
    }
    if (!failed && visits != NULL)
        slot_put(notes, cold.notes.visits, visits);
    else
        Py_XDECREF(visits);
    if (failed)
        Py_CLEAR(notes);
    return notes;
}

PyObject *
asleep_wake(Asleep *self)
{
    Reading reading;
    reading.reference = self->content + 1;
    reading.byte = reading.reference + self->content[0] * REFERENCE;
    reading.born = 0;
    begin_known(&reading.known, *reading.byte++ ? read_reference(&reading.reference) : NULL);
    reading.born = read_number(&reading);
    PyObject *life = read_slots(&reading, &life_layout);
    PyObject *notes = life == NULL ? NULL : read_notes(&reading);
    if (notes == NULL)
        Py_CLEAR(life);
    else
        slot_put(life, cold.life.notes, notes);
    return life;
}
