"""What people show of themselves: one's own profile as contacts are told it, and the pictures of others."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET, UnsetType

from appliance.client.person import records
from appliance.client.person.ledger import Batch
from appliance.protocol import content
from appliance.protocol.content import VERSION, Profile

if TYPE_CHECKING:
    from appliance.client.person.core import Core

_NO_ID: Final = bytes(16)


class Appearance:
    """One's own profile, and who looks how."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @property
    def display(self) -> str:
        """The name that contacts see beside the address; empty for none."""
        return self._core.account.display

    @property
    def zone(self) -> str:
        """The IANA name of the zone in which one's own pages show times; empty for that of each browser."""
        return self._core.account.zone

    @property
    def tells_zone(self) -> bool:
        """Whether contacts are told the zone."""
        return self._core.account.settings.zone

    async def picture(self) -> bytes | None:
        """One's own picture, a JPEG."""
        return await self._read(self._own)

    async def picture_of(self, address: str) -> bytes | None:
        """The picture that somebody shows, a JPEG; Refusal bad_address, no_contact."""
        return await self._read(self._core.chats.at(address).id)

    async def change(
        self,
        *,
        display: str | UnsetType = UNSET,
        picture: bytes | UnsetType | None = UNSET,
        zone: str | UnsetType = UNSET,
        tell_zone: bool | UnsetType = UNSET,
    ) -> None:
        """Change what is named and tell contacts; a picture as `protocol.picture` reads it, None for none.

        Refusal bad_message for what nobody could read.
        """
        said = Profile(VERSION, _NO_ID, 0, display or "", picture or None, zone or None)
        content.write(said)
        mark = UNSET if picture is UNSET else mark_of(picture)
        words = {"display": display, "zone": zone, "picture": mark}
        changed = {name: value for name, value in words.items() if value is not UNSET}

        def account(now: records.Account | None) -> records.Account | None:
            if now is None:
                return None
            settings = now.settings
            if tell_zone is not UNSET:
                settings = msgspec.structs.replace(settings, zone=tell_zone)
            return msgspec.structs.replace(now, settings=settings, **changed)

        async def step(batch: Batch) -> None:
            batch.change(records.ACCOUNT, records.Account, account)
            if picture is not UNSET:
                _put(batch, self._own, picture)

        await self._core.ledger.run(step)
        await self._core.routes.settle()

    def marks(self) -> tuple[str, bytes, str]:
        """What becomes another when the profile does: display, mark of the picture, zone."""
        account = self._core.account
        return account.display, account.picture, account.zone if account.settings.zone else ""

    async def profile(self) -> tuple[str, bytes | None, str | None]:
        """One's own profile as it is told: display, picture, zone."""
        display, mark, zone = self.marks()
        return display, await self._read(self._own) if mark else None, zone or None

    async def take(self, batch: Batch, conversation: str, said: Profile) -> None:
        """A contact shows this of themselves."""
        name, mark = records.person(conversation), mark_of(said.picture)
        before = await batch.get(name, records.Person)

        def person(now: records.Person | None) -> records.Person | None:
            if now is None:
                return None
            return msgspec.structs.replace(now, display=said.display, picture=mark, zone=said.zone or "")

        batch.change(name, records.Person, person)
        if before is not None and before.picture != mark:
            _put(batch, conversation, said.picture)

    @property
    def _own(self) -> str:
        return self._core.identity.public.hex()

    async def _read(self, id: str) -> bytes | None:
        record = await self._core.vault.get(records.picture(id), records.Picture)
        return record.picture if record else None


def mark_of(picture: bytes | None) -> bytes:
    """What tells a picture from others; empty for none."""
    return hashlib.sha256(picture).digest()[:8] if picture else b""


def _put(batch: Batch, id: str, picture: bytes | None) -> None:
    record = records.Picture(1, picture) if picture else None
    batch.change(records.picture(id), records.Picture, lambda _: record)
