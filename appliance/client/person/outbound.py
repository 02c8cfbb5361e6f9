"""Messages on their way out: sealed for every device of the other side, saved and handed to the box.

What was saved and perhaps not handed over is found again at the next start and sent anew with the same
content id, which the other side counts once.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from appliance.client.person import records
from appliance.client.person.dispatcher import Job
from appliance.client.person.ledger import Batch
from appliance.client.person.people import entry_of
from appliance.errors import Refusal
from appliance.protocol import certificate, onion, peer, pqxdh
from appliance.protocol import content as contents
from appliance.protocol.content import Content
from appliance.protocol.directory import Bundle, Device, Entry, OneTimePrekey
from appliance.protocol.post import Destination, Dispatch
from appliance.protocol.session import FRESH_TO_BEGIN, FRESH_TO_SEND

if TYPE_CHECKING:
    from appliance.client.person.core import Core

RENEW_HOURS: Final = 24
"""Hours after which a certificate is made anew."""
HOURS: Final = 336


@dataclass(frozen=True)
class Target:
    """A device to write to, and what is needed when there is no session yet."""

    identity: bytes
    device: Device
    bundle: Bundle | None = None
    one_time: OneTimePrekey | None = None
    member: bool = False
    """Of a channel: there need be no conversation."""


class Outbound:
    """What leaves."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._certificate: tuple[int, bytes] | None = None

    async def send(self, conversation: str, content: Content) -> None:
        """Send a content; it is saved and with our box when this returns. Refusals of targets and the box."""
        targets = await self.targets(conversation)

        async def step(batch: Batch) -> Job:
            dispatch = await self.seal(batch, content, targets)
            self._core.chats.said(batch, conversation, content, dispatch.id)
            self.note(batch, conversation, content.id, dispatch.id)
            return self._core.dispatcher.leave(batch, dispatch)

        job = await self._core.ledger.run(step)
        await job.wait()

    def note(self, batch: Batch, conversation: str, content: bytes, dispatch: bytes) -> None:
        """Remember a message that may not leave, until it is known to have."""
        entry = records.OutgoingEntry(content, conversation, dispatch, self._core.hour())
        batch.change(
            records.outgoing(self._core.seat.device),
            records.Outgoing,
            lambda now: records.Outgoing(1, [*(now.entries if now else []), entry]),
        )

    async def targets(
        self, conversation: str, only: bytes | None = None, renew: bool = False
    ) -> list[Target]:
        """The devices of the other side, with prekeys for those without a session (all: `renew`)."""
        core = self._core
        chat = core.chats.get(conversation)
        if chat is None:
            raise Refusal("no_contact")
        entry = entry_of(chat.person)
        missing = await self._missing(entry, only, renew)
        unseen = renew or any(core.people.bundle(one.device) is None for one in missing)
        if entry is None or unseen or core.people.is_outdated(conversation):
            entry = await core.people.refresh(conversation)
        elif not core.people.is_fresh(chat.person):
            core.soon(core.people.refresh, conversation)
        person = chat.person
        if person.change is not None:
            raise Refusal("wrong_state", reason="another identity stands under this name now")
        bundles = {
            one.device: core.people.bundle(one.device) for one in await self._missing(entry, only, renew)
        }
        begun = [one for one in _devices(entry, only) if bundles.get(one.device)]
        address = f"{person.name}@{person.onion}"
        prekeys = await core.people.take(address, begun) if begun else {}
        return [
            Target(person.identity, one, bundles.get(one.device), prekeys.get(one.device))
            for one in _devices(entry, only)
        ]

    async def _missing(self, entry: Entry | None, only: bytes | None, renew: bool) -> list[Device]:
        missing = []
        for device in _devices(entry, only):
            name = records.session(self._core.seat.device, device.device)
            record = await self._core.vault.get(name, records.Session)
            if renew or record is None or not _usable(record, device):
                missing.append(device)
        return missing

    async def seal(
        self, batch: Batch, content: Content, targets: list[Target], fresh: bool = False
    ) -> Dispatch:
        """Seal for these devices; their new states are in the batch. Refusal no_route when none is there."""
        payload, small = contents.write(content), contents.is_small(content)
        envelopes: list[bytes] = []
        to: list[Destination] = []
        for target in targets:
            record = await self._ready(batch, target, fresh)
            if record is None or not record.routes:
                continue
            sealed = peer.seal(
                record.peer, self._certificate_now(), payload, small, secrets.token_bytes(FRESH_TO_SEND)
            )
            batch.set(
                records.session(self._core.seat.device, target.device.device),
                msgspec.structs.replace(record, peer=sealed.peer),
            )
            to.append(Destination(record.handle, record.routes, [len(envelopes)]))
            envelopes.append(sealed.envelope)
        if not envelopes:
            raise Refusal("no_route")
        return Dispatch(secrets.token_bytes(16), envelopes, to, HOURS)

    async def _ready(self, batch: Batch, target: Target, fresh: bool) -> records.Session | None:
        """The session record of a target, begun anew where needed; None when that is not possible."""
        device, bundle = target.device, target.bundle
        record = await self._core.ledger.session(batch, device.device)
        if record is None or record.peer.agreement != device.agreement:
            conversation = self._core.chats.by_identity(target.identity)
            if conversation is None and not target.member:
                return None
            conversation = conversation or target.identity.hex()
            handle = record.handle if record else secrets.token_bytes(8)
            made = peer.make(target.identity, device)
            record = records.Session(1, made, conversation, handle, [], b"", 0)
        if bundle is not None and (fresh or not record.peer.sessions):
            begun = peer.begin(
                record.peer,
                self._core.own(),
                bundle,
                target.one_time,
                self._core.hour(),
                secrets.token_bytes(FRESH_TO_BEGIN),
                pqxdh.encapsulate(pqxdh.kem_key(bundle, target.one_time)),
            )
            record = msgspec.structs.replace(record, peer=begun)
        shown = bundle or self._core.people.bundle(device.device)
        if not record.routes and shown is not None:
            record = msgspec.structs.replace(record, routes=shown.routes)
        return record if record.peer.sessions else None

    async def seal_known(self, batch: Batch, conversation: str, content: Content) -> Dispatch | None:
        """Seal for the devices that have a session already, nothing looked up: receipts."""
        core = self._core
        chat = core.chats.get(conversation)
        if chat is None or chat.person.change is not None:
            return None
        entry, fresh = entry_of(chat.person), core.people.is_fresh(chat.person)
        listed = {one.device: one for one in entry.devices} if entry else {}
        targets = []
        for id in core.ledger.peers(batch):
            record = await core.ledger.session(batch, id)
            if record is None or record.conversation != conversation or not record.peer.sessions:
                continue
            if id in listed or not (entry and fresh):
                targets.append(known_target(record.peer))
        if not targets:
            return None
        try:
            return await self.seal(batch, content, targets)
        except Refusal:
            return None

    def _certificate_now(self) -> bytes:
        hour = self._core.hour()
        if self._certificate is None or hour >= self._certificate[0] + RENEW_HOURS:
            account = self._core.account
            value = certificate.Certificate(
                version=certificate.VERSION,
                name=account.name,
                onion=onion.public_key(account.onion),
                identity=self._core.identity.public,
                device=self._core.seat.device,
                agreement=pqxdh.party_of(self._core.own()).agreement,
                issued_hour=hour,
                expires_hour=hour + certificate.LIFE_HOURS,
            )
            self._certificate = (hour, certificate.make(self._core.identity, value))
        return self._certificate[1]


def known_target(known: peer.Peer) -> Target:
    """A device with which there is a session."""
    return Target(known.identity, Device(known.device, known.agreement, known.agreement, 0))


def _devices(entry: Entry | None, only: bytes | None) -> list[Device]:
    return [one for one in (entry.devices if entry else []) if only in (None, one.device)]


def _usable(record: records.Session, device: Device) -> bool:
    return bool(record.peer.sessions) and record.peer.agreement == device.agreement
