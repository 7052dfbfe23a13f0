/* What the collector counts, and does not see: uncollected.Weight. */
#include "native.h"

static PyObject *
weight_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    return (PyObject *)PyObject_GC_New(PyObject, type);
}

static int
weight_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static void
weight_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot weight_slots[] = {
    {Py_tp_doc, "Something that the collector counts."},
    {Py_tp_new, weight_new},
    {Py_tp_traverse, weight_traverse},
    {Py_tp_dealloc, weight_dealloc},
    {0, NULL},
};

PyType_Spec weight_spec = {
    .name = "loopscope._native.Weight",
    .basicsize = sizeof(PyObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = weight_slots,
};
