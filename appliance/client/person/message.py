"""What a program sees of a conversation: contacts and messages, plain values with a few verbs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from appliance.client.person.person import Person

State = Literal["", "waiting", "relay", "box", "delivered", "read", "failed"]


@dataclass(frozen=True, repr=False)
class File:
    """An attachment, not yet fetched. `unsent`: mine, and not all of it was handed over; see `send_file`."""

    name: str
    media: str
    size: int
    unsent: bool = False


@dataclass(frozen=True, repr=False)
class Contact:
    """Somebody: `state` is contact, request (wrote first, not answered) or blocked.

    `zone`: the name of their time zone as they say, empty when not told; `picture`: whether they show one.
    `key_changed`: another identity stands under the name now, nothing is sent before that is accepted.
    """

    address: str
    display: str
    state: str
    verified: bool
    key_changed: bool
    unread: int
    last: str
    at: int
    zone: str = ""
    picture: bool = False


@dataclass(frozen=True, repr=False)
class Message:
    """One message. `kind`: text, attachment, timer, notice or unknown; `state` of one's own only.

    `unreadable`: "asked" when it could not be read and was asked for again, "newer" when a newer version
    made it. `answers` is the id of the message it is a reply to.
    """

    id: str
    address: str
    mine: bool
    kind: str
    text: str
    sent: int
    state: State
    answers: str | None
    reactions: dict[str, int]
    edited: bool
    deleted: bool
    expires: int | None
    attachment: File | None
    unreadable: str | None
    problem: str | None
    _person: Person = field(compare=False)

    async def answer(self, text: str) -> Message:
        """Say something to whom this message is from or to."""
        return await self._person.send(self.address, text)

    async def reply(self, text: str) -> Message:
        """Say something about this message; it is shown with it."""
        return await self._person.send(self.address, text, reply=self.id)

    async def react(self, emoji: str) -> None:
        """Put a reaction to it; "" takes it back."""
        await self._person.react(self.address, self.id, emoji)

    async def edit(self, text: str) -> None:
        """Other words, for one of one's own."""
        await self._person.edit(self.address, self.id, text)

    async def delete(self, everywhere: bool = True) -> None:
        """Take it away; `everywhere` also at the other side, for one of one's own."""
        await self._person.delete(self.address, self.id, everywhere)

    async def mark_read(self) -> None:
        """It was seen."""
        await self._person.mark_read(self.address, [self.id])

    async def content(self) -> bytes:
        """The attachment's octets; Refusal not_found while they have not arrived."""
        return await self._person.fetch(self.address, self.id)
