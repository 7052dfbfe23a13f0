"""Trace files: OTLP JSON lines, written as a process goes on and read back by the views."""
