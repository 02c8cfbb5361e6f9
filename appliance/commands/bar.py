"""The bar of `progress` on a terminal, drawn by rich."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


class Bar:
    """One line that changes in place and disappears at the end."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._progress.start()
        self._task = self._progress.add_task("", total=None)

    def show(self, text: str, done: int | None, size: int | None) -> None:
        """Show the text, and how much of it is done where that is known."""
        self._progress.update(self._task, description=escape(text), completed=done or 0, total=size)

    def stop(self) -> None:
        """Take the line away."""
        self._progress.stop()
