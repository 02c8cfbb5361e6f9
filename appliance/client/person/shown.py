"""Entries and conversations as programs see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.client.person.chats import Chat
from appliance.client.person.dispatcher import stage
from appliance.client.person.message import Contact, File, Message, State
from appliance.client.person.timeline import MINE, THEIRS, Entry
from appliance.client.person.whole import together

if TYPE_CHECKING:
    from appliance.client.person.core import Core
    from appliance.client.person.person import Person


def contact_of(chat: Chat) -> Contact:
    """The other side of a conversation."""
    person, talk = chat.person, chat.talk
    return Contact(
        address=f"{person.name}@{person.onion}",
        display=person.display,
        state=talk.state,
        verified=person.verified,
        key_changed=person.change is not None,
        unread=len(talk.fresh),
        last=talk.last.text if talk.last else "",
        at=talk.last.at if talk.last else 0,
        zone=person.zone,
        picture=bool(person.picture),
    )


def shown(me: Person, core: Core, chat: Chat, entry: Entry) -> Message:
    """An entry of a conversation as programs see it."""
    person, said = chat.person, entry.content or {}
    kind = said.get("kind", "")
    shown = kind if kind in ("text", "attachment", "timer") else "unknown"
    file = None
    if kind == "attachment" and not entry.deleted:
        file = File(said["name"], said["media"], said["size"], core.uploads.is_open(entry.id))
    reactions: dict[str, int] = {}
    for _, emoji in entry.reactions.values():
        if emoji:
            reactions[emoji] = reactions.get(emoji, 0) + 1
    return Message(
        id=entry.id.hex(),
        address=f"{person.name}@{person.onion}",
        mine=entry.by == MINE and entry.notice is None,
        kind="notice" if entry.notice else shown,
        text=entry.notice or entry.text,
        sent=min(said.get("sent", entry.at), entry.at),
        state=_state(core, entry),
        answers=said["reply"].hex() if said.get("reply") else None,
        reactions=reactions,
        edited=entry.edit is not None and not entry.deleted,
        deleted=entry.deleted,
        expires=entry.expires,
        attachment=file,
        unreadable="asked" if entry.lost else "newer" if kind == "newer" else None,
        problem=entry.failed,
        _person=me,
    )


def _state(core: Core, entry: Entry) -> State:
    if entry.by == THEIRS or entry.notice:
        return ""
    if entry.read:
        return "read"
    known = core.dispatcher.states.get(entry.dispatch or b"")
    parts = core.dispatcher.parts(entry.id)
    whole = stage(together([*([known] if known else []), *parts])) if known or parts else None
    # Its message came, but chunks of it wait here still, or are given up.
    if entry.delivered and not (parts and whole in ("waiting", "failed")):
        return "delivered"
    if whole is None and entry.failed is None and core.dispatcher.is_over(entry.dispatch):
        return "box"
    return "failed" if entry.failed and known is None else whole or "waiting"
