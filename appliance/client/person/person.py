"""A person's account from Python: write, hear, answer. See BOT.md for a bot of ten lines.

async with Person.open(profile) as me:
    async for message in me.messages():
        await message.reply(message.text.upper())
"""

from __future__ import annotations

import mimetypes
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
import trio

from appliance.client.entrance import Entrance
from appliance.client.http import ACCESS_COOKIE, Http
from appliance.client.moderation import Moderation
from appliance.client.person import entering, records
from appliance.client.person import profile as profiles
from appliance.client.person.appearance import Appearance
from appliance.client.person.arrivals import Arrivals
from appliance.client.person.boards import BoardDesk
from appliance.client.person.chats import Chat
from appliance.client.person.core import Core, Options
from appliance.client.person.entering import Entered
from appliance.client.person.ledger import Batch
from appliance.client.person.member import Member
from appliance.client.person.message import Contact, Message
from appliance.client.person.opening import followed, opened, saver
from appliance.client.person.shown import contact_of, shown
from appliance.client.person.timeline import MINE, Entry
from appliance.errors import Refusal
from appliance.protocol import onion, safety
from appliance.protocol.content import VERSION, Content, Delete, Edit, Reaction, Text, Timer
from appliance.protocol.post import DispatchState

USUAL: Final = Options()


