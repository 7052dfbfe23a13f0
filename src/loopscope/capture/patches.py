"""Attributes of the application's classes and modules that were replaced, and how to restore them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Patches:
    """Replacements that can be undone, each only where it still is ours."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any]] = []

    def put(self, owner: Any, name: str, replacement: Callable[[Any], Any]) -> None:
        """Replace `owner.name` by what `replacement` makes of it."""
        before = vars(owner).get(name)
        made = replacement(getattr(owner, name))
        setattr(owner, name, made)
        self._done.append((owner, name, before, made))

    def covers(self, owner: Any) -> bool:
        """Whether anything of this owner is replaced."""
        return any(done[0] is owner for done in self._done)

    def replaced(self) -> list[str]:
        """Names of the replacements that somebody replaced in turn."""
        return [f"{owner.__name__}.{name}" for owner, name, _, made in self._done if vars(owner).get(name) is not made]

    def undo(self) -> None:
        """Restore all that still is ours, latest first."""
        while self._done:
            owner, name, before, made = self._done.pop()
            if vars(owner).get(name) is not made:
                continue
            if before is None:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
