"""What the collector takes in, what it leaves where it is, and what it throws away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.protocol.card import card_text
from appliance.protocol.codec import from_text
from appliance.protocol.item import Part
from appliance.service import collector as collector_module
from tests.acts import (
    Shifted,
    Stranger,
    befriend,
    card_of,
    content,
    deposit,
    lodge,
    outgoing,
    send_file,
    send_note,
    until_arrived,
    until_collected,
    until_held,
    until_state,
)
from tests.boxes import Net, running, until


async def test_junk_is_thrown_away(tmp_path: Path) -> None:
    net, mallory = Net(), Stranger()
    async with (
        running(net, tmp_path / "r", relay_policy="open") as relay,
        running(net, tmp_path / "b") as bob,
    ):
        await lodge(bob, relay)
        card = await card_of(bob)
        other = await card_of(relay)
        junk = [
            b"\1" + os.urandom(959),  # no sealed envelope at all
            mallory.note(other)[:4032],  # sealed to somebody else
            mallory.seal(card, Part(bytes(16), 0, 1, b"no header")),
            mallory.seal(card, Part(bytes(16), 5, 2, b"beyond the count")),
            mallory.note(card, reply_to=bytes(16)),  # a note that pretends to answer
        ]
        at_relay = next(route for route in card.routes if route.onion != card.identity)
        good = mallory.note(card)
        assert {one.state for one in await deposit(net, at_relay, *junk, good)} == {"held"}
        await until_held(relay.desk, 0)
        (note,) = await until_arrived(bob.desk)
        assert (note.text, note.contact, note.sender) == ("Hello", False, mallory.address)
        assert (await bob.desk.health()).faults == 0


async def test_copies_from_two_relays_and_by_hand_arrive_once(tmp_path: Path) -> None:
    net, ann, clock = Net(), Stranger("Ann"), Shifted()
    async with (
        running(net, tmp_path / "r1", relay_policy="open") as first,
        running(net, tmp_path / "r2", relay_policy="open") as second,
        running(net, tmp_path / "bob", clock=clock) as bob,
    ):
        await lodge(bob, first, second)
        card = await card_of(bob)
        assert len(card.routes) == 3
        same = ann.note(card)
        for route in card.routes:
            await deposit(net, route, same)
        await until_held(first.desk, 0)
        await until_held(second.desk, 0)
        (note,) = await until_arrived(bob.desk)
        # Deleted, it does not come back with one more copy.
        await bob.desk.remove_item(note.id)
        await deposit(net, card.routes[1], same)
        await until_held(first.desk, 0)
        await until_held(second.desk, 0)
        await until_collected(clock, bob.desk)
        assert not (await bob.desk.inbox()).items


async def test_too_many_requests_wait_at_the_relay_and_contacts_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector_module, "MAX_REQUESTS", 1)
    net, clock = Net(), Shifted()
    first, second, friend = Stranger("First"), Stranger("Second"), Stranger("Friend")
    async with (
        running(net, tmp_path / "relay", relay_policy="open") as relay,
        running(net, tmp_path / "bob", clock=clock) as bob,
    ):
        await lodge(bob, relay)
        card = await card_of(bob)
        route = next(route for route in card.routes if route.onion != card.identity)

        await bob.desk.add_contact(card=card_text(friend.card()))
        await deposit(net, route, first.note(card, b"1"), second.note(card, b"2"), friend.note(card, b"3"))
        await until_arrived(bob.desk, 2)
        await until_collected(clock, bob.desk)
        assert {item.text for item in await until_arrived(bob.desk, 2)} == {"1", "3"}
        await until_held(relay.desk, 1)
        # A place is free again: what waited comes.
        await bob.desk.remove_contact(first.address)
        assert {item.text for item in await until_arrived(bob.desk, 3)} == {"1", "2", "3"}
        await until_held(relay.desk, 0)


async def test_a_full_inbox_leaves_the_rest_where_it_is(tmp_path: Path) -> None:
    net, clock = Net(), Shifted()
    async with (
        running(net, tmp_path / "relay", relay_policy="open") as relay,
        running(net, tmp_path / "alice") as alice,
    ):
        async with running(net, tmp_path / "bob") as bob:
            await lodge(bob, relay)
            address = await befriend(alice, bob)
        one = await send_file(alice.desk, address, os.urandom(150_000))
        two = await send_file(alice.desk, address, os.urandom(150_000))
        parts = 0
        for item in (one, two):
            parts += (await until_state(alice.desk, item, "at_relays")).parts
        async with running(net, tmp_path / "bob", clock=clock, inbox_octets=200_000) as bob:
            (whole,) = await until_arrived(bob.desk)
            await until_collected_somewhat(clock, bob)
            assert 0 < (await relay.desk.load()).held < parts
            assert (await bob.desk.health()).faults == 0
            await bob.desk.remove_item(whole.id)
            await until_arrived(bob.desk)
            await until_held(relay.desk, 0)
        for item in (one, two):
            await until_state(alice.desk, item, "delivered")


async def until_collected_somewhat(clock: Shifted, bob) -> None:
    """An incomplete item is in the inbox, and the relay was asked since."""

    async def there() -> bool:
        return any(not item.complete for item in (await bob.desk.inbox()).items)

    await until(there)


async def test_strangers_cannot_fill_the_inbox(tmp_path: Path) -> None:
    """They get a share; what contacts send finds room still."""
    net, mallory = Net(), Stranger()
    async with (
        running(net, tmp_path / "alice") as alice,
        running(net, tmp_path / "bob", inbox_octets=100_000) as bob,
    ):
        address = await befriend(alice, bob)
        card = await card_of(bob)
        for number in range(8):
            await deposit(net, card.routes[0], mallory.note(card, b"%d" % number * 10_000))
        arrived = await until_arrived(bob.desk, 5)
        assert sum(item.size for item in arrived) == 50_000
        await send_note(alice.desk, address, "a" * 20_000)
        assert len(await until_arrived(bob.desk, 6)) == 6


async def test_only_the_addressee_can_say_that_it_arrived(tmp_path: Path) -> None:
    net, mallory = Net(), Stranger()
    async with (
        running(net, tmp_path / "relay", relay_policy="open") as relay,
        running(net, tmp_path / "alice") as alice,
    ):
        async with running(net, tmp_path / "bob") as bob:
            await lodge(bob, relay)
            address = await befriend(alice, bob)
        item = await send_note(alice.desk, address)
        await until_state(alice.desk, item, "at_relays")
        card = await card_of(alice)
        lie = mallory.note(card, b"", kind="receipt", reply_to=from_text(item))
        truth_of_nothing = mallory.note(card, b"", kind="receipt", reply_to=bytes(16))
        marker = mallory.note(card, b"after the lies")
        await deposit(net, card.routes[0], lie, truth_of_nothing, marker)
        await until_arrived(alice.desk)
        assert (await outgoing(alice.desk, item)).state == "at_relays"
        async with running(net, tmp_path / "bob"):
            await until_state(alice.desk, item, "delivered")


async def test_a_receipt_makes_nobody_known(tmp_path: Path) -> None:
    net, mallory = Net(), Stranger()
    async with running(net, tmp_path / "alice") as alice:
        card = await card_of(alice)
        await deposit(net, card.routes[0], mallory.note(card, b"", kind="receipt", reply_to=bytes(16)))
        await deposit(net, card.routes[0], Stranger("Other").note(card))
        await until_arrived(alice.desk)
        assert [one.name for one in await alice.desk.contacts()] == ["Other"]


async def test_what_a_header_says_of_the_size_is_not_believed(tmp_path: Path) -> None:
    net, mallory = Net(), Stranger()
    async with running(net, tmp_path / "bob") as bob:
        card = await card_of(bob)
        for size in (0, 3, 5, 4000):
            envelope = mallory.note(card, b"12345", kind="file", name="../../evil\n.exe", size=size)
            await deposit(net, card.routes[0], envelope)
        for item in await until_arrived(bob.desk, 4):
            assert item.size == 5 and await content(bob.desk, item.id) == b"12345"
            assert "/" not in item.name and "\n" not in item.name


async def test_parts_that_contradict_each_other_are_dropped(tmp_path: Path) -> None:
    net, mallory = Net(), Stranger()
    async with running(net, tmp_path / "bob") as bob:
        card, id = await card_of(bob), os.urandom(16)
        head = mallory.header(b"", kind="file", name="a", size=6)
        parts = [
            Part(id, 0, 2, b"one", head),
            Part(id, 0, 2, b"ONE", head),  # the same place again
            Part(id, 1, 9, b"???"),  # of another number of parts
            Part(id, 1, 2, b"two"),
        ]
        for part in parts:
            await deposit(net, card.routes[0], mallory.seal(card, part))
        (item,) = await until_arrived(bob.desk)
        assert await content(bob.desk, item.id) == b"onetwo"
        # Somebody else's item of the same id is another item.
        other = Stranger("Other")
        await deposit(net, card.routes[0], other.seal(card, Part(id, 0, 1, b"mine", other.header(b"mine"))))
        assert len(await until_arrived(bob.desk, 2)) == 2


async def test_a_newer_card_in_a_letter_renews_the_contact_and_a_foreign_one_does_not(tmp_path: Path) -> None:

    net, ann, mallory = Net(), Stranger("Ann"), Stranger()
    async with running(net, tmp_path / "bob") as bob:
        card = await card_of(bob)
        route = card.routes[0]
        await bob.desk.add_contact(card=card_text(ann.card(hour=500_000)))
        (before,) = await bob.desk.contacts()
        assert not before.direct
        await deposit(net, route, ann.note(card, card=mallory.card(card.routes[0], hour=500_001)))
        await until_arrived(bob.desk, 1)
        assert (await bob.desk.contacts())[0] == before
        mine = type(route)(ann.key.public, bytes(20), bytes(32))
        await deposit(net, route, ann.note(card, card=ann.card(mine, hour=500_001)))
        await until_arrived(bob.desk, 2)
        assert (await bob.desk.contacts())[0].direct
        await deposit(net, route, ann.note(card, card=ann.card(hour=499_999)))
        await until_arrived(bob.desk, 3)
        (after,) = await bob.desk.contacts()
        assert after.direct and after.name == "Ann" and not after.request


async def test_collections_go_on_after_a_pause_longer_than_a_nonce_lives(tmp_path: Path) -> None:
    net, clock = Net(), Shifted()
    async with (
        running(net, tmp_path / "relay", clock=clock, relay_policy="open") as relay,
        running(net, tmp_path / "bob", clock=clock) as bob,
    ):
        await lodge(bob, relay)
        card = await card_of(bob)
        for number in range(1, 4):
            clock.pass_hours(1)
            await deposit(net, card.routes[1], Stranger().note(card))
            await until_arrived(bob.desk, number)
            await until_held(relay.desk, 0)
        refusals = (await relay.desk.health()).refusals
        assert sum(count for key, count in refusals.items() if key.endswith(" nonce")) <= 6
