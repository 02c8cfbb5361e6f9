"""The audit log: what owners, admins, moderators and the owner's command line did, for 90 days.

An act is noted in the transaction that does it, so none goes unseen. While the box is locked the log cannot
be written, since it is sealed under the store key: acts then wait under the machine key until it is open.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import Final, get_args

import msgspec
import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.audit import MAX_PAGE, Act, Action, Acts
from appliance.protocol.log import MAX_PAGE_OCTETS
from appliance.service.caller import Caller
from appliance.service.logs import AUDIT
from appliance.service.ports import Clock, hour_of
from appliance.service.rights import check
from appliance.store import logs
from appliance.store.engine import Store
from appliance.store.logs import Draft
from appliance.store.schema import AUDIT_WAITING
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import KeyRing
from appliance.store.transaction import Transaction

AUDIT_LOG: Final = hashlib.sha256(b"island/v1/audit log").digest()[:16]
MOST_WAITING: Final = 10_000
"""Acts that are kept while the box is locked; the oldest make room."""
MOST_TEXT: Final = 200
"""Characters kept of a text in an act."""
WIPED_AT_ONCE: Final = 500

_ACTION_NAMES: Final = frozenset(get_args(Action))
_ACT: Final = 1
"""The kind of the log's entries."""
_WAITING_KEY: Final = struct.Struct(">Q8s")


class Noted(Record, frozen=True):
    """What is kept of an act; `account` is empty for the command line."""

    second: int
    account: bytes
    name: str
    role: str
    action: str
    target: str = ""
    subject: bytes = b""
    details: dict[str, str | int] = msgspec.field(default_factory=dict)


_WAITING: Final = SealedTable(AUDIT_WAITING, Noted)


class Audit:
    """Durable. Owner: the event loop; `note` runs in the committer."""

    def __init__(self, store: Store, ring: KeyRing, config: Config, clock: Clock) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._days = config.audit_days

    def note(
        self,
        txn: Transaction,
        caller: Caller,
        action: Action,
        target: str = "",
        subject: bytes = b"",
        **details: str | int,
    ) -> None:
        """Write down what the caller does in this transaction."""
        if action not in _ACTION_NAMES:
            raise ValueError(action)
        now = int(self._clock())
        shown = {name: _short(value) for name, value in details.items()}
        account = caller.account if caller.is_member else b""
        noted = Noted(now, account, caller.name, caller.role, action, target[:MOST_TEXT], subject, shown)
        if self._ring.sealer is None:
            self._wait(txn, noted)
        else:
            self._append(txn, noted)

    async def record(self, caller: Caller, action: Action, target: str = "") -> None:
        """The same for an act that is done already, and was no transaction of the store."""
        with trio.CancelScope(shield=True):  # it is done, though whoever did it may have hung up meanwhile
            await self._store.write(lambda txn: self.note(txn, caller, action, target))

    async def page(self, caller: Caller, before: int | None, limit: int) -> Acts:
        """Acts before a number, the newest first. Refusals: role, locked, malformed."""
        check(caller, "read_audit")
        if not 0 < limit <= MAX_PAGE:
            raise Refusal("malformed", field="limit")
        sealer = self._ring.require()

        def look(txn: Transaction) -> Acts:
            if logs.find(txn, AUDIT_LOG) is None:
                return Acts([], False, self._days)
            span = logs.read(
                txn,
                sealer,
                AUDIT_LOG,
                before=1 << 62 if before is None else before,
                limit=limit,
                octets=MAX_PAGE_OCTETS,
            )
            acts = [_shown(entry.number, entry.body) for entry in reversed(span.entries) if entry.body]
            return Acts(acts, span.more, self._days)

        return await self._store.read_cold(look)

    async def wipe(self, caller: Caller) -> None:
        """Remove every act; that it was done is the first one of the new log. Refusal role."""
        check(caller, "set_box")

        def begin(txn: Transaction) -> int:
            head = logs.find(txn, AUDIT_LOG)
            _WAITING.clear(txn)
            self.note(txn, caller, "audit.wipe")
            return 0 if head is None else head.last

        last = await self._store.write(begin)

        def step(txn: Transaction) -> bool:
            head = logs.find(txn, AUDIT_LOG)
            numbers = range(0) if head is None else range(head.first, last + 1)
            for number in numbers[:WIPED_AT_ONCE]:
                logs.drop(txn, AUDIT_LOG, number)
            return len(numbers) > WIPED_AT_ONCE

        while await self._store.write(step, freeing=True):
            await trio.lowlevel.checkpoint()

    async def settle(self) -> None:
        """Once the box is open: enter what waited, and keep the log for as long as is set."""

        def job(txn: Transaction) -> None:
            for noted in _WAITING.list_all(txn, self._ring.machine):
                self._append(txn, noted)
            _WAITING.clear(txn)
            head = logs.find(txn, AUDIT_LOG)
            if head is not None and head.hours != self._days * 24:
                logs.retain(txn, AUDIT_LOG, self._days * 24, 0)

        await self._store.write(job)

    def _append(self, txn: Transaction, noted: Noted) -> None:
        logs.create(txn, AUDIT_LOG, AUDIT, sealed=True, hours=self._days * 24)
        draft = Draft(os.urandom(16), _ACT, codec.encode(noted))
        logs.append(txn, self._ring.require(), AUDIT_LOG, draft, hour_of(noted.second))

    def _wait(self, txn: Transaction, noted: Noted) -> None:
        if txn.count(AUDIT_WAITING) >= MOST_WAITING:
            for oldest in list(txn.keys(AUDIT_WAITING, limit=1)):
                txn.delete(AUDIT_WAITING, oldest)
        # By the clock, then by how many wait: acts of one second keep their order.
        key = _WAITING_KEY.pack(noted.second, struct.pack(">I", txn.count(AUDIT_WAITING)) + os.urandom(4))
        _WAITING.put(txn, self._ring.machine, key, noted)


def _short(value: str | int) -> str | int:
    return value[:MOST_TEXT] if isinstance(value, str) else value


def _shown(number: int, body: bytes) -> Act:
    noted = codec.read(body, Noted)
    return Act(
        number=number,
        second=noted.second,
        account=noted.account or None,
        name=noted.name,
        role=noted.role,  # type: ignore[arg-type]
        action=noted.action,
        target=noted.target,
        subject=noted.subject or None,
        details=dict(noted.details),
    )
