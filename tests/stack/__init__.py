"""The stack as a user runs it: the example service, the files of deploy."""
