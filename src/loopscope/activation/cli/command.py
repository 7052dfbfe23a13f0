"""What all commands share: what cannot be done is one line and an exit code."""

from __future__ import annotations

from typing import Any

import click

from loopscope.recording.errors import SourceError

#: of every command's context
NAMES: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class NotDone(click.ClickException):
    """Asked for rightly, but it could not be done: exit code 1."""

    def __init__(self, message: str, ctx: click.Context | None = None) -> None:
        super().__init__(message)
        self.ctx = ctx if ctx is not None else click.get_current_context(silent=True)


class Command(click.Command):
    """A command whose sources may be bad."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options["context_settings"] = {**NAMES, **(options.get("context_settings") or {})}
        super().__init__(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """See click.Command."""
        try:
            return super().invoke(ctx)
        except SourceError as error:
            raise (click.UsageError if error.usage else NotDone)(str(error), ctx) from None
