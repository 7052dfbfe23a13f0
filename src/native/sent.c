/* A span's way out: the budget, the bytes, the batch. See pipeline.spans.budget and pipeline.export.outbox. */
#include "cold.h"

/* The last of these ids; one that is asked for where there is none. */
static PyObject *
new_id(PyObject *ids, PyObject *ask)
{
    Py_ssize_t left = ids == NULL ? 0 : PyList_GET_SIZE(ids);
    if (left == 0)
        return PyObject_CallNoArgs(ask);
    PyObject *id = PyList_GET_ITEM(ids, left - 1);
    Py_SET_SIZE(ids, left - 1); /* as list.pop: its reference is ours now */
    return id;
}

PyObject *
new_span_id(Ordinary *self)
{
    return new_id(self->span_ids, self->new_span_id);
}

PyObject *
new_trace_id(Ordinary *self)
{
    return new_id(self->trace_ids, self->new_trace_id);
}

int
take_spare(Ordinary *self)
{
    PyObject *spare = PyObject_CallNoArgs(self->ask_spare);
    if (spare == NULL)
        return -1;
    if (PyTuple_Check(spare) && PyTuple_GET_SIZE(spare) == 3 && PyList_CheckExact(PyTuple_GET_ITEM(spare, 0))
        && PyList_CheckExact(PyTuple_GET_ITEM(spare, 1))) {
        self->span_ids = Py_NewRef(PyTuple_GET_ITEM(spare, 0));
        self->trace_ids = Py_NewRef(PyTuple_GET_ITEM(spare, 1));
        if (PyTuple_GET_ITEM(spare, 2) != Py_None)
            self->sampled = Py_NewRef(PyTuple_GET_ITEM(spare, 2));
    }
    Py_DECREF(spare);
    return 0;
}

void
drop_spare(Ordinary *self)
{
    Py_CLEAR(self->span_ids);
    Py_CLEAR(self->trace_ids);
    Py_CLEAR(self->sampled);
}

static double
real(PyObject *object)
{
    return PyFloat_CheckExact(object) ? PyFloat_AS_DOUBLE(object) : PyFloat_AsDouble(object);
}

/* What is left of the budget of spans after one more, that ends with this step. */
static int
spend(PyObject *bucket, long long end, double *room)
{
    double burst = real(SLOT(bucket, cold.bucket._burst)), rate = real(SLOT(bucket, cold.bucket.rate));
    long long now = WHOLE(bucket, cold.bucket.now);
    *room = real(SLOT(bucket, cold.bucket.room));
    if (PyErr_Occurred())
        return -1;
    if (end > now && now) {
        *room += (double)(end - now) * rate / (double)cold.second;
        *room = *room < burst ? *room : burst;
    }
    *room -= 1;
    return 0;
}

int
is_affordable(Ordinary *self, long long end, long long level)
{
    PyObject *bucket = SLOT(self->budget, cold.budget._spans);
    double room, rate;
    if (!Py_IS_TYPE(bucket, cold.bucket.type))
        return 0;
    rate = real(SLOT(bucket, cold.bucket.rate));
    if (spend(bucket, end, &room) < 0)
        return -1;
    return room >= 0 || level >= cold.requests || -room <= (double)level * rate;
}

void
forget_batch(Ordinary *self)
{
    Py_CLEAR(self->outbox);
    Py_CLEAR(self->batch);
    Py_CLEAR(self->encoder);
}

/* The outbox's only batch, and its encoder, if it is one of spans that are encoded in C. */
static int
look_up(Ordinary *self)
{
    PyObject *batches = PyObject_GetAttr(self->outbox, cold.name._batches);
    if (batches != NULL && PyList_CheckExact(batches) && PyList_GET_SIZE(batches) == 1
        && Py_IS_TYPE(PyList_GET_ITEM(batches, 0), cold.batch.type))
        self->batch = Py_NewRef(PyList_GET_ITEM(batches, 0));
    Py_XDECREF(batches);
    if (self->batch == NULL)
        return PyErr_Occurred() ? -1 : 0;
    PyObject *target = SLOT(self->batch, cold.batch.target), *size = PyObject_GetAttr(target, cold.name.size);
    int failed = size == NULL || number(size, &self->size) < 0
        || PyObject_GetOptionalAttr(target, cold.name.encoder, &self->encoder) < 0;
    Py_XDECREF(size);
    if (self->encoder != NULL
        && (!Py_IS_TYPE(self->encoder, natives.encoder)
            || !Py_IS_TYPE(SLOT(self->batch, cold.batch.items), natives.packed)))
        Py_CLEAR(self->encoder);
    return failed ? -1 : self->encoder != NULL;
}

int
find_batch(Ordinary *self)
{
    if (natives.length(self->held) > 0)
        return 0;
    if (self->encoder != NULL)
        return 1;
    self->outbox = PyObject_GetAttr(self->pipeline, cold.name._outbox);
    int found = self->outbox == NULL ? -1 : self->outbox == Py_None ? 0 : look_up(self);
    if (found != 1)
        forget_batch(self);
    return found;
}

/* Into the batch, which is sent where that makes it full: Outbox.put. */
static int
post(Ordinary *self, const Bytes *span)
{
    Packed *items = (Packed *)SLOT(self->batch, cold.batch.items);
    char head[SPAN_HEAD];
    size_t size = encode_span_head(head, span);
    if (packed_count(items) == 0 && clock_read(&WHOLE(self->batch, cold.batch.since)) < 0)
        return -1;
    if (packed_put(items, head, size, span->data, span->size) < 0)
        return -1;
    WHOLE(self->batch, cold.batch.bytes) += size + span->size;
    if (packed_count(items) < self->size && WHOLE(self->batch, cold.batch.bytes) < cold.heavy)
        return 0;
    PyObject *done = PyObject_CallMethodOneArg(self->outbox, cold.name.filled, self->batch);
    return came(done);
}

/* A span takes its part of the budget: Budget.spend. */
static int
spend_one(Ordinary *self, long long end)
{
    PyObject *bucket = SLOT(self->budget, cold.budget._spans);
    double room, debt = real(SLOT(bucket, cold.bucket._debt));
    if (PyErr_Occurred() || spend(bucket, end, &room) < 0
        || put_double(&SLOT(bucket, cold.bucket.room), room > debt ? room : debt) < 0)
        return -1;
    if (end > WHOLE(bucket, cold.bucket.now))
        WHOLE(bucket, cold.bucket.now) = end;
    return 0;
}

/* The span could not be encoded, for this error, whose parts are taken over. */
static int
refuse(Ordinary *self, PyObject *type, PyObject *error, PyObject *traceback)
{
    PyErr_NormalizeException(&type, &error, &traceback);
    PyObject *done = PyObject_CallMethodObjArgs(self->outbox, cold.name.refused, self->batch, error, NULL);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    return came(done);
}

int
emit(Ordinary *self, long long end, const Bytes *span)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    int failed = spend_one(self, end);
    if (!failed && span == NULL)
        return refuse(self, type, error, traceback);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    return failed ? -1 : post(self, span);
}
