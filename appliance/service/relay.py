"""The relay: mailboxes under grants, deposits, fetches and acknowledgements (SPEC.md, "Relay").

Everything is refused before anything is written; every answer is given after the commit. The order
of a signed request: shape, mailbox, nonce fresh, signature, nonce spent, write.
"""

from __future__ import annotations

from typing import Final

import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import envelope
from appliance.protocol.mailbox import MailboxId, SignedRequest, capability_hash, verify_request
from appliance.protocol.messages import (
    Acknowledge,
    Acknowledged,
    CreateMailbox,
    DeleteMailbox,
    Deposit,
    Deposited,
    DepositGroup,
    Fetch,
    Fetched,
    FetchedEnvelope,
    MailboxState,
    Nonces,
    Outcome,
    RelayInfo,
    Subscribe,
    WorkChallenge,
)
from appliance.service.arrivals import Arrivals, Watcher
from appliance.service.nonces import Book, NonceBook, StreamNonces
from appliance.service.ports import Clock, hour_of
from appliance.store import grants, mailboxes
from appliance.store.engine import Store
from appliance.store.sweep import sweep
from appliance.store.transaction import Transaction

WIRE_VERSION: Final = 1
FRAMING_OCTETS: Final = 3 * 1024 * 1024
"""Most octets of envelopes in one answer."""
FEW: Final = 4
"""Envelopes that are read at once, on the event loop."""


