/* loopscope._native: loaded once in a process, by its main interpreter. */
#include "native.h"
#include <string.h>

static int loaded = 0;

/* Makes a type, whose reference goes into `into`, or is given back where that is NULL. */
static int
add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **into)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    int failed = type == NULL ? -1 : PyModule_AddType(module, type);
    if (into != NULL)
        *into = type;
    else
        Py_XDECREF(type);
    return failed;
}

/* Raises ImportError where it cannot serve: the Python core does then. */
static int
load(PyObject *module)
{
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "it serves the main interpreter alone");
        return -1;
    }
    if (loaded) {
        PyErr_SetString(PyExc_ImportError, "it can be loaded once in a process");
        return -1;
    }
    if (slots_load() < 0)
        return -1;
    if (add_type(module, &tie_spec, &natives.tie) < 0 || add_type(module, &core_spec, &natives.core) < 0
        || add_type(module, &life_spec, &natives.life) < 0 || add_type(module, &step_spec, &natives.step) < 0
        || add_type(module, &callback_spec, &natives.callback) < 0
        || add_type(module, &record_spec, &natives.record) < 0 || add_type(module, &guard_spec, &natives.guard) < 0
        || add_type(module, &encoder_spec, &natives.encoder) < 0 || add_type(module, &gate_spec, NULL) < 0
        || add_type(module, &select_spec, NULL) < 0 || add_type(module, &collected_spec, NULL) < 0
        || add_type(module, &placed_spec, &natives.placed) < 0 || add_type(module, &packed_spec, &natives.packed) < 0
        || add_type(module, &lives_spec, &natives.lives) < 0 || add_type(module, &ordinary_spec, NULL) < 0
        || add_type(module, &weight_spec, NULL) < 0)
        return -1;
#ifdef HANDOVER
    if (handover_load() < 0 || add_type(module, &bell_spec, NULL) < 0)
        return -1;
#endif
    loaded = 1;
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, load},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_USED},
#endif
    {0, NULL},
};

static PyMethodDef functions[] = {
#if PY_VERSION_HEX >= 0x030C0000
    {"watch_tasks", watch_tasks, METH_VARARGS,
     "What is called, with a task and its arguments, for the tasks that this class starts by itself; None: nothing."},
#endif
#ifdef HANDOVER
    {"pause", pause_between, METH_O, "As time.sleep, for the background thread: a step's end may give it its turn."},
#endif
    {NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "loopscope._native",
    .m_doc = "The native core: capture, the ordinary step's way to its span, OTLP's encoder.",
    .m_methods = functions,
    .m_slots = slots,
};

/* Whether this is the Python for which it was built: a file can be renamed. */
static int
fits(void)
{
    char built[16];
    int length = PyOS_snprintf(built, sizeof built, "%d.%d.", PY_MAJOR_VERSION, PY_MINOR_VERSION);
    if (strncmp(Py_GetVersion(), built, length) == 0)
        return 1;
    PyErr_SetString(PyExc_ImportError, "it was built for Python " PY_VERSION);
    return 0;
}

PyMODINIT_FUNC
PyInit__native(void)
{
    if (!fits())
        return NULL;
    return PyModuleDef_Init(&definition);
}
