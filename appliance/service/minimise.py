"""Minimising: once a day the box forgets what it needs no longer, and blanks it in its data file.

First times of what is idle are kept to the day; then one pass over the whole data file blanks what was
deleted since (`store.scrub`). What other sweeps remove (finished dispatches after a day, used prekeys at
once, acts after 90 days) leaves the file in that pass, too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import trio

from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.desk import HealthRow, Minimised
from appliance.service.ports import Clock, hour_of
from appliance.store.coarsen import COARSENED, Coarsen, Done
from appliance.store.engine import Store
from appliance.store.schema import META
from appliance.store.scrub import UnknownLayout
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

DAY_SECONDS: Final = 24 * 3600
FIRST_SECONDS: Final = 300
"""After a start other things come first."""
LOOK_SECONDS: Final = 600
ROWS: Final = 500
PAGES: Final = 256
"""Of the data file, in one step; nothing commits meanwhile."""
REST_SECONDS: Final = 0.05
COPY_DAYS: Final = 7
"""How long the copy of the store is kept that was made before an upgrade."""
_KEY: Final = b"minimised"


class Minimise:
    """Owner: the event loop; what it did last is durable."""

    def __init__(self, store: Store, ring: KeyRing, clock: Clock, folder: Path) -> None:
        self._store = store
        self._machine = ring.machine
        self._clock = clock
        self._folder = folder
        self._going = trio.Lock()

    def page(self) -> Minimised:
        """What was done last."""
        value = self._store.read(lambda txn: txn.get(META, _KEY))
        return Minimised() if value is None else codec.read(value, Minimised)

    def row(self) -> HealthRow:
        """The line on the health page."""
        last = self.page()
        if not last.second:
            return HealthRow("Minimising", "off", "Not done yet; it begins some minutes after the start.")
        hours = int((self._clock() - last.second) // 3600)
        words = f"{hours} hours ago; {last.pages + last.gaps} places of the data file were blanked."
        if not last.blanked:
            return HealthRow("Minimising", "warning", "Deleted data cannot be blanked in this data file.")
        return HealthRow("Minimising", "good" if hours <= 48 else "warning", words)

    async def run(self) -> None:
        """Do it for ever, once a day."""
        await trio.sleep(FIRST_SECONDS)
        while True:
            await self.look()
            await trio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Do it if that was not done for a day."""
        if self._clock() - self.page().second >= DAY_SECONDS:
            await self.now()

    async def now(self) -> Minimised:
        """Do all of it once; Refusal busy while it goes on already."""
        if self._going.locked():
            raise Refusal("busy")
        async with self._going:
            began, started = int(self._clock()), trio.current_time()
            coarsened = {table: await self._go_through(step) for table, step in COARSENED.items()}
            await trio.to_thread.run_sync(self._drop_copies, began)
            pages, gaps, blanked = await self._scrub()
            done = Minimised(
                second=began,
                milliseconds=int(1000 * (trio.current_time() - started)),
                coarsened={table: count for table, count in coarsened.items() if count},
                pages=pages,
                gaps=gaps,
                blanked=blanked,
            )
            await self._store.write(lambda txn: txn.put(META, _KEY, codec.encode(done)), freeing=True)
            return done

    async def _go_through(self, coarsen: Coarsen) -> int:
        hour, total = hour_of(self._clock()), 0
        done = Done(b"", 0)
        while done.following is not None:
            job: Callable[[Transaction], Done] = partial(self._step, coarsen, hour, done.following)
            done = await self._store.write(job, freeing=True)
            total += done.changed
        return total

    def _step(self, coarsen: Coarsen, hour: int, start: bytes, txn: Transaction) -> Done:
        return coarsen(txn, self._machine, hour, start, ROWS)

    async def _scrub(self) -> tuple[int, int, bool]:
        """One pass over the data file, in short steps between which everybody else goes on."""
        at = pages = gaps = 0
        await self._store.rinse()
        while True:
            try:
                done = await self._store.scrub(at, PAGES)
            except UnknownLayout:
                return pages, gaps, False
            pages, gaps, at = pages + done.pages, gaps + done.gaps, done.following
            if not at:
                return pages, gaps, True
            await trio.sleep(REST_SECONDS)

    def _drop_copies(self, now: int) -> None:
        for copy in self._folder.glob("store.v*.mdb"):
            if copy.stat().st_mtime < now - COPY_DAYS * DAY_SECONDS:
                copy.unlink(missing_ok=True)
