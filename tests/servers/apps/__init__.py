"""Servers of the kind that people run; each is a program of its own, told what to do by its clients."""
