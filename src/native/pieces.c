/* The rows of an Occupancy, held where they are while they are looked at or added to: see pipeline.occupancy. */
#include "cold.h"

int
pieces_open(Pieces *pieces, PyObject *occupancy)
{
    if (PyObject_GetBuffer(SLOT(occupancy, cold.occupancy._rows), &pieces->view, PyBUF_WRITABLE) < 0)
        return -1;
    pieces->occupancy = occupancy;
    pieces->whose = SLOT(occupancy, cold.occupancy._whose);
    pieces->row = pieces->view.buf;
    return 0;
}

void
pieces_close(Pieces *pieces)
{
    PyBuffer_Release(&pieces->view);
}

int
pieces_move(Pieces *pieces, PyObject *method)
{
    pieces_close(pieces);
    PyObject *done = PyObject_CallMethodNoArgs(pieces->occupancy, method);
    int failed = came(done), again = pieces_open(pieces, pieces->occupancy);
    return failed < 0 ? -1 : again;
}
