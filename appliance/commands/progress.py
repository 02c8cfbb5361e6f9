"""Live progress: a bar on a terminal, lines elsewhere, nothing with --json."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from appliance.commands.shell import Shell


class Meter:
    """One line of progress for one thing that takes time."""

    def __init__(self, shell: Shell) -> None:
        self._quiet = shell.json
        self._live = sys.stderr.isatty() and not shell.json
        self._last = ""
        self._task: TaskID | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )

    def __enter__(self) -> Self:
        if self._live:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._progress.stop()

    def words(self, text: str) -> None:
        """Say what happens; no end is known."""
        self._show(text, None, None)

    def octets(self, text: str, done: int, size: int) -> None:
        """Say what happens, `done` of `size`."""
        self._show(text, done, size)

    def _show(self, text: str, done: int | None, size: int | None) -> None:
        if self._live:
            if self._task is None:
                self._task = self._progress.add_task("", total=size)
            self._progress.update(self._task, description=escape(text), completed=done or 0, total=size)
        elif text != self._last and not self._quiet:
            click.echo(text, err=True)
        self._last = text
