"""Tests of what stands around the package: the stack, the example service, the examples, the pages."""
