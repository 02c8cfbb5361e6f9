"""What stands in a channel's log, opened and put together: messages with their edits, reactions, pins."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from appliance.errors import Refusal
from appliance.protocol import channel as wire
from appliance.protocol import channel_content, channel_message
from appliance.protocol.channel_content import Content, Edit, Pin, Text
from appliance.protocol.content import Attachment, Delete, Reaction
from appliance.protocol.group_cipher import Heard, SenderKeys
from appliance.protocol.log import LogEntry
from appliance.protocol.membership import State

MESSAGE: Final = wire.KINDS.index("message")
WAITS: Final = "its key has not come yet"
TROUBLE: Final = {
    "out_of_step": "from before your time",
    "unknown_version": "made by a newer version",
    "repeated": "NOT GENUINE: shown a second time or out of order",
}


@dataclass(frozen=True)
class ChannelMessage:
    """One message as a reader may see it. `trouble`: why it cannot be read; then the rest is empty."""

    number: int
    hour: int
    id: str = ""
    name: str = ""
    own: bool = False
    sent: int = 0
    text: str = field(default="", repr=False)
    reply: str = ""
    edited: bool = False
    pinned: bool = False
    reactions: dict[str, str] = field(default_factory=dict)
    """By the names of those who reacted."""
    edits: tuple[int, ...] = ()
    """Numbers of the entries in which its author changed it."""
    trouble: str = ""


class ChannelTimeline:
    """Entries taken in the order of the log, up to number `last`.

    `wanted`: chains whose keys are missing; `oldest`: the first iteration of each chain that is there.
    """

    def __init__(self, cipher: SenderKeys, own: bytes) -> None:
        self._cipher = cipher
        self._own = own
        self._shown: dict[bytes, ChannelMessage] = {}
        self.wanted: dict[bytes, None] = {}
        self.oldest: dict[bytes, int] = {}
        self.last = 0

    @property
    def shown(self) -> list[ChannelMessage]:
        """The messages, oldest first."""
        return list(self._shown.values())

    def take(self, state: State, entry: LogEntry) -> None:
        """One more entry, and the roster's state at its place."""
        self.last = entry.number
        if entry.kind != MESSAGE:
            return
        if entry.body is None:
            self._trouble(entry, f"removed by its {entry.removed or 'author'}")
            return
        try:
            parts = channel_message.parse(entry.body)
            known = self.oldest.get(parts.chain, parts.iteration)
            self.oldest[parts.chain] = min(known, parts.iteration)
            heard = self._cipher.open(state, entry.number, entry.body)
            if heard is None:
                self.wanted[parts.chain] = None
                self._trouble(entry, WAITS)
            else:
                self._said(state, entry, heard, channel_content.read(heard.payload))
        except Refusal as refusal:
            self._trouble(entry, TROUBLE.get(refusal.code, "NOT GENUINE"))

    def _trouble(self, entry: LogEntry, words: str) -> None:
        self._shown[entry.id] = ChannelMessage(entry.number, entry.hour, trouble=words)

    def _said(self, state: State, entry: LogEntry, heard: Heard, said: Content) -> None:
        member = state.member(heard.sender.identity)
        name = member.name if member else ""
        if isinstance(said, Text | Attachment):
            if said.id in self._shown:
                return  # posted twice: it counts once
            self._shown[said.id] = ChannelMessage(
                entry.number,
                entry.hour,
                id=said.id.hex(),
                name=name,
                own=heard.sender.identity == self._own,
                sent=said.sent,
                text=said.text if isinstance(said, Text) else f"({said.name})",
                reply=said.reply.hex() if isinstance(said, Text) and said.reply else "",
            )
            return
        target = self._shown.get(said.target)
        if target is None:
            return
        match said:
            case Edit() if target.name == name:
                edits = (*target.edits, entry.number)
                target = replace(target, text=said.text, edited=True, edits=edits)
            case Delete() if target.name == name:
                target = replace(target, text="", trouble="removed by its author")
            case Reaction():
                others = {who: emoji for who, emoji in target.reactions.items() if who != name}
                target = replace(target, reactions={**others, name: said.emoji} if said.emoji else others)
            case Pin() if state.may(heard.sender.identity, "pin"):
                target = replace(target, pinned=said.on)
        self._shown[said.target] = target
