"""The application's functions that await each other: remembered, so that a known chain costs nothing new."""

from __future__ import annotations

from typing import Any

from loopscope import conventions as c
from loopscope.model import Place, Wait

#: functions of a chain that are told
DEPTH = 8
#: chains, and waits at the end of one, that are remembered
_LIMIT, _WAITS = 4096, 64


class Chain:
    """Functions that await each other, outermost first."""

    __slots__ = ("depth", "further", "text", "waits")

    def __init__(self, text: str, depth: int) -> None:
        self.text = text
        self.depth = depth
        #: the chains that go one function further
        self.further: dict[Place, Chain] = {}
        #: by what is awaited
        self.waits: dict[Any, Wait] = {}


#: the places whose `chain` is set
_roots: list[Place] = []
_count = 0


def begin(place: Place) -> Chain:
    """The chain that begins here."""
    global _count
    _count += 1
    if _count > _LIMIT:  # a program that makes code without end must not fill memory
        _count = 0
        for root in _roots:
            root.chain = None
        _roots.clear()
    made = place.chain = Chain(place.qualname, 1)
    _roots.append(place)
    return made


def extend(chain: Chain, place: Place) -> Chain:
    """The chain with one function more, or itself where it is long enough."""
    global _count
    if chain.depth >= DEPTH:
        return chain
    _count += 1
    if _count > _LIMIT * 2:
        chain.further.clear()
    made = chain.further[place] = Chain(f"{chain.text} > {place.qualname}", chain.depth + 1)
    return made


def wait(name: str | Place, chain: Chain) -> Wait:
    """A wait of this name, at the end of the chain."""
    if len(chain.waits) >= _WAITS:
        chain.waits.clear()
    made = chain.waits[name] = Wait(name, ((c.WAIT_CHAIN, chain.text),))
    return made