class Person:
    """An account that is signed in and followed; any task may use it. See the ways in below."""

    def __init__(self, core: Core) -> None:
        self._core, self.boards, self.channels = core, BoardDesk(core), core.channels

    # Ways in

    @classmethod
    @asynccontextmanager
    async def register(
        cls,
        entrance: Entrance,
        name: str,
        passphrase: str,
        *,
        invite: str = "",
        profile: Path | None = None,
        options: Options = USUAL,
    ) -> AsyncIterator[Person]:
        """Make an account and open it; with `profile` it can be opened again without the passphrase."""
        async with Http(entrance) as http:
            entered = await entering.register(Member(http), name, passphrase, options.label, invite)
            async with opened(http, entered, profile, options) as core:
                yield cls(core)

    @classmethod
    @asynccontextmanager
    async def sign_in(
        cls,
        entrance: Entrance,
        name: str,
        passphrase: str,
        *,
        totp: str | None = None,
        profile: Path | None = None,
        options: Options = USUAL,
    ) -> AsyncIterator[Person]:
        """Sign in by passphrase and open the account."""
        async with Http(entrance) as http:
            entered = await entering.sign_in(Member(http), name, passphrase, options.label, totp)
            async with opened(http, entered, profile, options) as core:
                yield cls(core)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, profile: Path, entrance: Entrance | None = None, *, options: Options = USUAL
    ) -> AsyncIterator[Person]:
        """Open the account of a profile file; Refusal sign_in, in_use, damaged_store.

        `entrance` is needed where the box is reached through Tor.
        """
        with profiles.locked(profile):
            kept = profiles.load(profile)
            async with Http(entrance or profiles.entrance(kept)) as http:
                http.cookies.update(kept.cookies)
                save, sealed = saver(profile, kept, http), profiles.sealed(profile)
                entered = Entered(await Member(http).session(), kept.vault_key)
                async with followed(http, entered, kept.seat, save, options, sealed) as core:
                    yield cls(core)

    @classmethod
    @asynccontextmanager
    async def sign_in_by_code(
        cls,
        entrance: Entrance,
        name: str,
        code: str,
        *,
        profile: Path | None = None,
        options: Options = USUAL,
    ) -> AsyncIterator[Person]:
        """Sign in by a backup code, which is used up, and open the account."""
        async with Http(entrance) as http:
            entered = await entering.sign_in_by_code(Member(http), name, code, options.label)
            async with opened(http, entered, profile, options) as core:
                yield cls(core)

    @classmethod
    @asynccontextmanager
    async def sign_in_by_link(
        cls, entrance: Entrance, link: str, *, profile: Path | None = None, options: Options = USUAL
    ) -> AsyncIterator[Person]:
        """Sign in by the link that another device shows, and open the account."""
        async with Http(entrance) as http:
            entered = await entering.sign_in_by_link(Member(http), link, options.label)
            async with opened(http, entered, profile, options) as core:
                yield cls(core)

    @classmethod
    @asynccontextmanager
    async def open_beside(
        cls, profile: Path, beside: Path, entrance: Entrance | None = None, *, options: Options = USUAL
    ) -> AsyncIterator[Person]:
        """Open the account of a profile that another program has open, as one device more, kept in `beside`.

        Refusal in_use when that program has not been at the box for long.
        """
        kept = profiles.load(profile)
        way = entrance or profiles.entrance(kept)
        async with Http(way) as other, Http(way) as http:
            # Only the short-lived token: to renew it is the other program's business.
            other.cookies[ACCESS_COOKIE] = kept.cookies.get(ACCESS_COOKIE, "")
            try:
                link = await entering.leave_link(Member(other), kept.name, kept.vault_key)
            except Refusal as refusal:
                if refusal.code in ("session_ended", "sign_in"):
                    raise Refusal("in_use", reason="another program has this profile open") from refusal
                raise
            entered = await entering.sign_in_by_link(Member(http), link, options.label)
            async with opened(http, entered, beside, options) as core:
                yield cls(core)

    # Who I am

    @property
    def address(self) -> str:
        """My address, name@….onion."""
        return f"{self._core.session.name}@{self._core.session.onion}"

    @property
    def device(self) -> str:
        """This device, in hex."""
        return self._core.seat.device.hex()

    @property
    def appearance(self) -> Appearance:
        """What one shows to contacts, and what they show."""
        return self._core.appearance

    @property
    def moderation(self) -> Moderation:
        """Thanks and reports at one's own box."""
        return Moderation(self._core.member.http)

    @property
    def connection(self) -> str:
        """How news come: live, polling or offline."""
        return self._core.listening.connection

    # Writing

    async def send(self, address: str, text: str, reply: str | None = None) -> Message:
        """Say something to somebody; it is in the vault and with our box when this returns.

        Somebody not yet known is looked up; a request is accepted by it. Refusal no_account, unreachable…
        """
        chat = await self._core.chats.start(address)
        about = bytes.fromhex(reply) if reply else None
        said = Text(VERSION, *self._stamp(), text, about, chat.talk.timer or None)
        await self._say(chat, said)
        return self._shown(chat, chat.timeline.entries[said.id])

    async def send_file(self, address: str, path: Path, text: str | None = None) -> Message:
        """Send a file of at most some 32 MB; one that was interrupted goes on. Refusal too_large."""
        data = await trio.Path(path).read_bytes()
        media = mimetypes.guess_type(path.name)[0] or ""
        return await self.send_bytes(address, data, path.name, media, text)

    async def send_bytes(
        self, address: str, data: bytes, name: str, media: str = "", text: str | None = None
    ) -> Message:
        """The same for octets that are no file."""
        chat = await self._core.chats.start(address)
        self._check(chat)
        said = await self._core.uploads.send(chat.id, data, name, media, text, chat.talk.timer or None)
        return self._shown(chat, chat.timeline.entries[said.id])

    async def react(self, address: str, id: str, emoji: str) -> None:
        """Put a reaction to a message; "" takes it back. Refusal not_found."""
        chat, entry = await self._entry(address, id)
        await self._say(chat, Reaction(VERSION, *self._stamp(), entry.id, emoji))

    async def edit(self, address: str, id: str, text: str) -> None:
        """Other words for a message of mine; Refusal not_found, wrong_state."""
        chat, entry = await self._entry(address, id, mine=True)
        await self._say(chat, Edit(VERSION, *self._stamp(), entry.id, text))

    async def delete(self, address: str, id: str, everywhere: bool = True) -> None:
        """Take a message away, `everywhere` (one of mine) or here; Refusal not_found, wrong_state."""
        chat, entry = await self._entry(address, id, mine=everywhere)
        if everywhere:
            await self._say(chat, Delete(VERSION, *self._stamp(), entry.id))
        else:
            event = {"k": "x", "at": self._core.now(), "t": [entry.id]}

            async def step(batch: Batch) -> None:
                batch.log(chat.id, event)
                self._core.chats.show(batch, chat.id)

            await self._core.ledger.run(step)
        await self._core.scrub.messages(chat.id, [entry.id])

    async def set_timer(self, address: str, seconds: int) -> None:
        """From now on messages of this conversation disappear so long after being read; 0: never."""
        chat = self._core.chats.at(address)
        await self._core.chats.change_talk(chat.id, lambda talk: msgspec.structs.replace(talk, timer=seconds))
        await self._say(chat, Timer(VERSION, *self._stamp(), seconds))

    # Reading

    def messages(self, *, strangers: bool = False) -> Arrivals:
        """Every message not read yet, and then each that comes, for ever; see Arrivals.

        With `strangers` also those of people who were not accepted yet.
        """
        return Arrivals(self, self._core, ("contact", "request") if strangers else ("contact",))

    async def history(self, address: str, limit: int = 50) -> list[Message]:
        """The newest messages with somebody, oldest first."""
        chat = self._core.chats.at(address)
        await chat.begin()
        while chat.more and len(chat.timeline.shown()) < limit:
            await chat.older()
        now = self._core.now()
        shown = [entry for entry in chat.timeline.shown() if entry.expires is None or entry.expires > now]
        return [self._shown(chat, entry) for entry in shown[-limit:]]

    async def find(self, address: str, id: str) -> Message:
        """One message by its id or a beginning of it; Refusal not_found."""
        return self._shown(*await self._entry(address, id))

    async def mark_read(self, address: str, ids: list[str] | None = None) -> None:
        """These messages, or all, were seen."""
        chat = self._core.chats.at(address)
        await chat.begin()
        wanted = list(chat.talk.fresh) if ids is None else [bytes.fromhex(id) for id in ids]
        await self._core.receipts.mark_read(chat.id, wanted)

    async def fetch(self, address: str, id: str) -> bytes:
        """The octets of an attachment; Refusal not_found, not_opened."""
        _, entry = await self._entry(address, id)
        if entry.content is None or entry.content["kind"] != "attachment":
            raise Refusal("not_found")
        return await self._core.files.fetch(entry.content)

    def sending(self) -> list[DispatchState]:
        """How it stands with all that was handed to our box within the last day."""
        return list(self._core.dispatcher.states.values())

    async def news(self) -> None:
        """Wait until something changes in some conversation."""
        await self._core.news().wait()

    async def settled(self) -> None:
        """Wait until what waits in the queue is read and what was written is handed over."""
        await self._core.inbound.idle()
        await self._core.dispatcher.idle()

    # People

    def contacts(self) -> list[Contact]:
        """Everybody there is a conversation with, the latest first."""
        return [contact_of(chat) for chat in self._core.chats.all]

    async def add(self, address: str) -> Contact:
        """Look somebody up and begin a conversation, without writing yet."""
        return contact_of(await self._core.chats.start(address))

    async def accept(self, address: str) -> None:
        """Answer somebody's request: they become a contact."""
        await self._core.chats.accept(self._core.chats.at(address).id)

    async def block(self, address: str) -> None:
        """Hear no more of somebody."""
        await self._core.chats.block(self._core.chats.at(address).id)

    def safety(self, address: str) -> list[str]:
        """Twelve groups of five digits; the same at the other side, if nobody stands between."""
        return safety.digits(self._core.identity.public, self._core.chats.at(address).person.identity)

    async def reach(self, address: str) -> set[str]:
        """The onions at which somebody's devices take our mail: their box and their relays."""
        core, id = self._core, self._core.chats.at(address).id

        async def step(batch: Batch) -> set[str]:
            found: set[str] = set()
            for peer in core.ledger.peers(batch):
                await core.vault.read(records.session(core.seat.device, peer))
                session = await core.ledger.session(batch, peer)
                if session is not None and session.conversation == id:
                    found |= {onion.address(route.onion) for route in session.routes}
            return found

        return await core.ledger.run(step)

    async def verify(self, address: str, verified: bool = True) -> None:
        """The numbers were compared."""
        id = self._core.chats.at(address).id
        await self._core.chats.change_person(
            id, lambda person: msgspec.structs.replace(person, verified=verified)
        )

    async def accept_key(self, address: str) -> None:
        """Go on with the identity that stands under this name now."""
        await self._core.chats.accept_key(self._core.chats.at(address).id)

    async def trust_box(self, host: str) -> None:
        """Go on with the log that a box shows now; Refusal wrong_state where it contradicts nothing."""
        await self._core.people.logs.accept(host)

    async def new_codes(self, passphrase: str) -> list[str]:
        """Eight new backup codes, to be written down now; the old ones end. Refusal wrong_sign_in."""
        return await entering.new_codes(self._core.member, self._core.entered, passphrase)

    async def sign_out(self) -> None:
        """Give the seat up and end the sign-in; to be called last."""
        self._core.signed_out = True
        await self._core.close(leave=True)
        await self._core.member.sign_out()

    # Within

    def _stamp(self) -> tuple[bytes, int]:
        return secrets.token_bytes(16), self._core.now()

    def _shown(self, chat: Chat, entry: Entry) -> Message:
        return shown(self, self._core, chat, entry)

    async def _say(self, chat: Chat, content: Content) -> None:
        self._check(chat)
        if chat.talk.state == "request":
            await self._core.chats.accept(chat.id)
        await self._core.outbound.send(chat.id, content)
        self._core.soon(self._core.routes.settle)

    def _check(self, chat: Chat) -> None:
        if chat.talk.state == "blocked":
            raise Refusal("wrong_state", reason="this contact is blocked")
        if chat.person.change is not None:
            raise Refusal("wrong_state", reason="another identity stands under this name now")

    async def _entry(self, address: str, id: str, mine: bool = False) -> tuple[Chat, Entry]:
        """A message by its id or a beginning of it that only one has."""
        chat = self._core.chats.at(address)
        await chat.begin()
        while True:
            found = [
                entry for entry in chat.timeline.entries.values() if entry.id.hex().startswith(id.lower())
            ]
            if found or not chat.more:
                break
            await chat.older()
        if not id or len(found) != 1 or found[0].content is None:
            raise Refusal("not_found")
        if mine and found[0].by != MINE:
            raise Refusal("wrong_state", reason="only one's own messages can be changed")
        return chat, found[0]
