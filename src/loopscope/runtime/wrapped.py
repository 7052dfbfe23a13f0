"""A function of the standard library's with a wrapper around it: shown, copied and pickled as the function is."""

from __future__ import annotations

import pkgutil
from typing import Any

import wrapt


class Wrapped(wrapt.FunctionWrapper):  # type: ignore[type-arg]  # older ones take none
    """By its name, which leads to the function itself where loopscope is not."""

    def __init__(self, owner: Any, name: str, wrapper: Any) -> None:
        super().__init__(getattr(owner, name), wrapper)
        self._self_name = f"{owner.__name__}:{name}"

    def __get__(self, instance: Any, owner: Any = None) -> Wrapped:  # type: ignore[override]
        """It binds to nothing, as the function: older wrapt asks that for how it does."""
        return self

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return pkgutil.resolve_name, (self._self_name,)

    def __copy__(self) -> Wrapped:
        return self

    def __deepcopy__(self, memo: Any) -> Wrapped:
        return self
