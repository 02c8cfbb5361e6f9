"""Writing on boards: posts, edits, deletions, moderation, events, each a signed value that is checked first.

What may be written is decided in the transaction that writes it; what was written before is answered alike.
Owner: the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from msgspec.structs import replace

from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol.audit import Action
from appliance.protocol.board import Act, Edit, Moderation, Notice, Post, Submit, Submitted, Value
from appliance.service.audit import Audit
from appliance.service.board_rules import CHECKS, HELD, WRITES, Work, check_identity
from appliance.service.boards import require
from appliance.service.caller import Caller
from appliance.service.conduct import Conduct, Leave, Step
from appliance.service.logs import Logs
from appliance.store import boards, logs
from appliance.store.engine import Store
from appliance.store.logs import Draft, Entry, Head
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

ACTIONS: Final[dict[Act, Action]] = {
    "pin": "post.pin",
    "unpin": "post.unpin",
    "lock": "post.lock",
    "unlock": "post.unlock",
    "remove": "post.remove",
    "remove_thread": "post.remove",
    "release": "post.release",
}
"""What the audit log notes of moderation."""


class BoardPosts:
    """Checks and appends. Durable."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        log: Logs,
        conduct: Conduct,
        audit: Audit,
        check_on: Callable[[], None],
    ) -> None:
        self._check_on = check_on
        self._store = store
        self._ring = ring
        self._logs = log
        self._conduct = conduct
        self._audit = audit
        self.on_posted: Callable[[bytes], None] = _nothing
        """(board): its log has grown."""

    async def submit(self, caller: Caller, board: bytes, body: Submit) -> Submitted:
        """Take a signed value into a board's log.

        Refusals: locked, bad_post, unknown_version, no_board, no_thread, no_entry, old_post, board_closed,
        thread_locked, thread_full, role, switched_off, mirrored, and those of `Conduct`.
        """
        opened = wire.read(body.signed)
        if opened.vouched:
            raise Refusal("bad_post", reason="the box did not sign this now")
        return await self._take(caller, board, opened.value, body.signed)

    async def vouch(self, caller: Caller, board: bytes, value: Value) -> Submitted:
        """The same for a person without keys at hand: the box signs, and readers are told so."""
        value = replace(value, name=caller.name, onion=self._ring.identity.public, identity=None)
        return await self._take(caller, board, value, wire.write(self._ring.identity, value))

    async def _take(self, caller: Caller, board: bytes, value: Value, signed: bytes) -> Submitted:
        work = Work(self._ring.require(), caller, self._logs.author(board, caller.account), signed)
        if (value.board, value.onion, value.name) != (board, self._ring.identity.public, caller.name):
            raise Refusal("bad_post", reason="made for another board, box or account")
        known = self._store.read(lambda txn: logs.find_entry(txn, board, value.id))
        if known is not None:
            return Submitted(known.number, known.kind == HELD)
        with self._leave(caller, board, value) as leave:
            held = leave is not None and leave.held
            draft = Draft(value.id, HELD if held else wire.entry_kind(value), signed, work.author)

            def check(txn: Transaction, head: Head) -> None:
                row = work.row = require(txn, work.sealer, board)
                if row.home is not None:
                    raise Refusal("mirrored")
                if leave is not None:
                    leave.check(txn)
                check_identity(txn, caller, value)
                CHECKS[type(value)](txn, row, value, work)

            def also(txn: Transaction, entry: Entry) -> None:
                row = work.board
                if held:
                    boards.add_held(txn, board, entry.number)
                    return
                WRITES[type(value)](txn, row, value, work, entry)
                if isinstance(value, Moderation):
                    self._audit.note(txn, caller, ACTIONS[value.act], row.title, value.target)

            try:
                done = await self._logs.append(board, draft, check, also)
            except Refusal as refusal:
                if refusal.code != "no_log":
                    raise
                raise Refusal("no_board") from refusal
        self.on_posted(board)
        return Submitted(done.number, held)

    @contextmanager
    def _leave(self, caller: Caller, board: bytes, value: Value) -> Iterator[Leave | None]:
        """The permission to write what others read; taking one's own back and moderating need none."""
        if not isinstance(value, Post | Edit | Notice):
            yield None
            return
        self._check_on()
        sealer = self._ring.require()
        row = self._store.read(lambda txn: require(txn, sealer, board))
        words = [value.subject or ""] + ([] if isinstance(value, Notice) else [value.body])
        step = Step("post", "boards", board, tuple(words), row.karma, row.slow)
        with self._conduct.enter(caller, step) as leave:
            yield leave


def _nothing(board: bytes) -> None:
    return None
