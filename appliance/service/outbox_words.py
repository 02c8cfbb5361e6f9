"""What state an item on its way is in, in a sentence that its sender understands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

from appliance.protocol import onion
from appliance.protocol.card import read_card
from appliance.protocol.codec import to_text
from appliance.protocol.desk import ItemKind, OutboxItem
from appliance.store import outbox
from appliance.store.contacts import Contact
from appliance.store.outbox import Progress

Shown = Literal["uploading", "sealing", "trying", "waiting", "at_relays", "sent", "delivered", "given_up"]

_REASONS: Final = {
    "unreachable": "Their box is off and no relay of theirs could be reached.",
    "tor_off": "Tor is not connected yet.",
    "full": "There is no more room for them until they collect.",
    "no_relay": "Their box is off and no relay of theirs is known.",
    "refused": "Their box or relay refuses; their address card may be out of date.",
}


def shown_state(progress: Progress) -> Shown:
    """The state the desk shows, from the state the store keeps."""
    if progress.state != "sending":
        return progress.state
    if progress.direct == progress.parts:
        return "sent"
    if not progress.pending:
        return "at_relays"
    return "waiting" if progress.tries else "trying"


def describe(
    item: outbox.OutboxItem, progress: Progress, contact: Contact | None, now: int, wanted: int
) -> OutboxItem:
    """The row of one item."""
    relays = 0 if contact is None else _relays_used(contact, wanted)
    state = shown_state(progress)
    kind: ItemKind = "file" if item.kind == "file" else "note"
    return OutboxItem(
        id=to_text(item.id),
        contact=onion.address(item.contact),
        contact_name="" if contact is None else contact.name,
        kind=kind,
        name=item.name,
        size=item.size,
        state=state,
        words=_words(state, progress, relays, item.size),
        created=item.created,
        horizon=item.horizon,
        parts=progress.parts,
        parts_direct=progress.direct,
        parts_held=progress.held,
        relays=relays,
        expires=progress.expires_hour * 3600 or None,
        next_try=max(progress.next_try, now) if state in ("trying", "waiting") else None,
        reason=progress.reason or None,
    )


def _words(state: Shown, progress: Progress, relays: int, size: int) -> str:
    if state == "uploading":
        return f"Uploading to your box: {100 * progress.uploaded // max(size, 1)} %."
    if state == "sealing":
        return f"Sealing: {progress.sealed} of {progress.parts} parts."
    if state == "delivered":
        return "Delivered."
    if state == "sent":
        return "Their box has it."
    if state == "at_relays":
        return f"Their box is off. Waiting at {_count(relays)} until {_day(progress.expires_hour)}."
    if state == "given_up":
        return (
            "Given up: the contact was removed." if progress.reason == "no_contact" else "Given up: too old."
        )
    if state == "trying":
        return "Trying their box."
    why = _REASONS.get(progress.reason, _REASONS["unreachable"])
    placed = progress.direct + progress.held
    part = f" {placed} of {progress.parts} parts are placed." if placed else ""
    return f"{why}{part} Trying again."


def _relays_used(contact: Contact, wanted: int) -> int:
    card = read_card(contact.card)
    return min(wanted, len({route.onion for route in card.routes if route.onion != contact.identity}))


def _count(relays: int) -> str:
    return "1 relay" if relays == 1 else f"{relays} relays"


def _day(hour: int) -> str:
    date = datetime.fromtimestamp(hour * 3600, UTC)
    return f"{date.day} {date:%B}"
