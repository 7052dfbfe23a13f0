/* Spans as OTLP protobuf bytes, as pipeline/otlp.py has them, which is the reference.
 *
 * What is rare is left to Python: values other than text, numbers and booleans, text that has no UTF-8, trace states.
 */
#include "native.h"
#include <stdint.h>
#include <string.h>

/* ---------------------------------------------------------------- the encoder */

typedef struct {
    PyObject_HEAD
    long long offset;
    /* pipeline.protobuf.Values: what is left to Python */
    PyObject *values;
} Encoder;

/* Text as UTF-8. `*owner` is to be released once the bytes were read. */
static const char *
utf8(Encoder *self, PyObject *text, Py_ssize_t *size, PyObject **owner)
{
    *owner = NULL;
    if (PyUnicode_Check(text)) {
        const char *data = PyUnicode_AsUTF8AndSize(text, size);
        if (data != NULL || !PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
            return data;
        PyErr_Clear();
    }
    *owner = PyObject_CallMethodObjArgs(self->values, natives.names.text, text, NULL);
    char *data;
    if (*owner == NULL || PyBytes_AsStringAndSize(*owner, &data, size) < 0) {
        Py_CLEAR(*owner);
        return NULL;
    }
    return data;
}

static int
put_text(Encoder *self, Bytes *bytes, char tag, PyObject *text)
{
    PyObject *owner;
    Py_ssize_t size;
    const char *data = utf8(self, text, &size, &owner);
    if (data == NULL)
        return -1;
    int failed = put_delimited(bytes, tag, data, size);
    Py_XDECREF(owner);
    return failed;
}

/* The head of a KeyValue, up to and without its AnyValue of so many bytes. */
static int
put_head(Bytes *bytes, char tag, const char *key, size_t length, size_t value)
{
    size_t name = 1 + varint_size(length) + length;
    size_t size = name + 1 + varint_size(value) + value;
    char *at = bytes_more(bytes, 1 + varint_size(size) + name + 1 + varint_size(value));
    if (at == NULL)
        return -1;
    *at++ = tag;
    at = write_varint(at, size);
    *at++ = 0x0a;
    at = write_varint(at, length);
    memcpy(at, key, length);
    at += length;
    *at++ = 0x12;
    write_varint(at, value);
    return 0;
}

static int
write_double(Bytes *bytes, char tag, const char *key, size_t length, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (put_head(bytes, tag, key, length, 9) < 0)
        return -1;
    char *at = bytes_more(bytes, 9);
    if (at == NULL)
        return -1;
    *at++ = 0x21;
    write_little(at, bits);
    return 0;
}

/* A value that is kept as a varint, under this tag. */
static int
write_varied(Bytes *bytes, char tag, const char *key, size_t length, char kind, uint64_t value)
{
    char any[11], *at = any;
    *at++ = kind;
    at = write_varint(at, value);
    return put_head(bytes, tag, key, length, at - any) < 0 ? -1 : put(bytes, any, at - any);
}

static int
write_whole(Bytes *bytes, char tag, const char *key, size_t length, long long value)
{
    return write_varied(bytes, tag, key, length, 0x18, (uint64_t)value);
}

static int
put_value(Encoder *self, Bytes *bytes, char tag, const char *key, size_t length, PyObject *value)
{
    if (PyUnicode_CheckExact(value)) {
        PyObject *owner;
        Py_ssize_t size;
        const char *data = utf8(self, value, &size, &owner);
        if (data == NULL)
            return -1;
        int failed = put_head(bytes, tag, key, length, 1 + varint_size(size) + size) < 0
            || put_delimited(bytes, 0x0a, data, size) < 0;
        Py_XDECREF(owner);
        return failed ? -1 : 0;
    }
    if (PyFloat_CheckExact(value))
        return write_double(bytes, tag, key, length, PyFloat_AS_DOUBLE(value));
    if (PyBool_Check(value))
        return write_varied(bytes, tag, key, length, 0x10, value == Py_True);
    if (PyLong_CheckExact(value)) {
        int overflow;
        long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (number == -1 && PyErr_Occurred())
            return -1;
        if (!overflow)
            return write_whole(bytes, tag, key, length, number);
    }
    PyObject *made = PyObject_CallMethodObjArgs(self->values, natives.names.any_value, value, NULL);
    char *data;
    Py_ssize_t size;
    int failed = made == NULL || PyBytes_AsStringAndSize(made, &data, &size) < 0
        || put_head(bytes, tag, key, length, size) < 0 || put(bytes, data, size) < 0;
    Py_XDECREF(made);
    return failed ? -1 : 0;
}

/* Item `place` of a pair, a link or an event: borrowed. */
static PyObject *
item(PyObject *tuple, Py_ssize_t place)
{
    if (PyTuple_Check(tuple) && place < PyTuple_GET_SIZE(tuple))
        return PyTuple_GET_ITEM(tuple, place);
    PyErr_Format(PyExc_TypeError, "a tuple of more than %zd was expected, not %R", place, tuple);
    return NULL;
}

/* Does something with each item of a list or a tuple. Python code that runs meanwhile may change it. */
typedef int (*Each)(Encoder *self, Bytes *bytes, char tag, PyObject *item);

static int
put_each(Encoder *self, Bytes *bytes, char tag, PyObject *items, Each each)
{
    PyObject *fast = PySequence_Fast(items, "a list was expected");
    if (fast == NULL)
        return -1;
    int failed = 0;
    for (Py_ssize_t place = 0; !failed && place < PySequence_Fast_GET_SIZE(fast); place++) {
        PyObject *one = PySequence_Fast_GET_ITEM(fast, place);
        Py_INCREF(one);
        failed = each(self, bytes, tag, one) < 0;
        Py_DECREF(one);
    }
    Py_DECREF(fast);
    return failed ? -1 : 0;
}

int
encode_pair(PyObject *encoder, Bytes *bytes, char tag, PyObject *key, PyObject *value)
{
    Encoder *self = (Encoder *)encoder;
    PyObject *owner;
    Py_ssize_t length;
    const char *data = utf8(self, key, &length, &owner);
    if (data == NULL)
        return -1;
    int failed = put_value(self, bytes, tag, data, length, value);
    Py_XDECREF(owner);
    return failed;
}

int
encode_double(PyObject *encoder, Bytes *bytes, char tag, PyObject *key, double value)
{
    PyObject *owner;
    Py_ssize_t length;
    const char *data = utf8((Encoder *)encoder, key, &length, &owner);
    if (data == NULL)
        return -1;
    int failed = write_double(bytes, tag, data, length, value);
    Py_XDECREF(owner);
    return failed;
}

int
encode_whole(PyObject *encoder, Bytes *bytes, char tag, PyObject *key, long long value)
{
    PyObject *owner;
    Py_ssize_t length;
    const char *data = utf8((Encoder *)encoder, key, &length, &owner);
    if (data == NULL)
        return -1;
    int failed = write_whole(bytes, tag, data, length, value);
    Py_XDECREF(owner);
    return failed;
}

static int
put_pair(Encoder *self, Bytes *bytes, char tag, PyObject *pair)
{
    PyObject *key = item(pair, 0), *value = key != NULL ? item(pair, 1) : NULL;
    return value == NULL ? -1 : encode_pair((PyObject *)self, bytes, tag, key, value);
}

int
encode_pairs(PyObject *encoder, Bytes *bytes, char tag, PyObject *pairs)
{
    return put_each((Encoder *)encoder, bytes, tag, pairs, put_pair);
}

/* The clock reading as Unix time. */
static int
unix_time(Encoder *self, long long reading, uint64_t *time)
{
    if (reading > 0 ? self->offset > LLONG_MAX - reading : reading + self->offset < 0) {
        PyErr_Format(PyExc_OverflowError, "%lld is no time", reading);
        return -1;
    }
    *time = (uint64_t)(reading + self->offset);
    return 0;
}

/* A clock reading; -1 with an error set where it is none. */
static int
reading_of(PyObject *object, long long *reading)
{
    *reading = whole(object);
    return *reading == -1 && PyErr_Occurred() ? -1 : 0;
}

/* The two halves of a number of 128 bits that is not negative. */
static int
split(PyObject *id, uint64_t *high, uint64_t *low)
{
    digit *digits;
    uint64_t d[5] = {0}; /* of 30 bits each */
    Py_ssize_t count = digits_of(id, &digits);
    for (Py_ssize_t place = 0; place < count && count <= 5; place++)
        d[place] = digits[place];
    if (count > 0 && count <= 5 && d[4] < 1 << 8) {
        *low = d[0] | d[1] << 30 | d[2] << 60;
        *high = d[2] >> 4 | d[3] << 26 | d[4] << 56;
        return 0;
    }
    *low = PyLong_AsUnsignedLongLongMask(id);
    if (*low == (uint64_t)-1 && PyErr_Occurred())
        return -1;
    PyObject *rest = PyNumber_Rshift(id, natives.sixty_four);
    if (rest == NULL)
        return -1;
    *high = PyLong_AsUnsignedLongLong(rest);
    Py_DECREF(rest);
    return *high == (uint64_t)-1 && PyErr_Occurred() ? -1 : 0;
}

/* A number of 64 bits that is not negative. */
static int
whole_id(PyObject *id, uint64_t *number)
{
    uint64_t high;
    if (split(id, &high, number) < 0)
        return -1;
    if (high == 0)
        return 0;
    PyErr_Format(PyExc_OverflowError, "%R has more than 64 bits", id);
    return -1;
}

static int
put_ids(Bytes *bytes, PyObject *trace_id, PyObject *span_id)
{
    uint64_t high, low, id;
    if (whole_id(span_id, &id) < 0 || split(trace_id, &high, &low) < 0)
        return -1;
    char *at = bytes_more(bytes, 28);
    if (at == NULL)
        return -1;
    *at++ = 0x0a;
    *at++ = 16;
    at = write_big(write_big(at, high), low);
    *at++ = 0x12;
    *at++ = 8;
    write_big(at, id);
    return 0;
}

int
encode_link(Bytes *bytes, PyObject *trace_id, PyObject *span_id, const Bytes *attributes)
{
    Bytes body;
    bytes_begin(&body);
    int failed = put_ids(&body, trace_id, span_id) < 0 || put(&body, attributes->data, attributes->size) < 0
        || put(&body, "\x35\x00\x01\x00\x00", 5) < 0 || put_delimited(bytes, 0x6a, body.data, body.size) < 0;
    bytes_end(&body);
    return failed ? -1 : 0;
}

static int
put_link(Encoder *self, Bytes *bytes, char tag, PyObject *link)
{
    PyObject *trace_id = item(link, 0), *span_id = trace_id != NULL ? item(link, 1) : NULL;
    PyObject *attributes = span_id != NULL ? item(link, 2) : NULL;
    if (attributes == NULL)
        return -1;
    Bytes said;
    bytes_begin(&said);
    int failed = put_each(self, &said, tag, attributes, put_pair) < 0
        || encode_link(bytes, trace_id, span_id, &said) < 0;
    bytes_end(&said);
    return failed ? -1 : 0;
}

static int
put_event(Encoder *self, Bytes *bytes, char tag, PyObject *event)
{
    PyObject *name = item(event, 0), *time = name != NULL ? item(event, 1) : NULL;
    PyObject *attributes = time != NULL ? item(event, 2) : NULL;
    long long reading;
    uint64_t moment;
    if (attributes == NULL || reading_of(time, &reading) < 0 || unix_time(self, reading, &moment) < 0)
        return -1;
    Bytes body;
    bytes_begin(&body);
    char *at = bytes_more(&body, 9);
    *at++ = 0x09;
    write_little(at, moment);
    int failed = put_text(self, &body, 0x12, name) < 0 || put_each(self, &body, 0x1a, attributes, put_pair) < 0
        || put_delimited(bytes, tag, body.data, body.size) < 0;
    bytes_end(&body);
    return failed ? -1 : 0;
}

static int
put_said(Encoder *self, Bytes *bytes, char tag, PyObject *said)
{
    PyObject *encoded = PyObject_GetAttr(said, natives.names.encoded);
    if (encoded == Py_None) {
        Py_DECREF(encoded);
        PyObject *attributes = PyObject_GetAttr(said, natives.names.attributes);
        if (attributes == NULL)
            return -1;
        Bytes body;
        bytes_begin(&body);
        encoded = put_each(self, &body, tag, attributes, put_pair) < 0
            ? NULL : PyBytes_FromStringAndSize(body.data, body.size);
        bytes_end(&body);
        Py_DECREF(attributes);
        if (encoded != NULL && PyObject_SetAttr(said, natives.names.encoded, encoded) < 0)
            Py_CLEAR(encoded);
    }
    char *data;
    Py_ssize_t size;
    int failed = encoded == NULL || PyBytes_AsStringAndSize(encoded, &data, &size) < 0 || put(bytes, data, size) < 0;
    Py_XDECREF(encoded);
    return failed ? -1 : 0;
}

int
encode_span(PyObject *encoder, Bytes *bytes, PyObject **of, long long begun, long long ended, const Bytes *alone,
            const Bytes *links)
{
    Encoder *self = (Encoder *)encoder;
    uint64_t start, end;
    int parent = PyObject_IsTrue(of[OF_PARENT]), remote = PyObject_IsTrue(of[OF_REMOTE]);
    int state = PyObject_IsTrue(of[OF_STATE]);
    int error = PyObject_IsTrue(of[OF_ERROR]);
    if (parent < 0 || remote < 0 || state < 0 || error < 0 || put_ids(bytes, of[OF_TRACE], of[OF_ID]) < 0)
        return -1;
    if (state) {
        PyObject *text = PyObject_CallMethodObjArgs(self->values, natives.names.state, of[OF_STATE], NULL);
        int failed = text == NULL || put_text(self, bytes, 0x1a, text) < 0;
        Py_XDECREF(text);
        if (failed)
            return -1;
    }
    if (parent) {
        uint64_t id;
        char *at = whole_id(of[OF_PARENT], &id) < 0 ? NULL : bytes_more(bytes, 10);
        if (at == NULL)
            return -1;
        *at++ = 0x22;
        *at++ = 8;
        write_big(at, id);
    }
    if (put_text(self, bytes, 0x2a, of[OF_NAME]) < 0 || put(bytes, "\x30\x01", 2) < 0
        || unix_time(self, begun, &start) < 0 || unix_time(self, ended, &end) < 0)
        return -1;
    char *at = bytes_more(bytes, 18);
    if (at == NULL)
        return -1;
    *at++ = 0x39;
    at = write_little(at, start);
    *at++ = 0x41;
    write_little(at, end);
    if (put_each(self, bytes, SPAN_ATTRIBUTE, of[OF_SHARED], put_said) < 0
        || (alone != NULL ? put(bytes, alone->data, alone->size)
                          : put_each(self, bytes, SPAN_ATTRIBUTE, of[OF_ALONE], put_pair)) < 0
        || (of[OF_EVENTS] != Py_None && put_each(self, bytes, 0x5a, of[OF_EVENTS], put_event) < 0)
        || (links != NULL && put(bytes, links->data, links->size) < 0)
        || (links == NULL && of[OF_LINKS] != Py_None
            && put_each(self, bytes, LINK_ATTRIBUTE, of[OF_LINKS], put_link) < 0)
        || (error && put(bytes, "\x7a\x02\x18\x02", 4) < 0))
        return -1;
    return put(bytes, remote ? "\x85\x01\x00\x03\x00\x00" : "\x85\x01\x00\x01\x00\x00", 6);
}

size_t
encode_span_head(char *at, const Bytes *span)
{
    *at = 0x12;
    return write_varint(at + 1, span->size) - at;
}

/* The span with its tag and length: a new reference, NULL with an error set. */
static PyObject *
encode_whole_span(PyObject *encoder, PyObject **of, long long start, long long end)
{
    Bytes bytes;
    char head[SPAN_HEAD];
    PyObject *made = NULL;
    bytes_begin(&bytes);
    if (encode_span(encoder, &bytes, of, start, end, NULL, NULL) == 0) {
        size_t size = encode_span_head(head, &bytes);
        if ((made = PyBytes_FromStringAndSize(NULL, size + bytes.size)) != NULL) {
            memcpy(PyBytes_AS_STRING(made), head, size);
            memcpy(PyBytes_AS_STRING(made) + size, bytes.data, bytes.size);
        }
    }
    bytes_end(&bytes);
    return made;
}

/* A time of a Span. */
static int
ask_time(PyObject *span, PyObject *name, long long *reading)
{
    PyObject *said = PyObject_GetAttr(span, name);
    int failed = said == NULL ? -1 : reading_of(said, reading);
    Py_XDECREF(said);
    return failed;
}

static PyObject *
encoder_span(Encoder *self, PyObject *span)
{
    const Names *name = &natives.names;
    PyObject *const wanted[OF_FIELDS] = {
        name->trace_id, name->span_id, name->parent_id, name->parent_remote, name->trace_state, name->name,
        name->shared, name->alone, name->events, name->links, name->error,
    };
    PyObject *of[OF_FIELDS] = {NULL}, *made = NULL;
    long long start, end;
    int field = 0;
    while (field < OF_FIELDS && (of[field] = PyObject_GetAttr(span, wanted[field])) != NULL)
        field++;
    if (field == OF_FIELDS && ask_time(span, name->start, &start) == 0 && ask_time(span, name->end, &end) == 0)
        made = encode_whole_span((PyObject *)self, of, start, end);
    while (field-- > 0)
        Py_DECREF(of[field]);
    return made;
}

static int
encoder_init(Encoder *self, PyObject *args, PyObject *options)
{
    PyObject *values;
    long long offset;
    if ((options != NULL && PyDict_GET_SIZE(options)) || !PyArg_ParseTuple(args, "LO", &offset, &values))
        return PyErr_Occurred() ? -1 : (PyErr_SetString(PyExc_TypeError, "Encoder takes no keywords"), -1);
    self->offset = offset;
    Py_INCREF(values);
    Py_XSETREF(self->values, values);
    return 0;
}

static int
encoder_traverse(Encoder *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->values);
    return 0;
}

static int
encoder_clear(Encoder *self)
{
    Py_CLEAR(self->values);
    return 0;
}

static void
encoder_dealloc(Encoder *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    encoder_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"span", (PyCFunction)encoder_span, METH_O, "The span as a field of ScopeSpans: spans' bytes may be joined."},
    {NULL},
};

static PyMemberDef members[] = {
    {"values", T_OBJECT, offsetof(Encoder, values), READONLY, NULL},
    {NULL},
};

static PyType_Slot encoder_slots[] = {
    {Py_tp_doc, "Encodes spans against one clock anchor: Encoder(offset, values)."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, encoder_init},
    {Py_tp_traverse, encoder_traverse},
    {Py_tp_clear, encoder_clear},
    {Py_tp_dealloc, encoder_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {0, NULL},
};

PyType_Spec encoder_spec = {
    .name = "loopscope._native.Encoder",
    .basicsize = sizeof(Encoder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = encoder_slots,
};
