/* The step's span: what Visit and StepSpans do of an ordinary step, once its way is known. */
#include "cold.h"
#include <string.h>

/* ---------------------------------------------------------------- the visit's sums */

/* Visit.account */
static void
account(Passing *passing)
{
    PyObject *visit = passing->visit;
    long long cursor = WHOLE(visit, cold.visit.cursor), *longest = &WHOLE(visit, cold.visit.longest);
    long long ready = passing->ready, start = passing->start, end = passing->end;
    if (end - start > *longest)
        *longest = end - start;
    if (ready < cursor) {
        ready = cursor;
        start = start > cursor ? start : cursor;
        end = end > cursor ? end : cursor;
    }
    WHOLE(visit, cold.visit.waiting) += ready - cursor;
    WHOLE(visit, cold.visit.ready) += start - ready;
    WHOLE(visit, cold.visit.running) += end - start;
    WHOLE(visit, cold.visit.cursor) = end;
    WHOLE(visit, cold.visit.steps)++;
    WHOLE(visit, cold.visit.left) = WHOLE(visit, cold.visit.segment) = 0;
    if (WHOLE(visit, cold.visit.first) < 0)
        WHOLE(visit, cold.visit.first) = passing->index;
    WHOLE(visit, cold.visit.last) = passing->index;
    WHOLE(visit, cold.visit.ended) = passing->end;
    slot_put(visit, cold.visit.outcome, Py_NewRef(passing->outcome));
    slot_put(visit, cold.visit.error, Py_NewRef(passing->error));
    slot_put(visit, cold.visit.awaited, Py_NewRef(passing->awaiting));
}

int
is_linked(PyObject *visit)
{
    return SLOT(visit, cold.visit.quiet) == Py_None && SLOT(visit, cold.visit.room) == Py_True;
}

int
remember(Ordinary *self, PyObject *id, long long index, PyObject *trace, PyObject *span_id)
{
    long long task;
    if (number(id, &task) < 0)
        return -1;
    return placed_add((Placed *)self->placed, task, index, SLOT(trace, cold.trace.trace_id), span_id);
}

/* ---------------------------------------------------------------- a span of its own */

int
say(Said *said, PyObject *key, PyObject *value)
{
    return encode_pair(said->encoder, &said->bytes, said->tag, key, value);
}

int
say_all(Said *said, PyObject *more)
{
    return encode_pairs(said->encoder, &said->bytes, said->tag, more);
}

int
say_if(Said *said, PyObject *key, PyObject *value)
{
    int says = PyObject_IsTrue(value);
    return says < 0 ? -1 : says ? say(said, key, value) : 0;
}

int
say_whole(Said *said, PyObject *key, long long value)
{
    return encode_whole(said->encoder, &said->bytes, said->tag, key, value);
}

int
say_seconds(Said *said, PyObject *key, long long nanoseconds)
{
    return encode_double(said->encoder, &said->bytes, said->tag, key, (double)nanoseconds / 1e9);
}

void
said_begin(Said *said, PyObject *encoder, char tag)
{
    said->encoder = encoder;
    said->tag = tag;
    bytes_begin(&said->bytes);
}

/* Whether the lock that it waited for was not got, or not from the waker: describe._never_held. -1 with an error set. */
static int
never_held(Passing *passing, PyObject *waited)
{
    if (passing->outcome == cold.text.CANCELLED)
        return 1;
    PyObject *life = passing->waker_life;
    if (SLOT(life, cold.life.state) != cold.text.CANCELLED || passing->waker_step != WHOLE(life, cold.life.steps) - 1)
        return 0;
    return PyObject_RichCompareBool(awaited_name(SLOT(life, cold.life.awaiting)), waited, Py_EQ);
}

/* The waking task, and what it means that its step woke this one: describe.freed_by. */
static int
say_waker(Passing *passing, Said *said)
{
    PyObject *name = SLOT(passing->waker_life, cold.life.name);
    if (say_if(said, cold.text.STEP_WAKER_TASK, name) < 0)
        return -1;
    PyObject *waited = awaited_name(passing->waited);
    if (waited == Py_None)
        return 0;
    PyObject *key = PyDict_GetItemWithError(cold.freed_by, waited);
    if (key == NULL)
        return PyErr_Occurred() ? -1 : 0;
    int not_it = key == cold.text.WAIT_HOLDER ? never_held(passing, waited) : 0;
    return not_it != 0 ? (not_it < 0 ? -1 : 0) : say_if(said, key, name);
}

