"""Deliveries between whole boxes: which relays, when again, when given up, and crashes in between."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
import trio

from appliance.errors import Refusal
from appliance.protocol.card import card_text
from appliance.protocol.desk import Compose
from tests.acts import (
    Shifted,
    Stranger,
    befriend,
    content,
    lodge,
    outgoing,
    send_file,
    send_note,
    until_arrived,
    until_held,
    until_state,
)
from tests.boxes import Net, running, until

PARTS = 28
"""Of a file of 400 kB, rounded up."""


async def test_each_part_lies_at_two_of_three_relays(tmp_path: Path) -> None:
    net = Net()
    async with (
        running(net, tmp_path / "r1", relay_policy="open") as one,
        running(net, tmp_path / "r2", relay_policy="open") as two,
        running(net, tmp_path / "r3", relay_policy="open") as three,
        running(net, tmp_path / "alice") as alice,
    ):
        async with running(net, tmp_path / "bob") as bob:
            await lodge(bob, one, two, three)
            address = await befriend(alice, bob)
        data = os.urandom(400_000)
        item = await send_file(alice.desk, address, data)
        row = await until_state(alice.desk, item, "at_relays")
        assert (row.parts, row.parts_held, row.parts_direct, row.relays) == (PARTS, PARTS, 0, 2)
        assert "Waiting at 2 relays until" in row.words
        held = sorted([(await relay.desk.load()).held for relay in (one, two, three)])
        assert held == [0, PARTS, PARTS]
        async with running(net, tmp_path / "bob") as bob:
            (got,) = await until_arrived(bob.desk)
            assert await content(bob.desk, got.id) == data
            for relay in (one, two, three):
                await until_held(relay.desk, 0)
        await until_state(alice.desk, item, "delivered")


async def test_where_one_relay_is_full_the_next_takes_it(tmp_path: Path) -> None:
    net = Net()
    async with (
        running(net, tmp_path / "r1", relay_policy="open", request_envelopes=5) as small,
        running(net, tmp_path / "r2", relay_policy="open") as wide,
        running(net, tmp_path / "alice", relays_wanted=1) as alice,
    ):
        async with running(net, tmp_path / "bob") as bob:
            await lodge(bob, small, wide)
            address = await befriend(alice, bob)
        for _ in range(4):  # the relay to begin with is drawn by the item's id
            item = await send_file(alice.desk, address, os.urandom(100_000))
            await until_state(alice.desk, item, "at_relays")
        assert (await small.desk.load()).held == 5 < (await wide.desk.load()).held
        async with running(net, tmp_path / "bob") as bob:
            await until_arrived(bob.desk, 4)


async def test_a_full_only_relay_is_told_in_words_and_filled_again_when_emptied(tmp_path: Path) -> None:
    net = Net()
    async with (
        running(net, tmp_path / "r", relay_policy="open", contact_envelopes=8, request_envelopes=8) as relay,
        running(net, tmp_path / "alice", outbox_longest_seconds=1) as alice,
    ):
        async with running(net, tmp_path / "bob") as bob:
            await lodge(bob, relay)
            address = await befriend(alice, bob)
        data = os.urandom(400_000)
        item = await send_file(alice.desk, address, data)

        async def full() -> bool:
            row = await outgoing(alice.desk, item)
            return (row.state, row.reason, row.parts_held) == ("waiting", "full", 8)

        await until(full)
        assert "no more room" in (await outgoing(alice.desk, item)).words
        async with running(net, tmp_path / "bob") as bob:
            (got,) = await until_arrived(bob.desk)
            assert await content(bob.desk, got.id) == data
            await until_state(alice.desk, item, "delivered")


async def test_a_relay_that_keeps_less_long_is_used_all_the_same(tmp_path: Path) -> None:
    net = Net()
    async with (
        running(net, tmp_path / "r", relay_policy="open", ttl_max_hours=5, ttl_default_hours=5) as relay,
        running(net, tmp_path / "alice") as alice,
    ):
        async with running(net, tmp_path / "bob") as bob:
            await lodge(bob, relay)
            address = await befriend(alice, bob)
        for _ in range(2):
            item = await send_note(alice.desk, address)
            row = await until_state(alice.desk, item, "at_relays")
            assert row.expires is not None and row.expires - row.created <= 6 * 3600
        assert (await relay.desk.load()).held == 2


async def test_what_relays_let_go_is_brought_again(tmp_path: Path) -> None:
    net, clock = Net(), Shifted()
    async with (
        running(net, tmp_path / "r", clock=clock, relay_policy="open") as relay,
        running(net, tmp_path / "alice", clock=clock, ttl_default_hours=24) as alice,
    ):
        async with running(net, tmp_path / "bob", clock=clock) as bob:
            await lodge(bob, relay)
            address = await befriend(alice, bob)
        item = await send_file(alice.desk, address, os.urandom(60_000))
        first = await until_state(alice.desk, item, "at_relays")
        clock.pass_hours(26)
        await until_held(relay.desk, 0)  # swept
        await alice.desk.retry(item)

        async def again() -> bool:
            row = await outgoing(alice.desk, item)
            return row.state == "at_relays" and (row.expires or 0) > (first.expires or 0)

        await until(again)
        assert (await relay.desk.load()).held == first.parts
        async with running(net, tmp_path / "bob", clock=clock) as bob:
            await until_arrived(bob.desk)
        await until_state(alice.desk, item, "delivered", "at_relays")


async def test_at_the_horizon_it_is_given_up_and_said(tmp_path: Path) -> None:
    net, clock = Net(), Shifted()
    async with running(net, tmp_path / "alice", clock=clock, outbox_horizon_hours=48) as alice:
        async with running(net, tmp_path / "bob", clock=clock) as bob:
            address = await befriend(alice, bob)
        item = await send_note(alice.desk, address)
        row = await until_state(alice.desk, item, "waiting")
        assert row.reason == "no_relay" and "no relay of theirs is known" in row.words
        clock.pass_hours(49)
        await alice.desk.retry(item)
        row = await until_state(alice.desk, item, "given_up")
        assert row.words == "Given up: too old."
        assert (await alice.desk.state()).outbox_waiting == 0
        async with running(net, tmp_path / "bob", clock=clock) as bob:
            fresh = await send_note(alice.desk, address, "New")
            (note,) = await until_arrived(bob.desk)
            assert note.text == "New"
            await until_state(alice.desk, fresh, "delivered")


async def test_a_cancelled_item_goes_no_further(tmp_path: Path) -> None:
    net = Net()
    async with running(net, tmp_path / "alice") as alice:
        async with running(net, tmp_path / "bob") as bob:
            address = await befriend(alice, bob)
        items = [await send_file(alice.desk, address, os.urandom(50_000)) for _ in range(3)]
        half = await alice.desk.compose(Compose(contact=address, kind="file", name="x", size=10))
        for item in (*items, half):
            await alice.desk.cancel(item)
            for call in (alice.desk.cancel, alice.desk.retry):
                with pytest.raises(Refusal, match="no_item"):
                    await call(item)
        with pytest.raises(Refusal, match="no_item"):
            await alice.desk.upload(half, 0, b"late")
        kept = await send_note(alice.desk, address, "kept")
        async with running(net, tmp_path / "bob") as bob:
            await alice.desk.retry(kept)
            (note,) = await until_arrived(bob.desk)
            assert note.text == "kept"
        assert (await alice.desk.health()).faults == 0


async def test_a_removed_contact_gets_nothing_more(tmp_path: Path) -> None:
    net = Net()
    async with running(net, tmp_path / "alice") as alice:
        async with running(net, tmp_path / "bob") as bob:
            address = await befriend(alice, bob)
        item = await send_note(alice.desk, address)
        await until_state(alice.desk, item, "waiting")
        await alice.desk.remove_contact(address)
        await alice.desk.retry(item)
        row = await until_state(alice.desk, item, "given_up")
        assert row.words == "Given up: the contact was removed."


async def test_uploads_go_on_where_they_stopped(tmp_path: Path) -> None:
    net, data = Net(), os.urandom(300_000)
    async with running(net, tmp_path / "bob") as bob:
        async with running(net, tmp_path / "alice") as alice:
            address = await befriend(alice, bob)
            item = await alice.desk.compose(
                Compose(contact=address, kind="file", name="a.bin", size=len(data))
            )
            assert (await alice.desk.upload(item, 0, data[:100_000])).offset == 100_000
            with pytest.raises(Refusal) as caught:
                await alice.desk.upload(item, 200_000, data[200_000:])
            assert (caught.value.code, caught.value.details["offset"]) == ("offset", 100_000)
            with pytest.raises(Refusal, match="too_large"):
                await alice.desk.upload(item, 100_000, bytes(200_001))
        async with running(net, tmp_path / "alice") as alice:
            row = await outgoing(alice.desk, item)
            assert (row.state, row.words) == ("uploading", "Uploading to your box: 33 %.")
            assert (await alice.desk.upload(item, 50_000, data[50_000:])).offset == len(data)
            # The answer was lost: the same again is fine, whatever the item does meanwhile.
            for _ in range(5):
                assert (await alice.desk.upload(item, 250_000, data[250_000:])).offset == len(data)
            (got,) = await until_arrived(bob.desk)
            assert (got.name, await content(bob.desk, got.id)) == ("a.bin", data)
            await until_state(alice.desk, item, "delivered")
            assert (await alice.desk.upload(item, 250_000, data[250_000:])).offset == len(data)


async def test_what_cannot_be_sent_is_refused_at_once(tmp_path: Path) -> None:
    net, nowhere = Net(), Stranger("Nowhere")
    async with running(net, tmp_path / "alice", outbox_octets=1000) as alice:
        contact = await alice.desk.add_contact(card=card_text(nowhere.card()))
        for value, code in (
            (Compose(contact=contact.address, kind="note", text="x"), "no_route"),
            (Compose(contact=alice.ready.onion, kind="note", text="x"), "no_contact"),
            (Compose(contact=contact.address, kind="note", text=""), "malformed"),
            (Compose(contact=contact.address, kind="note", text="x" * 1001), "too_large"),
            (Compose(contact=contact.address, kind="file", name="x", size=1001), "too_large"),
            (Compose(contact="nonsense", kind="note", text="x"), "bad_address"),
        ):
            with pytest.raises(Refusal) as caught:
                await alice.desk.compose(value)
            assert caught.value.code == code
        assert not (await alice.desk.outbox()).items


async def test_an_empty_file_and_a_long_note_arrive(tmp_path: Path) -> None:
    net = Net()
    async with running(net, tmp_path / "alice") as alice, running(net, tmp_path / "bob") as bob:
        address = await befriend(alice, bob)
        await send_file(alice.desk, address, b"", "empty")
        text = "Grüße \N{PALM TREE} " * 4000
        await send_note(alice.desk, address, text)
        found = {item.name or "note": item for item in await until_arrived(bob.desk, 2)}
        assert await content(bob.desk, found["empty"].id) == b""
        assert found["note"].text is None  # too long for the list
        assert (await content(bob.desk, found["note"].id)).decode() == text


@pytest.mark.parametrize("seed", range(3))
async def test_a_sender_stopped_at_any_moment_sends_once(tmp_path: Path, seed: int) -> None:
    """The box is torn down without a goodbye, again and again, in every step from upload to receipt."""
    net, rng, data = Net(), random.Random(seed), os.urandom(400_000)
    async with (
        running(net, tmp_path / "relay", relay_policy="open") as relay,
        running(net, tmp_path / "alice") as alice,
    ):
        async with running(net, tmp_path / "bob") as bob:
            await lodge(bob, relay)
            address = await befriend(alice, bob)
        item = await alice.desk.compose(Compose(contact=address, kind="file", name="f", size=len(data)))
    offset = 0
    for _ in range(8):
        async with running(net, tmp_path / "relay", relay_policy="open"):
            with trio.move_on_after(rng.uniform(0.05, 0.4)):
                async with running(net, tmp_path / "alice") as alice:
                    while offset < len(data):
                        offset = (
                            await alice.desk.upload(item, offset, data[offset : offset + 150_000])
                        ).offset
                    await trio.sleep_forever()
    async with (
        running(net, tmp_path / "relay", relay_policy="open") as relay,
        running(net, tmp_path / "alice") as alice,
    ):
        if offset < len(data):
            await alice.desk.upload(item, offset, data[offset:])
        row = await until_state(alice.desk, item, "at_relays")
        assert (await relay.desk.load()).held == row.parts == PARTS
        for _ in range(6):
            with trio.move_on_after(rng.uniform(0.05, 0.5)):
                async with running(net, tmp_path / "bob"):
                    await trio.sleep_forever()
        async with running(net, tmp_path / "bob") as bob:
            (got,) = await until_arrived(bob.desk)
            assert await content(bob.desk, got.id) == data
            await until_held(relay.desk, 0)
            await until_state(alice.desk, item, "delivered")
            await until_arrived(bob.desk)
