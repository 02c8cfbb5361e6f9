"""Mirrors: boards of other boxes, kept here so that people can read them while their home is off.

What was read and how far is durable in one commit; how it goes is known until the box stops. A home that does
not answer is asked again after growing pauses; one that trusts this box no longer, too: what was read stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol import mirror, onion
from appliance.protocol.desk import HealthRow
from appliance.protocol.room import MAX_ENTRIES, RoomAddress, RoomPage, read_address
from appliance.service import mirroring, rights
from appliance.service.boards import Boards, check_words
from appliance.service.caller import Caller
from appliance.service.logs import Logs
from appliance.service.ports import Clock, hour_of
from appliance.service.remotes import Remotes
from appliance.store import boards, logs
from appliance.store.boards import BoardRow
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

PURPOSE: Final = "mirror"
LIVE_SECONDS: Final = 30.0
"""Pause between two readings of a home whose news are shown at once."""
CALM_SECONDS: Final = 600.0
FIRST_PAUSE: Final = 30.0
LONGEST_PAUSE: Final = 3600.0
"""After failures the pause doubles up to this."""
ASK_SECONDS: Final = 90.0
VISIT_SECONDS: Final = 60.0
"""After this no further page is asked of one home before the others have had their turn."""
AT_ONCE: Final = 4


@dataclass(frozen=True)
class State:
    """How it goes with one mirror; `due` on Trio's clock, `last` is the home's highest number."""

    due: float = 0.0
    failures: int = 0
    heard: int | None = None
    last: int = 0
    problem: str | None = None


class Mirrors:
    """Durable are the boards; `run` needs the box unlocked. Owner: the event loop."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        config: Config,
        clock: Clock,
        remotes: Remotes,
        made: Boards,
        log: Logs,
    ) -> None:
        self._store = store
        self._ring = ring
        self._config = config
        self._clock = clock
        self._remotes = remotes
        self._boards = made
        self._logs = log
        self._states: dict[bytes, State] = {}
        self._wake = trio.Event()
        self._busy = trio.CapacityLimiter(AT_ONCE)
        self.on_posted: Callable[[bytes], None] = _nothing
        """(board): its log has grown."""

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config
        self._wake.set()

    # For admins

    async def look(self, caller: Caller, asked: mirror.LookAtRoom) -> mirror.RoomOffer:
        """What the home says of a board.

        Refusals: role, switched_off, bad_room, own_card, no_room, unreachable, tor_off, bad_answer.
        """
        rights.check(caller, "manage_boards")
        self._boards.check_on()
        address = self._read(asked.address)
        page = await self._ask(address, 0, 0)
        try:
            check_words(page.title, page.about)
        except Refusal as refusal:
            raise Refusal("bad_answer") from refusal
        return mirror.RoomOffer(
            address.home, address.room, page.title, page.about, page.days, page.threads, page.posts
        )

    async def make(self, caller: Caller, new: mirror.NewMirror) -> wire.Board:
        """Begin to mirror a board. Refusals: those of `look` and of `Boards.make`."""
        offer = await self.look(caller, mirror.LookAtRoom(new.address))
        board = wire.NewBoard(
            id=offer.room,
            title=offer.title,
            about=offer.about,
            days=new.days,
            most=new.most,
            realtime=new.realtime,
        )
        made = await self._boards.make(caller, board, offer.home)
        self.hasten(made.id)
        return made

    async def pull(self, caller: Caller, board: bytes) -> None:
        """Read the home of a mirror now, not when it is due. Refusals: role, locked, no_board."""
        rights.check(caller, "manage_boards")
        sealer = self._ring.require()
        row = self._store.read(lambda txn: boards.find(txn, sealer, board))
        if row is None or row.home is None:
            raise Refusal("no_board")
        self.hasten(board)

    def hasten(self, board: bytes) -> None:
        """A mirror is due at once."""
        self._states[board] = replace(self._state(board), due=0.0)
        self._wake.set()

    # For everybody

    async def page(self) -> mirror.Mirrors:
        """How it goes with all mirrors. Refusal locked."""
        return mirror.Mirrors([self._shown(row) for row in await self._rows()])

    def row(self) -> HealthRow:
        """The line on the health page."""
        states = self._states.values()
        if not states:
            return HealthRow("Mirrors", "off", "No board of another box is mirrored here.")
        failed = sum(state.problem is not None for state in states)
        if failed:
            return HealthRow(
                "Mirrors", "warning", f"{failed} of {len(states)} could not be brought up to date."
            )
        return HealthRow("Mirrors", "good", f"All {len(states)} are read.")

    # The task

    async def run(self) -> None:
        """Read what is due, for ever. The box must be unlocked."""
        while True:
            self._wake = trio.Event()
            pause = await self.step()
            with trio.move_on_after(pause):
                await self._wake.wait()

    async def step(self) -> float:
        """Read every mirror that is due once; seconds until the next one is."""
        rows = await self._rows() if self._config.boards else []
        self._states = {row.id: self._state(row.id) for row in rows}
        now = trio.current_time()
        async with trio.open_nursery() as nursery:
            for row in rows:
                if self._state(row.id).due <= now:
                    nursery.start_soon(self._visit, row)
        dues = [state.due for state in self._states.values()]
        return max(0.0, min(dues, default=trio.current_time() + CALM_SECONDS) - trio.current_time())

    async def _visit(self, row: BoardRow) -> None:
        """Some pages of one home, and when to come again."""
        problem, more = None, True
        async with self._busy:
            end = trio.current_time() + VISIT_SECONDS
            try:
                while more and trio.current_time() < end:
                    more = await self._pull(row.id)
            except Refusal as refusal:
                problem, more = refusal.code, False
        before = self._state(row.id)
        failures = 0 if problem is None else before.failures + 1
        pause = 0.0 if more else LIVE_SECONDS if row.realtime else CALM_SECONDS
        if failures:
            pause = min(FIRST_PAUSE * 2.0 ** min(failures - 1, 16), LONGEST_PAUSE)
        due = trio.current_time() + pause
        self._states[row.id] = replace(before, due=due, failures=failures, problem=problem)

    async def _pull(self, board: bytes) -> bool:
        """One page of a mirror's home, durable; whether there is more.

        Refusals: mirror_full, and those of `_ask`.
        """
        sealer = self._ring.require()

        def look(txn: Transaction) -> tuple[BoardRow | None, int]:
            head = logs.find(txn, board)
            return boards.find(txn, sealer, board), 0 if head is None else head.octets

        row, octets = self._store.read(look)
        if row is None or row.home is None:
            return False
        if octets >= self._config.mirror_octets:
            raise Refusal("mirror_full")
        after, home = row.cursor, row.home
        page = await self._ask(RoomAddress(home, board), after, MAX_ENTRIES)
        checked = await trio.to_thread.run_sync(partial(mirroring.check, page, home, board, after))
        hour = hour_of(self._clock())

        def job(txn: Transaction) -> None:
            now = boards.find(txn, sealer, board)
            if now is not None and (now.home, now.cursor) == (home, after):
                mirroring.take(txn, sealer, now, checked, hour)

        self._logs.begin(board)
        if page.next != after or after > page.last:
            await self._store.write(job)
            self._logs.tell(board)
            self.on_posted(board)
        self._states[board] = replace(self._state(board), heard=int(self._clock()), last=page.last)
        return page.more

    async def _ask(self, address: RoomAddress, after: int, limit: int) -> RoomPage:
        """A page of a room from its home. Refusals: unreachable, tor_off, bad_answer, and the home's own."""
        async with self._remotes.at(onion.address(address.home), PURPOSE, ASK_SECONDS) as relay:
            return await relay.fetch_room(self._ring.identity, address.room, after=after, limit=limit)

    async def _rows(self) -> list[BoardRow]:
        sealer = self._ring.require()
        rows = await self._store.read_cold(lambda txn: boards.list_all(txn, sealer))
        return [row for row in rows if row.home is not None]

    def _read(self, text: str) -> RoomAddress:
        address = read_address(text)
        if address.home == self._ring.identity.public:
            raise Refusal("own_card")
        return address

    def _state(self, board: bytes) -> State:
        return self._states.get(board, State())

    def _shown(self, row: BoardRow) -> mirror.Mirror:
        state = self._state(row.id)
        return mirror.Mirror(
            board=row.id,
            home=row.home or b"",
            heard=state.heard,
            behind=max(0, state.last - row.cursor),
            skipped=row.skipped,
            problem=state.problem,
        )


def _nothing(board: bytes) -> None:
    return None
