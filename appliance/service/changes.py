"""The revision of what the desk shows: rises with every change; the page waits for the next one."""

from __future__ import annotations

import trio


class Changes:
    """A counter and a wake. Owner: the event loop."""

    def __init__(self) -> None:
        self.revision = 1
        self._changed = trio.Event()

    def touch(self) -> None:
        """Something the desk shows has changed."""
        self.revision += 1
        self._changed.set()
        self._changed = trio.Event()

    async def wait(self, after: int, seconds: float) -> int:
        """Return the revision once it is not `after` any more, or after `seconds`."""
        with trio.move_on_after(seconds):
            while self.revision == after:
                await self._changed.wait()
        return self.revision
