"""A conversation as its events tell it.

Events come in any order, from several devices, some twice; what they add up to does not depend on that. An
edit, deletion or reaction counts only from whom it may come, and waits for its target when that is not there
yet. The events are those of `web/src/state/messenger/records.ts`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

Event = dict[str, Any]

SHOWN: Final = frozenset({"text", "attachment", "timer", "newer"})
MINE: Final = 0
THEIRS: Final = 1


@dataclass
class Entry:
    """One line of a conversation."""

    id: bytes
    at: int
    by: int = MINE
    content: dict[str, Any] | None = None
    dispatch: bytes | None = None
    device: bytes | None = None
    edit: tuple[int, str] | None = None
    deleted: bool = False
    removed: bool = False
    reactions: dict[int, tuple[int, str]] = field(default_factory=dict)
    delivered: set[bytes] = field(default_factory=set)
    read: set[bytes] = field(default_factory=set)
    started: int = 0
    failed: str | None = None
    notice: str | None = None
    lost: bool = False

    @property
    def text(self) -> str:
        """The words as they stand now."""
        if self.deleted or self.content is None:
            return ""
        if self.edit is not None:
            return self.edit[1]
        return str(self.content.get("text") or "") if self.content["kind"] in ("text", "attachment") else ""

    @property
    def expires(self) -> int | None:
        """The second at which it disappears: mine after sending, theirs after I read it."""
        timer = (self.content or {}).get("timer", 0)
        if not timer or (self.content or {}).get("kind") == "timer":
            return None
        if self.by == MINE:
            return int(self.at + timer)
        return int(self.started + timer) if self.started else None


class Timeline:
    """The entries of one conversation."""

    def __init__(self) -> None:
        self.entries: dict[bytes, Entry] = {}
        self._others: dict[bytes, dict[str, Any]] = {}
        self._waiting: dict[bytes, list[Event]] = {}
        self._healed: dict[bytes, int] = {}

    def said(self, id: bytes) -> dict[str, Any] | None:
        """The content with this id, also one that is not shown (a reaction, an edit)."""
        entry = self.entries.get(id)
        return (entry.content if entry else None) or self._others.get(id)

    def is_lost(self, device: bytes) -> bool:
        """Whether something of this device could not be read and nothing came after it."""
        return any(e.lost and e.device == device and self._is_shown(e) for e in self.entries.values())

    def has_notice(self, notice: str) -> bool:
        """Whether this notice was given."""
        return any(entry.notice == notice for entry in self.entries.values())

    def shown(self) -> list[Entry]:
        """The entries that are shown, oldest first."""
        entries = [entry for entry in self.entries.values() if self._is_shown(entry)]
        # Within one second the order in which they were written counts.
        return sorted(entries, key=lambda entry: entry.at)

    def apply(self, events: list[Event]) -> None:
        """Take events in."""
        for event in events:
            self._one(event)

    def _is_shown(self, entry: Entry) -> bool:
        if entry.removed:
            return False
        return not entry.lost or entry.at > self._healed.get(entry.device or b"", -1)

    def _one(self, event: Event) -> None:
        match event["k"]:
            case "m":
                self._said(event)
            case "h":
                device = event["dev"]
                self._healed[device] = max(event["at"], self._healed.get(device, 0))
            case "n":
                self.entries.setdefault(event["id"], Entry(event["id"], event["at"], notice=event["what"]))
            case "l":
                lost = Entry(event["id"], event["at"], THEIRS, device=event["dev"], lost=True)
                self.entries.setdefault(event["id"], lost)
            case "r" | "s" | "x":
                for target in event["t"]:
                    self._on(target, {**event, "t": [target]})
            case "f":
                self._on(event["id"], event)

    def _said(self, event: Event) -> None:
        content = event["c"]
        if content["kind"] in SHOWN or content["kind"] == "gone":
            self._message(event, content)
            return
        if event["by"] == MINE:
            self._others[content["id"]] = content
        if content["kind"] in ("reaction", "edit", "delete"):
            self._on(content["target"], event)

    def _message(self, event: Event, content: dict[str, Any]) -> None:
        id, gone = content["id"], content["kind"] == "gone"
        entry = self.entries.get(id)
        if entry is not None and entry.content is not None:
            if entry.by != event["by"]:
                return
            # The same message read by two devices: the earlier arrival counts.
            entry.at = min(entry.at, event["at"])
            entry.dispatch = event.get("d") or entry.dispatch
            entry.deleted = entry.deleted or gone
            return
        entry = entry or Entry(id, event["at"])
        entry.by, entry.at, entry.content = event["by"], event["at"], content
        entry.deleted = entry.deleted or gone
        entry.dispatch, entry.device = event.get("d"), event.get("dev")
        self.entries[id] = entry
        self.apply(self._waiting.pop(id, []))

    def _on(self, target: bytes, event: Event) -> None:
        entry = self.entries.get(target)
        if entry is None:
            self._waiting.setdefault(target, []).append(event)
            return
        match event["k"]:
            case "r" if entry.by == MINE:
                (entry.delivered if event["what"] == "delivered" else entry.read).add(event["dev"])
            case "s":
                entry.started = entry.started or event["at"]
            case "x":
                entry.removed = True
            case "f":
                entry.failed = event["code"]
            case "m":
                self._about(entry, event["by"], event["c"])

    def _about(self, entry: Entry, by: int, content: dict[str, Any]) -> None:
        """A reaction, edit or deletion of a message that is here."""
        sent = content["sent"]
        if content["kind"] == "reaction":
            if by not in entry.reactions or entry.reactions[by][0] <= sent:
                entry.reactions[by] = (sent, content["emoji"])
        elif entry.by == by and content["kind"] == "edit":
            if entry.edit is None or entry.edit[0] <= sent:
                entry.edit = (sent, content["text"])
        elif entry.by == by and content["kind"] == "delete":
            entry.deleted = True
