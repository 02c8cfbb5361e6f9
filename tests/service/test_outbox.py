"""What the sender reads of an item on its way, in every state."""

from __future__ import annotations

import os

import pytest

from appliance.protocol.card import Route
from appliance.service.outbox_words import describe, shown_state
from appliance.store.contacts import Contact
from appliance.store.outbox import OutboxItem, Progress
from tests.acts import Stranger

NOW = 1_800_000_000
ANN = Stranger("Ann")
ROUTES = [Route(Stranger().key.public, os.urandom(20), bytes(32)) for _ in range(3)]
CONTACT = Contact(ANN.key.public, "Ann", ANN.card(*ROUTES), NOW)
ITEM = OutboxItem(bytes(16), ANN.key.public, "file", "a.txt", 200, NOW, NOW + 1000)


def progress(state: str, **numbers: object) -> Progress:
    start = Progress("sending", 4, 4, 0, 0, 0, 0, 200, 0, NOW + 1000, 0, "")
    return start._replace(state=state, **numbers)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        (progress("uploading", uploaded=50), "uploading", "Uploading to your box: 25 %."),
        (progress("sealing", sealed=1), "sealing", "Sealing: 1 of 4 parts."),
        (progress("sending"), "trying", "Trying their box."),
        (
            progress("sending", tries=1, reason="tor_off"),
            "waiting",
            "Tor is not connected yet. Trying again.",
        ),
        (
            progress("sending", tries=2, held=1, reason="full"),
            "waiting",
            "There is no more room for them until they collect. 1 of 4 parts are placed. Trying again.",
        ),
        (
            progress("sending", held=4, expires_hour=NOW // 3600 + 24),
            "at_relays",
            "Their box is off. Waiting at 2 relays until 16 January.",
        ),
        (progress("sending", direct=3, held=1, expires_hour=NOW // 3600), "at_relays", None),
        (progress("sending", direct=4), "sent", "Their box has it."),
        (progress("delivered"), "delivered", "Delivered."),
        (progress("given_up", reason="horizon"), "given_up", "Given up: too old."),
        (progress("given_up", reason="no_contact"), "given_up", "Given up: the contact was removed."),
    ],
)
def test_every_state_has_its_words(found: Progress, state: str, words: str | None) -> None:
    row = describe(ITEM, found, CONTACT, NOW, 2)
    assert (row.state, row.contact, row.contact_name) == (state, ANN.address, "Ann")
    assert shown_state(found) == state
    assert words in (None, row.words)
    assert (row.next_try is None) == (state not in ("trying", "waiting"))


def test_an_item_outlives_its_contact() -> None:
    row = describe(ITEM, progress("given_up", reason="no_contact"), None, NOW, 2)
    assert (row.contact_name, row.relays) == ("", 0)


def test_an_empty_file_is_no_division_by_nothing() -> None:
    empty = OutboxItem(bytes(16), ANN.key.public, "file", "a.txt", 0, NOW, NOW + 1000)
    assert describe(empty, progress("uploading", uploaded=0), CONTACT, NOW, 2).words.endswith(" 0 %.")
