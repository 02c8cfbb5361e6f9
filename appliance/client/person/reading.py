"""What a received content does: to the log, to the list of conversations, to what we know of its sender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from appliance.client.person import channel_keys, records, telling, unread
from appliance.client.person.chats import Chat, line, with_id
from appliance.client.person.ledger import Batch
from appliance.client.person.timeline import THEIRS
from appliance.errors import Refusal
from appliance.protocol import codec, onion
from appliance.protocol.certificate import Certificate
from appliance.protocol.content import Profile
from appliance.protocol.group_cipher import Recipient
from appliance.protocol.membership import Member
from appliance.protocol.route import Route

if TYPE_CHECKING:
    from appliance.client.person.core import Core
    from appliance.client.person.inbound import Effects

MAX_REQUESTS: Final = 100
MAX_UNANSWERED: Final = 10
"""Messages of somebody who was not accepted yet."""
MESSAGES: Final = frozenset({"text", "attachment", "newer"})
TOLD: Final = frozenset({"routes", "profile", "hello"})
"""What is acknowledged to the device that said it, since it says it again until then."""
MAX_HEARD: Final = 32


class Reading:
    """Takes contents in."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def sender(self, certificate: Certificate, co_member: bool = False) -> str | None:
        """The conversation of a certificate's holder; None when nothing of them is wanted.

        A co-member of a channel needs no place among the requests.
        """
        core = self._core
        if certificate.identity == core.identity.public:
            return None
        known = core.chats.by_identity(certificate.identity)
        if known is not None:
            return None if core.chats.state(known) == "blocked" else known
        named = core.chats.by_address(certificate.name, onion.address(certificate.onion))
        if named is not None and core.chats.state(named) != "request":
            # Somebody else writes under a name we know: only their directory can say that it is theirs now.
            core.soon(core.people.refresh, named)
            return None
        return None if self._is_full() and not co_member else certificate.identity.hex()

    def enter(self, batch: Batch, id: str, certificate: Certificate) -> None:
        """A stranger gets a place among the requests; a new device of somebody known is looked up."""
        core = self._core
        if core.chats.get(id) is not None:
            core.people.meet(id, certificate.device)
            return
        self._add(batch, id, certificate)

    def _meet(self, batch: Batch, record: records.Session) -> None:
        """Who had only a channel in common with us writes in that session: a request."""
        core = self._core
        member = core.channels.rooms.member(record.peer.identity)
        if member is None or self._is_full():
            return
        if core.chats.by_address(member.name, onion.address(member.onion)) is None:
            self._add(batch, record.conversation, member)

    def _is_full(self) -> bool:
        requests = [chat for chat in self._core.chats.all if chat.talk.state == "request"]
        return len(requests) >= MAX_REQUESTS

    def _add(self, batch: Batch, id: str, who: Certificate | Member) -> None:
        core, host = self._core, onion.address(who.onion)
        person = records.Person(1, who.name, host, who.identity, "", False, b"", 0, None)
        batch.change(records.talk(id), records.Talk, lambda now: now or records.new_talk("request"))
        batch.change(records.person(id), records.Person, lambda now: now or person)
        batch.change(records.INDEX, records.Index, with_id(id))
        batch.after.append(lambda: core.chats.add(id))

    async def take(
        self, batch: Batch, record: records.Session, said: dict[str, Any], effects: Effects
    ) -> None:
        """Take in what a device of somebody said."""
        core, id = self._core, record.conversation
        if said["kind"] in channel_keys.KINDS:  # for a channel, not for this conversation
            sender = Recipient(record.peer.identity, record.peer.device)
            wanted = core.chats.state(id) != "blocked"
            if wanted and await core.channels.rooms.knows(sender.identity, said["channel"]):
                await core.channels.keys.take(batch, sender, said)
            return
        if said["kind"] in MESSAGES and core.chats.get(id) is None:
            self._meet(batch, record)
        talk = await batch.get(records.talk(id), records.Talk)
        if talk is None or talk.state == "blocked":
            return
        device = record.peer.device
        if said["kind"] in TOLD and talk.state == "contact":
            heard = effects.heard.setdefault(device, [])
            heard += [said["id"]][: MAX_HEARD - len(heard)]
        match said["kind"]:
            case "routes":
                routes = codec.convert(said["routes"], list[Route])
                name = records.session(core.seat.device, device)
                batch.set(name, msgspec.structs.replace(record, routes=routes))
            case "profile":
                if talk.state == "contact":
                    await core.appearance.take(batch, id, codec.convert(said, Profile))
            case "hello":
                chat = core.chats.get(id)
                if chat is not None and talk.state == "contact" and not chat.timeline.has_notice("accepted"):
                    core.chats.notice(batch, id, "accepted")
                batch.after.append(lambda: core.soon(core.routes.tell_anew, device))
            case "resync":
                batch.after.append(lambda: core.soon(core.resync.answer, id, device))
            case "receipt":
                targets = self._heard(batch, record, said)
                if talk.state == "contact" and targets:
                    event = {"k": "r", "at": core.now(), "what": said["what"], "t": targets}
                    batch.log(id, {**event, "dev": device})
                    core.chats.show(batch, id)
            case _:
                await self._said(batch, device, talk, said, effects, id)

    def _heard(self, batch: Batch, record: records.Session, said: dict[str, Any]) -> list[bytes]:
        """Take from a receipt what the device was told of us; the messages that are left."""
        targets: list[bytes] = said["targets"]
        told = {id for tell in record.tells for id in tell.ids}.intersection(targets)
        if told:
            name = records.session(self._core.seat.device, record.peer.device)
            batch.set(name, telling.acknowledged(record, told))
        return [one for one in targets if one not in told]

    async def _said(
        self, batch: Batch, device: bytes, talk: records.Talk, said: dict[str, Any], effects: Effects, id: str
    ) -> None:
        core, now, message = self._core, self._core.now(), said["kind"] in MESSAGES
        # What is no message is not counted, so a stranger could go on with it without end.
        if talk.state == "request" and (not message or len(talk.fresh) >= MAX_UNANSWERED):
            return
        chat = core.chats.get(id)
        if chat is not None:
            await chat.begin()
            if message and unread.needs_log(talk, said["id"], said["sent"]):
                await chat.reach(said["id"])
        if message and talk.state == "contact":
            effects.receipts.setdefault(id, []).append(said["id"])
        if chat is not None and chat.timeline.is_lost(device):
            batch.log(id, {"k": "h", "at": now, "dev": device})
            core.chats.show(batch, id)
        if said["kind"] == "attachment" and (chat is None or self._is_wanted(chat, talk, said)):
            core.files.want(batch, said)
        if _is_known(chat, batch, id, said["id"]) or (message and unread.was_taken(talk, said["id"])):
            return
        batch.log(id, {"k": "m", "at": now, "by": THEIRS, "c": said, "dev": device})
        core.chats.show(batch, id)
        if said["kind"] == "timer":
            batch.talk(id, lambda one: msgspec.structs.replace(one, timer=said["seconds"]))
        elif said["kind"] == "delete":
            batch.after.append(lambda: core.soon(core.scrub.messages, id, [said["target"]]))
        if message:
            batch.talk(id, lambda one: _with_message(talk, one, said, now))

    def _is_wanted(self, chat: Chat, talk: records.Talk, said: dict[str, Any]) -> bool:
        """Whether the chunks of an attachment are to be kept: not of one that was deleted or disappeared."""
        entry = chat.timeline.entries.get(said["id"])
        if entry is not None:
            return not (entry.removed or entry.deleted)
        return not (said.get("timer") and unread.was_taken(talk, said["id"]))


def _is_known(chat: Chat | None, batch: Batch, id: str, message: bytes) -> bool:
    """Whether a content is in the log already, or in this batch."""
    if chat is not None and message in chat.timeline.entries:
        return True
    return any(event["k"] == "m" and event["c"]["id"] == message for event in batch.events.get(id, []))


def _with_message(before: records.Talk, talk: records.Talk, said: dict[str, Any], now: int) -> records.Talk:
    if not unread.follows(before, talk):
        raise Refusal("vault_conflict")  # another device went on without us: the queue is read anew
    talk = unread.take(talk, said["id"], said["sent"])
    last = line(said, now, False) if talk.last is None or talk.last.at <= now else talk.last
    return msgspec.structs.replace(talk, last=last)