class Relay:
    """Serves mailboxes to strangers and to this box alike; `host` is this box's onion address."""

    def __init__(self, store: Store, config: Config, clock: Clock, host: str) -> None:
        self.host = host
        self.arrivals = Arrivals()
        self.book = NonceBook(clock, config.nonces_kept)
        self._store = store
        self._clock = clock
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self._config = config
        self._limits = mailboxes.Limits(
            contact=mailboxes.Bounds(config.contact_envelopes, config.contact_octets),
            request=mailboxes.Bounds(config.request_envelopes, config.request_octets),
            relay_octets=config.relay_octets,
            # One correspondent may fill half of what waits for a member, never all.
            member=mailboxes.Bounds(config.member_envelopes, config.member_octets // 2),
        )

    @property
    def limits(self) -> mailboxes.Limits:
        """What mailboxes may hold at present."""
        return self._limits

    def info(self, work: WorkChallenge | None = None) -> RelayInfo:
        """Policy and bounds, with the puzzle a stranger must solve, if there is one."""
        config = self._config
        return RelayInfo(
            version=WIRE_VERSION,
            policy=config.relay_policy,
            sizes=list(envelope.SIZES),
            ttl_default_hours=config.ttl_default_hours,
            ttl_max_hours=config.ttl_max_hours,
            contact_envelopes=config.contact_envelopes,
            contact_octets=config.contact_octets,
            request_envelopes=config.request_envelopes,
            request_octets=config.request_octets,
            work=work,
        )

    def nonces(self, count: int) -> Nonces:
        """Fresh nonces for requests over HTTP."""
        return self.book.nonces(count)

    def open_stream(self) -> StreamNonces:
        """The nonces of a new stream."""
        return StreamNonces()

    def watcher(self) -> Watcher:
        """A listener for `subscribe`."""
        return self.arrivals.watcher()

    async def create(self, message: CreateMailbox, book: Book | None = None) -> MailboxState:
        """Create a mailbox under a grant; again with the same key and capability it is answered alike."""
        self._authorise(message.fetch_key, message, book)
        now = hour_of(self._clock())

        def job(txn: Transaction) -> mailboxes.MailboxRecord:
            return mailboxes.create(
                txn,
                fetch_key=message.fetch_key,
                capability_hash=message.capability_hash,
                kind=message.kind,
                grant=grants.grant_id(message.grant),
                now_hour=now,
            )

        record = await self._store.write(job)
        bounds = self._limits.request if message.kind == "request" else self._limits.contact
        return MailboxState(record.mailbox, record.held, record.octets, bounds.envelopes, bounds.octets)

    async def delete(self, message: DeleteMailbox, book: Book | None = None) -> None:
        """Delete a mailbox and all it holds. Refusal no_mailbox when it is gone already."""
        self._authorise(self._find(message.mailbox).fetch_key, message, book)
        await self._store.write(lambda txn: mailboxes.delete(txn, message.mailbox), freeing=True)

    async def deposit(self, message: Deposit) -> Deposited:
        """Keep envelopes; one outcome each, in order, given after the commit."""
        now = hour_of(self._clock())
        groups = [self._check_group(group) for group in message.groups]
        limits = self._limits

        def job(txn: Transaction) -> list[list[Outcome]]:
            return [
                refused
                or mailboxes.deposit(
                    txn, group.mailbox, capability, group.envelopes, now + group.ttl_hours, limits, now
                )
                for group, capability, refused in groups
            ]

        outcomes = await self._store.write(job)
        if self.arrivals.watched:
            self.arrivals.announce(
                MailboxId(group.mailbox)
                for group, kept in zip(message.groups, outcomes, strict=True)
                if any(outcome.state == "held" for outcome in kept)
            )
        return Deposited(outcomes)

    async def fetch(self, message: Fetch, book: Book | None = None) -> Fetched:
        """Remove what is acknowledged, then read on; the nonce in the answer serves the next request."""
        record = self._find(message.mailbox)
        self._authorise(record.fetch_key, message, book)
        removed = await self._remove(message.mailbox, message.acknowledge) if message.acknowledge else 0
        found: list[FetchedEnvelope] = []
        more = False
        now = hour_of(self._clock())

        def job(txn: Transaction) -> tuple[list[FetchedEnvelope], bool]:
            return mailboxes.fetch(txn, message.mailbox, message.after, message.limit, now, FRAMING_OCTETS)

        if message.limit and record.held - removed <= FEW:
            # What was just pushed is a page in memory: a thread would take longer than the read.
            found, more = self._store.read(job)
        elif message.limit:
            found, more = await self._store.read_cold(job)
        return Fetched(found, more, removed, self._next_nonce(book))

    async def acknowledge(self, message: Acknowledge, book: Book | None = None) -> Acknowledged:
        """Remove envelopes by id; those not held any more are passed over."""
        self._authorise(self._find(message.mailbox).fetch_key, message, book)
        removed = await self._remove(message.mailbox, message.envelopes)
        return Acknowledged(removed, self._next_nonce(book))

    async def subscribe(self, message: Subscribe, book: Book, watcher: Watcher) -> None:
        """Let a stream's watcher hear of one more mailbox."""
        self._authorise(self._find(message.mailbox).fetch_key, message, book)
        watcher.watch(MailboxId(message.mailbox))

    async def sweep(self) -> int:
        """One bounded step of the sweep: expired and acknowledged envelopes, ended grants; how many went."""
        now, batch = hour_of(self._clock()), self._config.sweep_batch
        return await self._store.write(lambda txn: sweep(txn, now, batch), freeing=True)

    async def run_sweep(self) -> None:
        """Sweep for ever; while there is work, half of the time: who writes meanwhile waits for less."""
        while True:
            began = trio.current_time()
            found = await self.sweep()
            await trio.sleep(trio.current_time() - began if found else self._config.sweep_seconds)

    def _check_group(self, group: DepositGroup) -> tuple[DepositGroup, bytes, list[Outcome] | None]:
        """The group, its capability's hash, and its outcomes where it is refused already."""
        if not 1 <= group.ttl_hours <= self._config.ttl_max_hours:
            return group, b"", [Outcome("ttl")] * len(group.envelopes)
        try:
            for one in group.envelopes:
                envelope.check(one)
        except Refusal as refusal:
            return group, b"", [Outcome(refusal.code)] * len(group.envelopes)
        return group, capability_hash(group.capability), None

    def _find(self, mailbox: bytes) -> mailboxes.MailboxRecord:
        record = self._store.read(lambda txn: mailboxes.find(txn, mailbox))
        if record is None:
            raise Refusal("no_mailbox")
        return record

    def _authorise(self, fetch_key: bytes, message: SignedRequest, book: Book | None) -> None:
        nonces = book or self.book
        nonces.check(message.auth.nonce)
        verify_request(fetch_key, self.host, message)
        nonces.spend(message.auth.nonce)

    async def _remove(self, mailbox: bytes, ids: list[bytes]) -> int:
        return await self._store.write(lambda txn: mailboxes.acknowledge(txn, mailbox, ids), freeing=True)

    def _next_nonce(self, book: Book | None) -> bytes:
        return self.book.issue() if book is None else b""
