"""Live progress: a bar on a terminal, lines elsewhere, nothing with --json."""

from __future__ import annotations

import sys
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from appliance.commands.shell import Shell

if TYPE_CHECKING:
    from appliance.commands.bar import Bar


class Meter:
    """One line of progress for one thing that takes time."""

    def __init__(self, shell: Shell) -> None:
        self._quiet = shell.json
        self._live = sys.stderr.isatty() and not shell.json
        self._last = ""
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def words(self, text: str) -> None:
        """Say what happens; no end is known."""
        self._show(text, None, None)

    def octets(self, text: str, done: int, size: int) -> None:
        """Say what happens, `done` of `size`."""
        self._show(text, done, size)

    def _show(self, text: str, done: int | None, size: int | None) -> None:
        if self._live:
            if self._bar is None:
                # rich takes a tenth of a second to load: not for a box that a service manager starts.
                self._bar = import_module("appliance.commands.bar").Bar()
            self._bar.show(text, done, size)
        elif text != self._last and not self._quiet:
            click.echo(text, err=True)
        self._last = text
