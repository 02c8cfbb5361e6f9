"""Looking people up: entries whose proofs are checked, and prekeys; the logs are `logs`' affair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from appliance.client.person import records
from appliance.client.person.ledger import Batch
from appliance.client.person.logs import Logs
from appliance.errors import Refusal
from appliance.protocol import address as addresses
from appliance.protocol import onion, prekeys
from appliance.protocol.address import Address
from appliance.protocol.directory import Bundle, Device, Entry, OneTimePrekey
from appliance.protocol.transparency import Head, check_found

if TYPE_CHECKING:
    from appliance.client.person.core import Core

FRESH_SECONDS: Final = 6 * 3600
"""After so long an entry is looked at again."""


@dataclass(frozen=True)
class Found:
    """A checked look-up."""

    signed: bytes
    entry: Entry


class People:
    """Everybody the account has to do with."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._bundles: dict[bytes, Bundle] = {}
        self.logs = Logs(core)
        self._outdated: set[str] = set()

    async def find(self, who: Address) -> Found:
        """Look an address up at its box; Refusal no_account, unreachable, bad_entry, old_entry, bad_log."""
        host = onion.address(who.box)
        older = await self.logs.head(host)
        answer = await self._core.member.look_up(addresses.write(who), older.size if older else 0)
        note = answer.proof.checkpoint
        try:
            entry, bundles, head = check_found(answer, who.name, who.box, None, older)
        except Refusal as refusal:
            if refusal.code != "bad_log" or older is None:
                raise
            # Sound in itself, it contradicts what is remembered: a restored box, or one that lies.
            _, _, shown = check_found(answer, who.name, who.box, None, None)
            self.logs.contradict(host, older, note)
            raise Refusal("bad_log", reason=_told(host, older, shown)) from refusal
        if older is None or head.size > older.size:
            self.logs.keep(host, head, note)
        for bundle in bundles:
            self._bundles[bundle.device] = bundle
        return Found(answer.entry, entry)

    def bundle(self, device: bytes) -> Bundle | None:
        """The bundle of a device as last looked up."""
        return self._bundles.get(device)

    async def take(self, address: str, devices: list[Device]) -> dict[bytes, OneTimePrekey]:
        """A one-time prekey of each device, where there is one that it signed."""
        taken = await self._core.member.take_prekeys(address, [device.device for device in devices])
        found: dict[bytes, OneTimePrekey] = {}
        for device in devices:
            for one in taken.prekeys:
                if one.device == device.device and one.prekey and _is_good(one.prekey, device):
                    found[device.device] = one.prekey
        return found

    def is_good(self, prekey: OneTimePrekey, device: Device) -> bool:
        """Whether a prekey is signed by this device."""
        return _is_good(prekey, device)

    def is_fresh(self, person: records.Person) -> bool:
        """Whether the entry was looked at not long ago."""
        return bool(person.entry) and self._core.now() - person.checked < FRESH_SECONDS

    async def refresh(self, conversation: str) -> Entry:
        """Look a correspondent up again; notices another identity, refuses an older entry of the same."""
        chat = self._core.chats.get(conversation)
        if chat is None:
            raise Refusal("no_contact")
        person = chat.person
        found = await self.find(Address(person.name, onion.public_key(person.onion)))
        identity, before = found.entry.identity, entry_of(person)
        same = identity == person.identity
        if same and before is not None and found.entry.revision < before.revision:
            raise Refusal("old_entry")
        news = not same and (person.change is None or person.change.identity != identity)
        checked, hour = self._core.now(), self._core.hour()

        def change(now: records.Person | None) -> records.Person | None:
            if now is None:
                return None
            if same:
                return msgspec.structs.replace(now, entry=found.signed, checked=checked, change=None)
            return msgspec.structs.replace(now, change=records.KeyChange(identity, hour))

        async def step(batch: Batch) -> None:
            batch.change(records.person(conversation), records.Person, change)
            if news:
                self._core.chats.notice(batch, conversation, "key_changed")

        await self._core.ledger.run(step)
        self._outdated.discard(conversation)
        return found.entry

    def meet(self, conversation: str, device: bytes) -> None:
        """Somebody writes from this device: if their entry does not name it, it is looked at again."""
        chat = self._core.chats.get(conversation)
        entry = entry_of(chat.person) if chat else None
        if entry is not None and all(one.device != device for one in entry.devices):
            self._outdated.add(conversation)
            self._core.soon(self._renew, conversation)

    def is_outdated(self, conversation: str) -> bool:
        """Whether somebody has a device that their entry as it is remembered does not name."""
        return conversation in self._outdated

    async def _renew(self, conversation: str) -> None:
        if conversation in self._outdated:
            await self.refresh(conversation)


def entry_of(person: records.Person) -> Entry | None:
    """The entry as it is remembered."""
    try:
        return prekeys.read_entry(person.entry) if person.entry else None
    except Refusal:
        return None


def _told(host: str, older: Head, shown: Head) -> str:
    """What may have happened, and what to do."""
    shorter = shown.size < older.size
    how = f"it has {shown.size} entries and had {older.size}" if shorter else "it is another one"
    return (
        f"{how}. Either the box was restored from an old copy, and what its people changed since is missing, "
        "or it lies and shows you other keys than others; from here these look alike. Ask who runs it, "
        f"compare safety numbers, and only then: island message trust-box {host}"
    )


def _is_good(prekey: OneTimePrekey, device: Device) -> bool:
    try:
        prekeys.check_one_time(prekey, device)
    except Refusal:
        return False
    return True
