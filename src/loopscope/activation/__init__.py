"""The ways in: the instrumentor, the start-up file and the command line, each a thin call of `runtime`."""