/* Who delayed the step, if anybody did: describe.delay_attributes. */
static int
say_delay(Passing *passing, Said *said)
{
    PyObject *delay = SLOT(passing->step, cold.step.delay);
    if (delay == Py_None)
        return 0;
    PyObject **item = &PyTuple_GET_ITEM(delay, 0);
    long long duration, steps;
    return number(item[DELAY_DURATION], &duration) < 0 || number(item[DELAY_STEPS], &steps) < 0
        || say(said, cold.text.DELAYED_BY_NAME, item[DELAY_NAME]) < 0
        || say_seconds(said, cold.text.DELAYED_BY_DURATION, duration) < 0
        || (item[DELAY_TASK] != Py_None && say(said, cold.text.DELAYED_BY_TASK, item[DELAY_TASK]) < 0)
        || (steps > 1 && say(said, cold.text.DELAYED_BY_COUNT, item[DELAY_STEPS]) < 0)
        || say_if(said, cold.text.DELAYED_BY_FUNCTION, item[DELAY_FUNCTION]) < 0
        || say_if(said, cold.text.DELAYED_BY_PLACE, item[DELAY_PLACE]) < 0 ? -1 : 0;
}

/* What matters of what it suspended on. */
static int
say_details(Passing *passing, Said *said)
{
    if (!Py_IS_TYPE(passing->awaiting, natives.wait))
        return 0;
    return say_all(said, PyTuple_GET_ITEM(passing->awaiting, 1));
}

/* What is said of the step alone, and of who delayed it if anybody did. */
static int
say_alone(Passing *passing, Said *said)
{
    PyObject *name = passing->waker_name;
    if (say_whole(said, cold.text.STEP_INDEX, passing->index) < 0
        || say_seconds(said, cold.text.STEP_READY, passing->start - passing->ready) < 0
        || say_details(passing, said) < 0
        || (passing->unpolled >= 0 && say_seconds(said, cold.text.STEP_UNPOLLED, passing->unpolled) < 0)
        || (passing->guessed && say(said, cold.text.STEP_UNPOLLED_ESTIMATED, Py_True) < 0)
        || (passing->waker_life != NULL && say_waker(passing, said) < 0))
        return -1;
    int named = PyObject_IsTrue(name);
    if (!named && passing->waker_life != NULL) {
        name = SLOT(SLOT(passing->waker_life, cold.life.place), natives.place.qualname);
        named = PyObject_IsTrue(name);
    }
    return named < 0 || (named && say(said, cold.text.STEP_WAKER_NAME, name) < 0) ? -1 : say_delay(passing, said);
}

/* A link to this step of a task's, if that has a span. */
static int
link_to(Ordinary *self, Passing *passing, PyObject *task, long long step, const Said *said, Bytes *links)
{
    PyObject *trace_id, *span_id;
    long long id;
    if (number(task, &id) < 0)
        return -1;
    int found = placed_find((Placed *)self->placed, id, step, SLOT(passing->trace, cold.trace.trace_id), &trace_id,
                            &span_id);
    return found == 1 ? encode_link(links, trace_id, span_id, &said->bytes) : found;
}

static int
link_waker(Ordinary *self, Passing *passing, Bytes *links)
{
    int woken = PyObject_IsTrue(passing->waker);
    if (woken <= 0)
        return woken;
    Said said;
    said_begin(&said, self->encoder, LINK_ATTRIBUTE);
    int failed = say(&said, cold.text.LINK, cold.text.WOKEN_BY) < 0
        || link_to(self, passing, passing->waker, passing->waker_step, &said, links) < 0;
    bytes_end(&said.bytes);
    return failed ? -1 : 0;
}

/* The same of the step that delayed it, with what is said of that. */
static int
link_culprit(Ordinary *self, Passing *passing, Bytes *links)
{
    PyObject *delay = SLOT(passing->step, cold.step.delay);
    if (delay == Py_None)
        return 0;
    PyObject *by = PyTuple_GET_ITEM(delay, DELAY_BY);
    long long step;
    if (number(PyTuple_GET_ITEM(by, 1), &step) < 0)
        return -1;
    Said said;
    said_begin(&said, self->encoder, LINK_ATTRIBUTE);
    int failed = say(&said, cold.text.LINK, cold.text.DELAYED_BY) < 0 || say_delay(passing, &said) < 0
        || link_to(self, passing, PyTuple_GET_ITEM(by, 0), step, &said, links) < 0;
    bytes_end(&said.bytes);
    return failed ? -1 : 0;
}

