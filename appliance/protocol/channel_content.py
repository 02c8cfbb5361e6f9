"""What one message of a channel says; one frozen type for each kind, most of them as between two people."""

from __future__ import annotations

import re
from typing import Annotated, Final

import msgspec

from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.channel_message import MAX_PAYLOAD
from appliance.protocol.content import Attachment, Common, Delete, Life, Reaction, read_one
from appliance.protocol.membership import Member, State
from appliance.protocol.messages import Bytes16

MAX_TEXT: Final = 16_000
"""Code points."""
MAX_MENTIONS: Final = 64

Words = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]


class Text(Common, tag_field="kind", tag="text"):
    """Words, perhaps in reply to a message; whoever stands in them as @name is mentioned."""

    text: Words
    reply: Bytes16 | None = None
    timer: Life | None = None


class Edit(Common, tag_field="kind", tag="edit"):
    """New words for a message of one's own."""

    target: Bytes16
    text: Words
    timer: Life | None = None


class Pin(Common, tag_field="kind", tag="pin"):
    """A message is to be found easily from now on, or no more; counts from moderators and owners."""

    target: Bytes16
    on: bool
    timer: Life | None = None


Content = Text | Attachment | Reaction | Edit | Delete | Pin

_KINDS: Final[dict[str, type[Content]]] = {
    "text": Text,
    "attachment": Attachment,
    "reaction": Reaction,
    "edit": Edit,
    "delete": Delete,
    "pin": Pin,
}

_MENTION: Final = re.compile(
    r"(?<![A-Za-z0-9_@.-])@([A-Za-z0-9](?:[A-Za-z0-9._-]{0,30}[A-Za-z0-9])?)(?![A-Za-z0-9_@])"
)


def write(content: Content) -> bytes:
    """The payload of a content; Refusal too_large, or bad_message when nobody could read it."""
    payload = codec.encode(content)
    if len(payload) > MAX_PAYLOAD:
        raise Refusal("too_large")
    read(payload)
    return payload


def read(payload: bytes) -> Content:
    """The content in a payload; Refusal unknown_version for a newer one or a new kind, else bad_message."""
    return read_one(payload, _KINDS)


def mentions(text: str, state: State) -> list[Member]:
    """The members whom these words mention as @name, in the order in which they do; at most 64."""
    named = dict.fromkeys(found.lower() for found in _MENTION.findall(text))
    by_name: dict[str, list[Member]] = {}
    for member in state.members.values():
        by_name.setdefault(member.name, []).append(member)
    return [member for name in named for member in by_name.get(name, [])][:MAX_MENTIONS]
