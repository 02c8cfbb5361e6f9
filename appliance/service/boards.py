"""Boards: making, changing and deleting them, and what is kept how long. Other parts look rows up here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import trio
from msgspec.structs import replace

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol.audit import Action
from appliance.protocol.keys import is_prime_order
from appliance.protocol.names import is_plain
from appliance.service import rights
from appliance.service.audit import Audit
from appliance.service.board_rules import HELD
from appliance.service.caller import Caller
from appliance.service.four_eyes import FourEyes
from appliance.service.logs import BOARD, Logs, LogUser
from appliance.service.ports import Clock, hour_of
from appliance.store import board_index, boards, logs, thanks
from appliance.store.boards import BoardRow
from appliance.store.engine import Store
from appliance.store.logs import Entry
from appliance.store.storekey import KeyRing, Sealer
from appliance.store.transaction import Transaction

MOST_BOARDS: Final = 256
_OF_MIRROR: Final = frozenset({"title", "about", "days", "most", "realtime", "order"})
"""What may be changed of a mirror; the rest is its home's affair, or has no meaning."""
SWEPT_POSTS: Final = 50
"""Rows of deleted threads removed in one transaction: each post has its words taken out of the index."""


class Boards:
    """Durable. Owner: the event loop."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        config: Config,
        clock: Clock,
        log: Logs,
        audit: Audit,
        four_eyes: FourEyes,
    ) -> None:
        self._store = store
        self._ring = ring
        self._config = config
        self._clock = clock
        self._audit = audit
        self._four_eyes = four_eyes
        four_eyes.register("board.delete", self._delete)
        self._quiet: set[bytes] = set()
        """Boards whose news are not told at once; filled as boards are looked up and changed."""
        log.register(
            BOARD, LogUser(open=True, live=self._is_live, gone=_forget_thanks, hidden=frozenset({HELD}))
        )

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config

    def check_on(self) -> None:
        """Refusal switched_off where the box is set to have no boards; what stands on them is kept."""
        if not self._config.boards:
            raise Refusal("switched_off")

    async def page(self) -> wire.Boards:
        """Every board, none where they are switched off. Refusal locked."""
        sealer = self._ring.require()

        def look(txn: Transaction) -> list[wire.Board]:
            rows = sorted(boards.list_all(txn, sealer), key=lambda row: (row.order, row.made_hour, row.id))
            return [_shown(txn, row) for row in rows]

        return wire.Boards(await self._store.read_cold(look) if self._config.boards else [])

    async def make(self, caller: Caller, new: wire.NewBoard, home: bytes | None = None) -> wire.Board:
        """A new board, or the mirror of one at `home`; the same id again is answered alike.

        Refusals: role, locked, malformed, boards_full, wrong_state (the id is another log's), switched_off.
        """
        self.check_on()
        rights.check(caller, "manage_boards")
        check_words(new.title, new.about)
        sealer, hour = self._ring.require(), hour_of(self._clock())
        row = BoardRow(
            id=new.id,
            title=new.title,
            about=new.about,
            days=new.days,
            most=new.most,
            realtime=new.realtime,
            posters=new.posters,
            karma=new.karma,
            slow=new.slow,
            order=new.order,
            made_hour=hour,
            home=home,
        )

        def job(txn: Transaction) -> wire.Board:
            known = boards.find(txn, sealer, new.id)
            if known is not None and known.home != home:
                raise Refusal("wrong_state", reason="this id is taken")
            if known is None:
                if logs.is_known(txn, new.id):
                    raise Refusal("wrong_state", reason="this id is taken")
                if len(boards.list_all(txn, sealer)) >= MOST_BOARDS:
                    raise Refusal("boards_full")
                logs.create(txn, new.id, BOARD, sealed=True)
                boards.save(txn, sealer, row)
                self._audit.note(
                    txn, caller, "board.make" if home is None else "board.mirror", row.title, row.id
                )
            return _shown(txn, known or row)

        return self._noted(await self._store.write(job))

    async def change(self, caller: Caller, board: bytes, body: wire.ChangeBoard) -> wire.Board:
        """Change what is named. Refusals: role, locked, malformed, no_board, mirrored, own_card."""
        rights.check(caller, "manage_boards")
        sealer = self._ring.require()
        names = body.__struct_fields__
        named: dict[str, Any] = {name: getattr(body, name) for name in names}
        changes = {name: value for name, value in named.items() if value is not None}
        check_words(body.title or "", body.about or "")
        if body.peers is not None:
            changes["peers"] = self._peers(body.peers)

        def job(txn: Transaction) -> wire.Board:
            old = require(txn, sealer, board)
            if old.home is not None and not changes.keys() <= _OF_MIRROR:
                raise Refusal("mirrored")
            row = replace(old, **changes)
            boards.save(txn, sealer, row)
            self._audit.note(txn, caller, _action(old, row, changes), row.title, board)
            return _shown(txn, row)

        return self._noted(await self._store.write(job))

    def _peers(self, peers: list[bytes]) -> tuple[bytes, ...]:
        if self._ring.identity.public in peers:
            raise Refusal("own_card")
        if len(set(peers)) < len(peers) or not all(is_prime_order(peer) for peer in peers):
            raise Refusal("malformed", field="peers")
        return tuple(peers)

    async def remove(self, caller: Caller, board: bytes) -> None:
        """Delete a board with all that stands in it. Refusals: role, locked, no_board, second_eyes."""
        rights.check(caller, "manage_boards")
        sealer = self._ring.require()
        row = self._store.read(lambda txn: require(txn, sealer, board))
        await self._four_eyes.ask(caller, "board.delete", board, row.title)

    async def _delete(self, caller: Caller, board: bytes) -> None:
        rights.check(caller, "manage_boards")
        sealer = self._ring.require()

        def job(txn: Transaction) -> None:
            row = require(txn, sealer, board)
            boards.doom(txn, sealer, board)
            self._audit.note(txn, caller, "board.delete", row.title, board)

        await self._store.write(job, freeing=True)
        self._quiet.discard(board)

    def _noted(self, board: wire.Board) -> wire.Board:
        if board.realtime:
            self._quiet.discard(board.id)
        else:
            self._quiet.add(board.id)
        return board

    def _is_live(self, log: bytes) -> bool:
        """Whether whoever watches a board hears of it at once."""
        return log not in self._quiet

    # Retention

    async def run(self) -> None:
        """Sweep for ever: batch after batch while there is work, then pause. The box must be unlocked."""
        sealer = self._ring.require()
        rows = await self._store.read_cold(lambda txn: boards.list_all(txn, sealer))
        self._quiet |= {row.id for row in rows if not row.realtime}
        while True:
            if not await self.sweep():
                await trio.sleep(self._config.log_sweep_seconds)

    async def sweep(self) -> int:
        """One bounded step: rows of what was deleted, then threads and events that are too old."""
        sealer, hour = self._ring.require(), hour_of(self._clock())

        def is_idle(txn: Transaction) -> bool:
            return not boards.doomed(txn, 1) and not any(
                _overdue(txn, sealer, row, hour) for row in boards.list_all(txn, sealer)
            )

        def job(txn: Transaction) -> int:
            for whom in boards.doomed(txn, 1):
                gone = boards.sweep(txn, whom, SWEPT_POSTS)
                if len(whom) == 32:
                    taken = sum(board_index.take_out(txn, sealer, whom[:16], post) for post in gone)
                    board_index.advance(txn, whom[:16], 0, -taken)
                return len(gone) + 1
            return sum(_retire(txn, sealer, row, hour) for row in boards.list_all(txn, sealer))

        if await self._store.read_cold(is_idle):
            return 0
        return await self._store.write(job, freeing=True)


def require(txn: Transaction, sealer: Sealer, board: bytes) -> BoardRow:
    """A board; Refusal no_board."""
    row = boards.find(txn, sealer, board)
    if row is None:
        raise Refusal("no_board")
    return row


def _overdue(txn: Transaction, sealer: Sealer, row: BoardRow, hour: int) -> bool:
    thread = boards.quietest(txn, sealer, row.id)
    old = thread is not None and (thread.last_hour + row.days * 24 <= hour or row.posts > row.most)
    return old or bool(_old_events(txn, row, hour, 1)) or bool(_old_held(txn, row, hour, 1))


def _retire(txn: Transaction, sealer: Sealer, row: BoardRow, hour: int) -> int:
    """The quietest thread that is too old or too much, and some old events; how many things went."""
    done = 0
    thread = boards.quietest(txn, sealer, row.id)
    if thread is not None and (thread.last_hour + row.days * 24 <= hour or row.posts > row.most):
        boards.doom_thread(txn, sealer, row.id, thread)
        done += 1
    for number in _old_events(txn, row, hour, SWEPT_POSTS):
        boards.drop_event(txn, row.id, number)
        done += 1
    for number in _old_held(txn, row, hour, SWEPT_POSTS):
        boards.drop_held(txn, row.id, number)
        done += 1
    return done


def _old_events(txn: Transaction, row: BoardRow, hour: int, limit: int) -> list[int]:
    return _old(txn, row, hour, boards.list_events(txn, row.id, 0, limit))


def _old_held(txn: Transaction, row: BoardRow, hour: int, limit: int) -> list[int]:
    return _old(txn, row, hour, boards.list_held(txn, row.id, 0, limit))


def _old(txn: Transaction, row: BoardRow, hour: int, numbers: Sequence[int]) -> list[int]:
    """Those of rising numbers whose entries are past the board's days."""
    found: list[int] = []
    for number in numbers:
        made = logs.hour_of(txn, row.id, number)
        if made is not None and made + row.days * 24 > hour:
            break
        found.append(number)
    return found


def _action(old: BoardRow, new: BoardRow, changes: dict[str, Any]) -> Action:
    """What the audit log notes of a change."""
    if new.peers != old.peers:  # who may read weighs more than what changed with it
        return "board.peers"
    if new.closed and not old.closed:
        return "board.close"
    return "board.order" if changes.keys() == {"order"} else "board.change"


def _forget_thanks(txn: Transaction, log: bytes, gone: Sequence[Entry]) -> None:
    for entry in gone:
        thanks.forget(txn, log, entry.id)


def check_words(title: str, about: str) -> None:
    """Refusal malformed of a title or description with characters that names may not have."""
    if not is_plain(title, wire.MAX_TITLE) or not is_plain(about.replace("\n", " "), wire.MAX_ABOUT):
        raise Refusal("malformed", field="title")


def _shown(txn: Transaction, row: BoardRow) -> wire.Board:
    head = logs.find(txn, row.id)
    return wire.Board(
        id=row.id,
        title=row.title,
        about=row.about,
        days=row.days,
        most=row.most,
        realtime=row.realtime,
        posters=row.posters,  # type: ignore[arg-type]
        karma=row.karma,
        slow=row.slow,
        order=row.order,
        closed=row.closed,
        peers=list(row.peers),
        home=row.home,
        made_hour=row.made_hour,
        threads=row.threads,
        posts=row.posts,
        last=0 if head is None else head.last,
    )