/* The step's span, written and emitted. */
static int
encode(Ordinary *self, Passing *passing, PyObject **of)
{
    Said said;
    Bytes links, span;
    said_begin(&said, self->encoder, SPAN_ATTRIBUTE);
    bytes_begin(&links);
    bytes_begin(&span);
    int failed = say_alone(passing, &said) < 0 || link_waker(self, passing, &links) < 0
        || link_culprit(self, passing, &links) < 0
        || encode_span(self->encoder, &span, of, passing->start, passing->end, &said.bytes, &links) < 0;
    failed = emit(self, passing->end, failed ? NULL : &span);
    bytes_end(&said.bytes);
    bytes_end(&links);
    bytes_end(&span);
    return failed;
}

/* describe.step_kind: a new reference */
static PyObject *
find_kind(Passing *passing, PyObject *awaiting)
{
    PyObject *key = Py_BuildValue("(OOOOLO)", passing->outcome, passing->kind, awaiting, passing->point, passing->lasti,
                                  Py_None);
    if (key == NULL)
        return NULL;
    PyObject *said = PyDict_GetItemWithError(cold.kinds, key);
    Py_DECREF(key);
    if (said != NULL)
        return Py_NewRef(said);
    return PyErr_Occurred() ? NULL : PyObject_CallOneArg(cold.step_kind, passing->step);
}

/* The same, remembered. */
static PyObject *
kind_of(Ordinary *self, Passing *passing)
{
    PyObject *awaiting = passing->awaiting;
    if (Py_IS_TYPE(awaiting, natives.wait))
        awaiting = PyTuple_GET_ITEM(awaiting, 0);
    PyObject *of[] = {awaiting, passing->point, passing->outcome, passing->kind};
    size_t place = (size_t)passing->point + ((size_t)passing->lasti << 7);
    Memory *memory = memory_of(self->kinds, awaiting, (PyObject *)place);
    if (memcmp(memory->of, of, sizeof of) == 0 && memory->at == passing->lasti)
        return Py_NewRef(memory->found);
    PyObject *found = memory_keep(memory, of, sizeof of / sizeof *of, find_kind(passing, awaiting));
    if (found != NULL)
        memory->at = passing->lasti;
    return found;
}

/* Whose steps these are, as a span has it: a new reference; None where that cannot be said, which the encoder finds. */
static PyObject *
encode_whose(Ordinary *self, Passing *passing)
{
    Said said;
    said_begin(&said, self->encoder, SPAN_ATTRIBUTE);
    int failed = say(&said, cold.text.TASK_NAME, passing->name) < 0
        || say(&said, cold.text.THREAD_ID, passing->thread) < 0 || say(&said, cold.text.LOOP_ID, passing->loop) < 0;
    PyObject *bytes = failed ? NULL : PyBytes_FromStringAndSize(said.bytes.data, said.bytes.size);
    bytes_end(&said.bytes);
    if (bytes != NULL)
        return bytes;
    PyErr_Clear();
    return Py_NewRef(Py_None);
}

/* Visit.whose: a new reference */
static PyObject *
whose(Ordinary *self, Passing *passing)
{
    PyObject *visit = passing->visit, *said = SLOT(visit, cold.visit._whose);
    if (said != Py_None && SLOT(said, cold.whose.where) == passing->where) {
        int same = PyObject_RichCompareBool(SLOT(said, cold.whose.name), passing->name, Py_EQ);
        if (same)
            return same < 0 ? NULL : Py_NewRef(said);
    }
    PyObject *made = copy(cold.a_whose);
    if (made == NULL)
        return NULL;
    slot_put(made, cold.whose.encoded, encode_whose(self, passing));
    slot_put(made, cold.whose.name, Py_NewRef(passing->name));
    slot_put(made, cold.whose.where, Py_NewRef(passing->where));
    slot_put(visit, cold.visit._whose, Py_NewRef(made));
    return made;
}

