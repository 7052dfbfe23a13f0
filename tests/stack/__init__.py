"""Tests of what stands around the package: the stack, the examples, the pages."""
