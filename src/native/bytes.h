/* Bytes in the making, as protobuf has them. */
#ifndef LOOPSCOPE_BYTES_H
#define LOOPSCOPE_BYTES_H

#include <Python.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    char *data;
    size_t size, room;
    char first[1024];
} Bytes;

static inline void
bytes_begin(Bytes *bytes)
{
    bytes->data = bytes->first;
    bytes->size = 0;
    bytes->room = sizeof bytes->first;
}

static inline void
bytes_end(Bytes *bytes)
{
    if (bytes->data != bytes->first)
        PyMem_Free(bytes->data);
}

/* Where the next `count` bytes are to be written; NULL with an error set. */
static inline char *
bytes_more(Bytes *bytes, size_t count)
{
    if (count > bytes->room - bytes->size) {
        if (count > PY_SSIZE_T_MAX / 4) {
            PyErr_NoMemory();
            return NULL;
        }
        size_t room = 2 * (bytes->size + count);
        char *data = PyMem_Malloc(room);
        if (data == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        memcpy(data, bytes->data, bytes->size);
        bytes_end(bytes);
        bytes->data = data;
        bytes->room = room;
    }
    char *at = bytes->data + bytes->size;
    bytes->size += count;
    return at;
}

static inline int
put(Bytes *bytes, const char *data, size_t size)
{
    char *at = bytes_more(bytes, size);
    if (at == NULL)
        return -1;
    memcpy(at, data, size);
    return 0;
}

static inline int
varint_size(uint64_t number)
{
    int size = 1;
    for (; number > 127; number >>= 7)
        size++;
    return size;
}

static inline char *
write_varint(char *at, uint64_t number)
{
    for (; number > 127; number >>= 7)
        *at++ = (char)(number | 128);
    *at++ = (char)number;
    return at;
}

static inline char *
write_little(char *at, uint64_t number)
{
    for (int byte = 0; byte < 8; byte++, number >>= 8)
        *at++ = (char)number;
    return at;
}

static inline char *
write_big(char *at, uint64_t number)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (char)(number >> shift);
    return at;
}

/* A length-delimited field whose tag is one byte. */
static inline int
put_delimited(Bytes *bytes, char tag, const char *data, size_t size)
{
    char *at = bytes_more(bytes, 1 + varint_size(size) + size);
    if (at == NULL)
        return -1;
    *at++ = tag;
    memcpy(write_varint(at, size), data, size);
    return 0;
}

#endif
