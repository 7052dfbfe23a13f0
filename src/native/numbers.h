/* Whole numbers and floats of Python, read and replaced without the long way round. */
#ifndef LOOPSCOPE_NUMBERS_H
#define LOOPSCOPE_NUMBERS_H

#include <Python.h>
#if PY_VERSION_HEX < 0x030B0000
#include <longintrepr.h>
#endif

/* The digits of a positive whole number, and how many: 0 where it is another, or is kept in another way. */
static inline Py_ssize_t
digits_of(PyObject *object, digit **digits)
{
    *digits = NULL;
#if PyLong_SHIFT == 30
    if (!PyLong_CheckExact(object))
        return 0;
#if PY_VERSION_HEX >= 0x030C0000
    _PyLongValue *value = &((PyLongObject *)object)->long_value;
    *digits = value->ob_digit;
    return value->lv_tag & _PyLong_SIGN_MASK ? 0 : (Py_ssize_t)(value->lv_tag >> _PyLong_NON_SIZE_BITS);
#else
    *digits = ((PyLongObject *)object)->ob_digit;
    return Py_SIZE(object);
#endif
#endif
    return 0;
}

/* As PyLong_AsLongLong, which is slow for numbers of two digits before CPython 3.13: a clock's are such. */
static inline long long
whole(PyObject *object)
{
    digit *digits;
    Py_ssize_t count = digits_of(object, &digits);
    if (count == 2)
        return (long long)digits[1] << 30 | digits[0];
    return count == 1 ? digits[0] : PyLong_AsLongLong(object);
}

/* Puts an object, which may be NULL with an error set, in the place of another. */
static inline int
put_object(PyObject **cell, PyObject *made)
{
    if (made == NULL)
        return -1;
    PyObject *before = *cell;
    *cell = made;
    Py_DECREF(before);
    return 0;
}

/* Puts a number in the place of another, whose reference is given back; into the same object if nobody else has it. */
static inline int
put_whole(PyObject **cell, long long value)
{
    PyObject *before = *cell;
    digit *digits;
    if (Py_REFCNT(before) == 1 && value >= 1 << 12 && value < 1LL << 60) { /* no number that the interpreter shares */
        Py_ssize_t count = digits_of(before, &digits);
        if (count == 2 && value >> 30) {
            digits[0] = (digit)(value & PyLong_MASK);
            digits[1] = (digit)(value >> 30);
            return 0;
        }
        if (count == 1 && !(value >> 30)) {
            digits[0] = (digit)value;
            return 0;
        }
    }
    return put_object(cell, PyLong_FromLongLong(value));
}

/* The same of a float. */
static inline int
put_double(PyObject **cell, double value)
{
    PyObject *before = *cell;
    if (Py_REFCNT(before) == 1 && PyFloat_CheckExact(before)) {
        ((PyFloatObject *)before)->ob_fval = value;
        return 0;
    }
    return put_object(cell, PyFloat_FromDouble(value));
}

#endif
