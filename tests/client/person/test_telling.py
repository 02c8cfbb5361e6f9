"""What a device is told of us, again until it has acknowledged it."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import msgspec

from appliance.client.person import records, telling
from appliance.client.person.records import Tell
from appliance.demo.scene import is_quiet
from appliance.protocol.peer import Peer
from appliance.protocol.vault import Left
from tests.boxes import Net, running
from tests.clients import QUICK, accepted, has_own_way, hear, joining, once

NOW = 1_800_000_000
ROUTES = Tell("routes", b"d", [b"1", b"2"], [b"a"], NOW, 0)
HELLO = Tell("hello", b"", [b"3"], [b"b"], NOW, 0)


def fresh() -> records.Session:
    peer = Peer(1, bytes(32), bytes(16), bytes(32), [])
    return records.Session(1, peer, "", bytes(8), [], b"", 0)


def test_it_is_told_after_pauses_that_grow_and_so_many_times_at_most():
    record, now, times = fresh(), NOW, []
    for _ in range(20 * 24 * 12):
        tell = telling.find(record, "routes")
        if tell is None or telling.is_due(tell, now, lambda _: False):
            record = telling.told(record, msgspec.structs.replace(ROUTES, at=now))
            times.append(now)
        now += 300
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert len(times) == telling.MOST and pauses == sorted(pauses) and pauses[0] == telling.PAUSES[0]
    # What is new is told as often again.
    record = telling.told(record, msgspec.structs.replace(ROUTES, digest=b"e"))
    assert telling.find(record, "routes").tries == 1


def test_what_is_under_way_is_not_told_and_a_clock_set_back_is_no_reason_to_be_silent():
    tell = msgspec.structs.replace(ROUTES, tries=1)
    assert telling.is_due(tell, NOW + 600, lambda _: False)
    assert not telling.is_due(tell, NOW + 600, lambda dispatch: dispatch == b"a")
    assert not telling.is_due(tell, NOW + 599, lambda _: False)
    assert telling.is_due(tell, NOW - 1, lambda _: False)


def test_it_is_known_once_all_of_it_is_acknowledged():
    record = telling.told(telling.told(fresh(), ROUTES), HELLO)
    record = telling.acknowledged(record, {b"1", b"3", b"9"})
    assert (record.told, [one.ids for one in record.tells]) == (b"", [[b"2"]])
    record = telling.acknowledged(record, {b"2"})
    assert (record.told, record.tells) == (b"d", [])


def test_of_a_device_that_forgot_nothing_counts_as_told():
    record = telling.acknowledged(telling.told(fresh(), ROUTES), {b"1", b"2"})
    record = telling.forgotten(telling.told(record, HELLO))
    assert (record.told, [(one.what, one.tries) for one in record.tells]) == (b"", [("hello", 0)])


async def test_an_acceptance_the_box_refused_is_told_again_until_it_is_known(tmp_path):
    ahead = 0
    later = replace(QUICK, now=lambda: time.time() + ahead)
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "ada") as ada,
        joining(box, "bob", options=later) as bob,
    ):
        await ada.send(bob.address, "may I?")
        await once(bob, bob.contacts)
        change, refused = bob._core.member.change_vault, 0

        async def refuse(put, remove, dispatches, done):
            nonlocal refused
            refused += len(dispatches)
            changed = await change(put, remove, (), done)
            return msgspec.structs.replace(changed, left=[Left(None, "outbox_full")] * len(dispatches))

        bob._core.member.change_vault = refuse  # type: ignore[method-assign]
        await bob.accept(ada.address)
        await hear(bob)
        await bob._core.routes.settle()
        await bob.settled()
        assert refused >= 2 and not await accepted(ada, bob.address)
        bob._core.member.change_vault = change  # type: ignore[method-assign]
        # Not at once, and not while it is not known how it stands.
        await bob._core.routes.settle()
        await bob.settled()
        assert not await accepted(ada, bob.address)
        ahead = telling.PAUSES[0] + 1
        await bob._core.routes.settle()
        await once(ada, lambda: accepted(ada, bob.address))
        await once(ada, lambda: has_own_way(ada, bob))

        name = records.session(bob._core.seat.device, bytes.fromhex(ada.device))

        async def known():
            record = await bob._core.vault.get(name, records.Session)
            return record is not None and record.told != b"" and record.tells == []

        await once(bob, known)
        await once(bob, lambda: is_quiet(ada, bob))
        # What is known is not told again.
        before = bob._core.dispatcher.states.copy()
        ahead = 40 * 24 * 3600
        await bob._core.routes.settle()
        await bob.settled()
        assert bob._core.dispatcher.states == before
