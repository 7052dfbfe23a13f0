/* Attributes and methods without arguments of CPython's own types, called by their C functions.
 *
 * A reader knows one type. What is of a subclass is read as if it were of that type, whatever it would say itself; of
 * tasks and futures even where the reader knows none, or another. All else is asked in the ordinary way.
 */
#include "native.h"

int
reader_make(Reader *reader, PyObject *type, const char *name, int method)
{
    *reader = (Reader){.method = method, .offset = -1};
    reader->name = PyUnicode_InternFromString(name);
    if (reader->name == NULL)
        return -1;
    if (!PyType_Check(type))
        return 0;
    PyObject *descriptor = PyObject_GetAttr(type, reader->name);
    if (descriptor == NULL) {
        PyErr_Clear();
        return 0;
    }
    if (method && Py_IS_TYPE(descriptor, &PyMethodDescr_Type)) {
        PyMethodDef *definition = ((PyMethodDescrObject *)descriptor)->d_method;
        if (definition->ml_flags == METH_NOARGS)
            reader->call = definition->ml_meth;
    }
    else if (!method && Py_IS_TYPE(descriptor, &PyGetSetDescr_Type)) {
        reader->get = ((PyGetSetDescrObject *)descriptor)->d_getset->get;
        reader->closure = ((PyGetSetDescrObject *)descriptor)->d_getset->closure;
    }
    else if (!method && Py_IS_TYPE(descriptor, &PyMemberDescr_Type)) {
        PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
        if (member->type == T_OBJECT || member->type == T_OBJECT_EX)
            reader->offset = member->offset;
    }
    /* Only where the type has it of its own or by inheritance from C: a method of Python's is none of these. */
    if (reader->call != NULL || reader->get != NULL || reader->offset >= 0)
        reader->type = (PyTypeObject *)Py_NewRef(type);
    Py_DECREF(descriptor);
    return 0;
}

static PyObject *
ask(const Reader *reader, PyObject *object)
{
    return reader->method ? PyObject_CallMethodNoArgs(object, reader->name) : PyObject_GetAttr(object, reader->name);
}

PyObject *
reader_ask(const Reader *reader, PyObject *object)
{
    if (!is_of_any(object, natives.futures))
        return ask(reader, object);
    PyObject *own = PyObject_CallOneArg(natives.own, object);
    PyObject *found = own == NULL ? NULL : ask(reader, own);
    Py_XDECREF(own);
    return found;
}

int
reader_ask_whether(const Reader *reader, PyObject *object)
{
    PyObject *said = reader_read(reader, object);
    int so = said == NULL ? -1 : PyObject_IsTrue(said);
    Py_XDECREF(said);
    return so;
}

PyObject *
content_of(PyObject *cell)
{
    if (!PyWeakref_CheckRefExact(cell))
        return PyObject_CallNoArgs(cell);
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *content;
    if (PyWeakref_GetRef(cell, &content) < 0)
        return NULL;
    return content != NULL ? content : Py_NewRef(Py_None);
#else
    return Py_NewRef(PyWeakref_GET_OBJECT(cell));
#endif
}

int
hung_on(PyObject *object, PyObject *name, PyObject **found)
{
    PyTypeObject *type = Py_TYPE(object);
    if (type->tp_dictoffset > 0) { /* it can hang nowhere else */
        PyObject *own = *(PyObject **)((char *)object + type->tp_dictoffset);
        *found = own == NULL ? NULL : Py_XNewRef(PyDict_GetItemWithError(own, name));
    } else if (type->tp_getattro == PyObject_GenericGetAttr)
        return PyObject_GetOptionalAttr(object, name, found);
    else if ((*found = PyObject_GenericGetAttr(object, name)) == NULL && PyErr_ExceptionMatches(PyExc_AttributeError))
        PyErr_Clear();
    return *found != NULL ? 1 : PyErr_Occurred() ? -1 : 0;
}

/* Whether it is one of ours; what is not is let go. */
static int
keep_life(PyObject **found)
{
    if (Py_IS_TYPE(*found, natives.life))
        return 1;
    Py_CLEAR(*found);
    return 0;
}

/* What hangs on most tasks need not be searched: its names are always the same. */
int
life_on(PyObject *task, PyObject **found)
{
    Py_ssize_t offset = Py_TYPE(task)->tp_dictoffset;
    PyDictObject *own = offset > 0 ? *(PyDictObject **)((char *)task + offset) : NULL;
    if (own != NULL && own->ma_keys == natives.hung_names && own->ma_values != NULL
        && (*found = Py_XNewRef(((PyObject **)own->ma_values)[natives.hung_life])) != NULL)
        return keep_life(found);
    int there = hung_on(task, natives.names._loopscope, found);
    return there > 0 ? keep_life(found) : there;
}

PyObject *
attribute_of(PyObject *self, PyObject *behind, PyObject *name)
{
    PyObject *found = PyObject_GenericGetAttr(self, name);
    if (found != NULL || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return found;
    PyErr_Clear();
    return PyObject_GetAttr(behind, name);
}
