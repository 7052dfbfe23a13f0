"""Why a source gives nothing."""

from __future__ import annotations


class SourceError(Exception):
    """One line for people: what could not be read, from where, and what to do. `usage`: it was asked for wrongly."""

    def __init__(self, message: str, usage: bool = False) -> None:
        super().__init__(printable(message))
        self.usage = usage


def printable(message: str) -> str:
    """The message on one line; a server's answer may be part of it: nothing of that may move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in message)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
