"""Trace files written, and traces read from anywhere: sources → spans → `assembly` → Timeline, which views draw."""
