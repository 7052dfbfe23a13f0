/* A span's way out: the budget, the bytes, the batch. See pipeline.spans.budget and pipeline.export.outbox. */
#include "cold.h"

PyObject *
new_span_id(Ordinary *self)
{
    Py_ssize_t left = self->ids == NULL ? 0 : PyList_GET_SIZE(self->ids);
    if (left == 0)
        return PyObject_CallNoArgs(self->new_span_id);
    PyObject *id = Py_NewRef(PyList_GET_ITEM(self->ids, left - 1));
    if (PyList_SetSlice(self->ids, left - 1, left, NULL) < 0)
        Py_CLEAR(id);
    return id;
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
    long long now;
    *room = real(SLOT(bucket, cold.bucket.room));
    if (number(SLOT(bucket, cold.bucket.now), &now) < 0 || PyErr_Occurred())
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

int
find_batch(Ordinary *self, Passing *passing)
{
    if (passing->encoder != NULL)
        return 1;
    Py_ssize_t held = PyObject_Size(self->held);
    if (held != 0)
        return held < 0 ? -1 : 0;
    Py_XSETREF(passing->outbox, PyObject_GetAttr(self->pipeline, cold.name._outbox));
    if (passing->outbox == NULL || passing->outbox == Py_None)
        return passing->outbox == NULL ? -1 : 0;
    PyObject *batches = PyObject_GetAttr(passing->outbox, cold.name._batches);
    if (batches != NULL && PyList_CheckExact(batches) && PyList_GET_SIZE(batches) == 1)
        passing->batch = PyList_GET_ITEM(batches, 0); /* the outbox keeps it */
    Py_XDECREF(batches);
    if (passing->batch == NULL || !Py_IS_TYPE(passing->batch, cold.batch.type))
        return PyErr_Occurred() ? -1 : 0;
    PyObject *target = SLOT(passing->batch, cold.batch.target);
    if (PyObject_GetOptionalAttr(target, cold.name.encoder, &passing->encoder) < 0)
        return -1;
    if (passing->encoder != NULL && !Py_IS_TYPE(passing->encoder, natives.encoder))
        Py_CLEAR(passing->encoder);
    return passing->encoder != NULL;
}

/* Into the batch, which is sent where that makes it full: Outbox.put. */
static int
post(Passing *passing, PyObject *bytes)
{
    PyObject *batch = passing->batch, *items = SLOT(batch, cold.batch.items);
    if (PyList_GET_SIZE(items) == 0) {
        PyObject *now = reading();
        if (now == NULL)
            return -1;
        slot_put(batch, cold.batch.since, now);
    }
    if (PyList_Append(items, bytes) < 0)
        return -1;
    PyObject *size = PyObject_GetAttr(SLOT(batch, cold.batch.target), cold.name.size);
    long long most;
    int failed = size == NULL ? -1 : number(size, &most);
    Py_XDECREF(size);
    if (failed || PyList_GET_SIZE(items) < most)
        return failed;
    PyObject *done = PyObject_CallMethodOneArg(passing->outbox, cold.name._send, batch);
    return came(done);
}

/* A span takes its part of the budget: Budget.spend. */
static int
spend_one(Ordinary *self, PyObject *end)
{
    PyObject *bucket = SLOT(self->budget, cold.budget._spans);
    double room, debt = real(SLOT(bucket, cold.bucket._debt));
    long long now, moment;
    if (PyErr_Occurred() || number(end, &moment) < 0 || spend(bucket, moment, &room) < 0
        || number(SLOT(bucket, cold.bucket.now), &now) < 0
        || put_double(&SLOT(bucket, cold.bucket.room), room > debt ? room : debt) < 0)
        return -1;
    if (moment > now)
        slot_put(bucket, cold.bucket.now, Py_NewRef(end));
    return 0;
}

/* The span could not be encoded, for this error, whose parts are taken over. */
static int
refuse(Passing *passing, PyObject *type, PyObject *error, PyObject *traceback)
{
    PyErr_NormalizeException(&type, &error, &traceback);
    PyObject *done =
        PyObject_CallMethodObjArgs(passing->outbox, cold.name.refused, passing->batch, error, NULL);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    return came(done);
}

int
emit(Ordinary *self, Passing *passing, PyObject *end, PyObject *bytes)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    int failed = spend_one(self, end);
    if (!failed && bytes == NULL)
        return refuse(passing, type, error, traceback);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    if (!failed)
        failed = post(passing, bytes);
    Py_XDECREF(bytes);
    return failed;
}