/* A delayed step's span has gone out: it may be an exemplar. */
static int
tell_exported(Ordinary *self, Passing *passing, PyObject *span_id)
{
    if (SLOT(self->sums, cold.sums.sample) == Py_None)
        return 0;
    PyObject *done = PyObject_CallFunctionObjArgs(self->exported, passing->step,
                                                  SLOT(passing->trace, cold.trace.trace_id), span_id, NULL);
    return came(done);
}

/* The name of the function's steps' spans: a new reference. */
static PyObject *
name_of(Ordinary *self, PyObject *function)
{
    Memory *memory = memory_of(self->names_of, function, function);
    if (memory->of[0] == function)
        return Py_NewRef(memory->found);
    return memory_keep(memory, &function, 1, PyUnicode_Concat(cold.text.STEP_SPAN, function));
}

/* StepSpans._write */
static int
tell(Ordinary *self, Passing *passing)
{
    PyObject *visit = passing->visit, *trace = passing->trace, *step = passing->step, *of[OF_FIELDS];
    WHOLE(trace, cold.trace.spans)++;
    WHOLE(visit, cold.visit.written)++;
    PyObject *span_id = new_span_id(self);
    PyObject *function = SLOT(SLOT(passing->life, cold.life.place), natives.place.qualname);
    PyObject *name = span_id == NULL ? NULL : name_of(self, function);
    PyObject *mine = name == NULL ? NULL : whose(self, passing), *kind = mine == NULL ? NULL : kind_of(self, passing);
    PyObject *shared = kind == NULL ? NULL : PyTuple_Pack(2, mine, kind);
    int failed = shared == NULL ? -1 : 0;
    if (!failed)
        failed = remember(self, passing->id, passing->index, trace, span_id);
    if (!failed) {
        of[OF_TRACE] = SLOT(trace, cold.trace.trace_id);
        of[OF_ID] = span_id;
        of[OF_PARENT] = SLOT(visit, cold.visit.span_id);
        of[OF_REMOTE] = of[OF_ERROR] = Py_False;
        of[OF_STATE] = SLOT(trace, cold.trace.trace_state);
        of[OF_NAME] = name;
        of[OF_SHARED] = shared;
        of[OF_EVENTS] = Py_None;
        failed = encode(self, passing, of);
    }
    if (passing->speaks)
        slot_put(visit, cold.visit.quiet, Py_NewRef(Py_None));
    if (!failed && SLOT(step, cold.step.delay) != Py_None)
        failed = tell_exported(self, passing, span_id);
    Py_XDECREF(span_id);
    Py_XDECREF(name);
    Py_XDECREF(mine);
    Py_XDECREF(kind);
    Py_XDECREF(shared);
    return failed;
}

/* The first task span of a task is opened, if its trace is sampled; then its way is known. */
static int
begin(Ordinary *self, Passing *passing)
{
    PyObject *life = passing->life, *notes = passing->notes;
    int done = opened(self, passing);
    if (done < 0)
        return -1;
    PyObject *start = PyLong_FromLongLong(passing->start), *home = NULL;
    if (start != NULL)
        home = done ? Py_NewRef(Py_None)
                    : PyObject_CallMethodObjArgs(self->tasks, cold.name.home, life, notes, start, NULL);
    Py_XDECREF(start);
    PyObject *visit = NULL;
    if (home != NULL && Py_IS_TYPE(home, cold.trace.type) && SLOT(home, cold.trace.sampled) == Py_True) {
        PyObject *ready = PyLong_FromLongLong(passing->ready);
        if (ready != NULL)
            visit = PyObject_CallMethodObjArgs(self->tasks, cold.name.open, life, notes, home, passing->step, ready,
                                               NULL);
        Py_XDECREF(ready);
    }
    Py_XDECREF(home);
    Py_XDECREF(visit);
    if (PyErr_Occurred())
        return -1;
    if (find_place(self, passing) != 1) {
        PyErr_Clear();
        passing->way = ASKS;
    }
    return 0;
}

int
told(Ordinary *self, Passing *passing)
{
    if (passing->way == UNWANTED)
        return 0;
    if (passing->way == OPENS && begin(self, passing) < 0)
        return -1;
    if (passing->way == ASKS) {
        PyObject *done =
            PyObject_CallMethodObjArgs(self->tracer, cold.name.stepped, passing->life, passing->step, NULL);
        return came(done);
    }
    account(passing);
    WHOLE(passing->notes, cold.notes.idle) = 0;
    return passing->way == TELLS ? tell(self, passing) : coalesce(self, passing);
}
