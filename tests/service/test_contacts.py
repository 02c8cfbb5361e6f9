"""Contacts: by card, by address, as a request; which card counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.errors import Refusal
from appliance.protocol.card import Route, card_text
from tests.acts import Stranger, card_of, deposit, outgoing, send_note, until_arrived, until_state
from tests.boxes import Net, running


async def test_by_card_and_by_address_it_is_the_same_contact(tmp_path: Path) -> None:
    net = Net()
    async with running(net, tmp_path / "alice") as alice:
        async with running(net, tmp_path / "bob") as bob:
            card = (await bob.desk.identity()).card
            seen = await alice.desk.preview(f"\n {card.lower()[:50]}  {card[50:]} ")
            assert (seen.address, seen.name, seen.own, seen.known) == (bob.ready.onion, "bob", False, False)
            contact = await alice.desk.add_contact(address=bob.ready.onion.upper())
            assert (contact.name, contact.direct, contact.request) == ("bob", True, False)
            assert (await alice.desk.preview(card)).known
            with pytest.raises(Refusal, match="contact_exists"):
                await alice.desk.add_contact(card=card)
            renamed = await alice.desk.add_contact(card=card, name="Robert")
            assert renamed.name == "Robert"
        with pytest.raises(Refusal, match="unreachable"):
            await alice.desk.add_contact(address=bob.ready.onion)
        assert (await alice.desk.preview((await alice.desk.identity()).card)).own


async def test_what_is_no_card_of_somebody_else_is_refused(tmp_path: Path) -> None:
    net, ann = Net(), Stranger("Ann")
    async with running(net, tmp_path / "alice") as alice:
        own = (await alice.desk.identity()).card
        good = card_text(ann.card())
        broken = good[:-8] + ("A" if good[-8] != "A" else "B") + good[-7:]
        for fields, code in (
            ({"card": own}, "own_card"),
            ({"address": alice.ready.onion}, "own_card"),
            ({"card": broken}, "bad_card"),
            ({"card": "ISLAND:"}, "bad_card"),
            ({"card": "hello"}, "bad_card"),
            ({"address": "hello"}, "bad_address"),
            ({"card": good, "name": "a\nb"}, "malformed"),
            ({}, "malformed"),
        ):
            with pytest.raises(Refusal) as caught:
                await alice.desk.add_contact(**fields)
            assert caught.value.code == code, fields
        assert not await alice.desk.contacts()


async def test_the_newer_card_counts_whichever_comes_first(tmp_path: Path) -> None:
    net, ann = Net(), Stranger("Ann")
    old = card_text(ann.card(hour=500_000))
    new = card_text(ann.card(Route(ann.key.public, bytes(20), bytes(32)), hour=500_001))
    for number, order in enumerate(([old, new, old], [new, old])):
        async with running(net, tmp_path / str(number)) as alice:
            for card in order:
                contact = await alice.desk.add_contact(card=card, name="My Ann")
            assert (contact.direct, contact.name) == (True, "My Ann")
            assert len(await alice.desk.contacts()) == 1


async def test_a_request_becomes_a_contact_and_learns_that_it_arrived(tmp_path: Path) -> None:
    net = Net()
    async with running(net, tmp_path / "alice") as alice, running(net, tmp_path / "bob") as bob:
        contact = await alice.desk.add_contact(card=(await bob.desk.identity()).card)
        item = await send_note(alice.desk, contact.address)
        (note,) = await until_arrived(bob.desk)
        assert not note.contact
        assert (await outgoing(alice.desk, item)).state == "sent", "no receipt to a stranger"
        with pytest.raises(Refusal, match="no_contact"):
            await send_note(bob.desk, alice.ready.onion)
        accepted = await bob.desk.accept_contact(alice.ready.onion)
        assert not accepted.request and accepted.name == "alice"
        await until_state(alice.desk, item, "delivered")
        with pytest.raises(Refusal, match="contact_exists"):
            await bob.desk.accept_contact(alice.ready.onion)


async def test_a_removed_contact_is_a_stranger_again(tmp_path: Path) -> None:
    net, ann = Net(), Stranger("Ann")
    async with running(net, tmp_path / "bob") as bob:
        await bob.desk.add_contact(card=card_text(ann.card()))
        await bob.desk.remove_contact(ann.address)
        for call in (bob.desk.remove_contact, bob.desk.accept_contact):
            with pytest.raises(Refusal, match="no_contact"):
                await call(ann.address)
            with pytest.raises(Refusal, match="bad_address"):
                await call("nonsense")
        card = await card_of(bob)
        await deposit(net, card.routes[0], ann.note(card))
        await until_arrived(bob.desk)
        (again,) = await bob.desk.contacts()
        assert again.request and (await bob.desk.health()).faults == 0
