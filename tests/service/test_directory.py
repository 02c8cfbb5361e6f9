from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

import msgspec
import pytest
import trio

from appliance.errors import Refusal
from appliance.protocol import transparency
from appliance.protocol.directory import (
    ConsistencyQuery,
    LookUp,
    OneTimePrekey,
    Publish,
    Taken,
    TakePrekeys,
)
from appliance.protocol.keys import SigningKey
from appliance.protocol.messages import WorkSolution
from appliance.protocol.prekeys import check_one_time, sign_bundle
from appliance.protocol.transparency import Head, check_consistency, check_found, read_checkpoint
from appliance.service.account_hooks import Hooks
from appliance.service.directory import Directory
from appliance.store import directory as rows
from appliance.store import log_tree
from tests.persons import Gadget, Person
from tests.service.test_puzzle import EASY, solve
from tests.services import House, refused


def open_directory(house: House, **settings: object) -> Directory:
    return Directory(house.store, house.ring, replace(house.config, **EASY, **settings), house.clock)


def person(house: House, name: str = "ada") -> Person:
    return Person(name, house.ring.identity.public)


async def check(directory: Directory, who: Person, older: Head | None = None) -> Head:
    """Look a name up and check the answer as a client does; it must be what the person published last."""
    found = await directory.look_up(LookUp(who.name, older.size if older else 0))
    entry, bundles, head = check_found(found, who.name, who.box, who.identity.public, older)
    assert entry.revision == who.revision
    assert {one.device for one in bundles} <= {one.id for one in who.devices}
    assert len(bundles) == len(found.bundles)
    return head


async def test_what_a_member_publishes_is_found_and_proven(house: House) -> None:
    directory, ada = open_directory(house), person(house)
    published = await directory.publish(ada.caller(), ada.publication(3))
    assert published.one_time == 3 and published.proof is not None
    assert published == await directory.published(ada.caller())
    head = await check(directory, ada)
    assert head.size == 1
    bob = person(house, "bob")
    await directory.publish(bob.caller(), bob.publication())
    ada.devices.append(Gadget())
    await directory.publish(ada.caller(None), Publish(ada.entry()))
    await directory.publish(ada.caller(1), Publish(bundle=ada.bundle(1), one_time=ada.devices[1].prekeys(2)))
    assert (await check(directory, ada, head)).size == 3
    assert (await check(directory, bob, head)).size == 3
    with refused("no_account"):
        await directory.look_up(LookUp("eve"))


async def test_an_older_checkpoint_is_always_a_prefix(house: House) -> None:
    directory, ada = open_directory(house), person(house)
    heads = [read_checkpoint((await directory.checkpoint()).note, ada.box)]
    for _ in range(9):
        await directory.publish(ada.caller(None), Publish(ada.entry()))
        heads.append(read_checkpoint((await directory.checkpoint()).note, ada.box))
    assert [head.size for head in heads] == list(range(10))
    for second, newer in enumerate(heads[1:], 1):
        for first in range(second + 1):
            proof = await directory.consistency(ConsistencyQuery(first, second))
            assert read_checkpoint(proof.checkpoint, ada.box) == newer
            check_consistency(heads[first], newer, proof.hashes)
    present = await directory.consistency(ConsistencyQuery(4))
    check_consistency(heads[4], heads[9], present.hashes)
    for first, second in ((10, 0), (3, 2), (0, 10), (-1, 2)):
        with refused("malformed"):
            await directory.consistency(ConsistencyQuery(first, second))
    # Who has seen more than there is gets no proof: the smaller tree is the alarm.
    found = await directory.look_up(LookUp("ada", 50))
    assert found.proof.consistency is None
    with refused("bad_log"):
        check_found(found, "ada", ada.box, None, msgspec.structs.replace(heads[9], size=50))


async def test_the_checkpoint_of_a_tree_is_signed_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    signed: list[int] = []
    write = transparency.write_checkpoint

    def count(box: SigningKey, size: int, root: bytes) -> str:
        signed.append(size)
        return write(box, size, root)

    monkeypatch.setattr(transparency, "write_checkpoint", count)
    directory, ada = open_directory(house), person(house)
    await directory.publish(ada.caller(), ada.publication())
    for _ in range(5):
        await check(directory, ada)
        await directory.checkpoint()
    assert signed == [1]


async def test_the_log_is_read_in_stretches(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    directory, ada = open_directory(house), person(house)
    entries = [ada.entry() for _ in range(5)]
    for entry in entries:
        await directory.publish(ada.caller(None), Publish(entry))
    monkeypatch.setattr("appliance.service.directory.LEAVES_OCTETS", len(entries[0]) + 1)
    first = await directory.leaves(0)
    assert (first.entries, first.more) == (entries[:2], True)
    rest = await directory.leaves(4)
    assert (rest.start, rest.entries, rest.more) == (4, entries[4:], False)
    assert (await directory.leaves(99)).entries == []


# What is not the member's own, or not signed as it must be


async def test_a_member_publishes_under_their_own_name_box_and_identity_only(house: House) -> None:
    directory, ada, eve = open_directory(house), person(house), person(house, "eve")
    await directory.publish(ada.caller(), ada.publication())
    elsewhere = SigningKey(os.urandom(32)).public
    for entry in (eve.entry(name="ada"), eve.entry(onion=elsewhere), ada.entry()):
        with refused("bad_entry"):
            await directory.publish(eve.caller(), Publish(entry))
    torn = bytearray(ada.entry(revision=2))
    torn[5] ^= 1
    with refused("bad_entry"):
        await directory.publish(ada.caller(), Publish(bytes(torn)))
    ada.identity = eve.identity
    with refused("bad_entry"):
        await directory.publish(ada.caller(), Publish(ada.entry(revision=2)))
    assert house.store.read(log_tree.size) == 1


async def test_bundles_and_prekeys_are_those_of_the_device_that_speaks(house: House) -> None:
    directory, ada = open_directory(house), person(house)
    ada.devices.append(Gadget())
    with refused("bad_bundle"):
        await directory.publish(ada.caller(), Publish(bundle=ada.bundle()))
    await directory.publish(ada.caller(None), Publish(ada.entry()))
    with refused("no_device"):
        await directory.publish(ada.caller(None), Publish(bundle=ada.bundle()))
    with refused("no_device"):
        await directory.publish(ada.caller(None), Publish(replace=True))
    stranger = Gadget()
    forged = sign_bundle(stranger.key, ada.plain_bundle(0))
    theirs = stranger.prekeys(1)[0]
    for bad in (
        Publish(bundle=ada.bundle(1)),
        Publish(bundle=forged),
        Publish(one_time=ada.devices[1].prekeys(1)),
        Publish(one_time=[theirs]),
        Publish(one_time=[*ada.devices[0].prekeys(2), msgspec.structs.replace(theirs, id=9)]),
    ):
        with refused("bad_bundle"):
            await directory.publish(ada.caller(0), bad)
    away = replace(ada.caller(0), device=stranger.id)
    with refused("bad_bundle"):
        await directory.publish(away, Publish(one_time=[theirs]))
    assert (await directory.published(ada.caller(0))).one_time == 0
    assert (await directory.look_up(LookUp("ada"))).bundles == []


async def test_a_refused_publication_changes_nothing_at_all(house: House) -> None:
    directory, ada = open_directory(house), person(house)
    await directory.publish(ada.caller(), ada.publication(1))
    stale = Publish(ada.entry(revision=5), ada.bundle(), ada.devices[0].prekeys(3))
    before = await directory.look_up(LookUp("ada"))
    with refused("old_entry"):
        await directory.publish(ada.caller(), stale)
    assert await directory.look_up(LookUp("ada")) == before
    assert (await directory.published(ada.caller())).one_time == 1


async def test_publishing_again_after_a_lost_answer_does_no_harm(house: House) -> None:
    directory, ada = open_directory(house), person(house)
    whole = ada.publication(3)
    first = await directory.publish(ada.caller(), whole)
    await directory.take(TakePrekeys("ada", [ada.devices[0].id]))
    again = await directory.publish(ada.caller(), whole)
    assert (again.entry, again.proof, again.one_time) == (first.entry, first.proof, 2)


async def test_who_listens_hears_of_a_device_that_went_in_its_transaction_and_after(house: House) -> None:
    directory, ada = open_directory(house), person(house)
    inside: list[tuple[bytes, bytes]] = []
    after: list[tuple[bytes, bytes, bytes]] = []

    async def hear(account: bytes, device: bytes, session: bytes) -> None:
        after.append((account, device, session))

    directory.removing.append(lambda txn, account, device: inside.append((account, device)))
    directory.on_device_removed.append(hear)
    ada.devices.append(Gadget())
    await directory.publish(ada.caller(None), Publish(ada.entry()))
    gone = ada.devices.pop()
    await directory.publish(ada.caller(0), Publish(ada.entry()))
    assert inside == [(ada.account, gone.id)]
    assert after == [(ada.account, gone.id, ada.caller().session)]


async def test_a_deleted_account_leaves_the_directory_but_not_the_log(house: House) -> None:
    directory, ada = open_directory(house), person(house)
    hooks = Hooks()
    directory.join(hooks)
    signed = (await directory.publish(ada.caller(), ada.publication())).entry
    told = house.store.read(lambda txn: [each(txn, ada.account, "ada") for each in hooks.export])
    assert told == [{"directory_entry": signed}]
    await house.store.write(lambda txn: [each(txn, ada.account, "ada") for each in hooks.forget])
    with refused("no_account"):
        await directory.look_up(LookUp("ada"))
    with refused("no_account"):
        await take(directory, ada)
    assert (await directory.leaves(0)).entries == [signed]


# Handing out


async def take(directory: Directory, who: Person, work: WorkSolution | None = None) -> Taken:
    return await directory.take(TakePrekeys(who.name, [one.id for one in who.devices], work))


async def test_strangers_get_each_prekey_once_under_any_number_of_them(house: House) -> None:
    directory, ada = open_directory(house, prekeys_free=1000, prekeys_day=1000), person(house)
    ada.devices.append(Gadget())
    phone, laptop = ada.devices
    await directory.publish(ada.caller(), Publish(ada.entry(), ada.bundle(), one_time=phone.prekeys(30)))
    await directory.publish(ada.caller(1), Publish(one_time=laptop.prekeys(50)))
    got: list[tuple[bytes, OneTimePrekey]] = []

    async def taker() -> None:
        taken = await take(directory, ada)
        assert taken.work is None
        got.extend((one.device, one.prekey) for one in taken.prekeys if one.prekey is not None)

    async with trio.open_nursery() as nursery:
        for _ in range(60):
            nursery.start_soon(taker)
    assert Counter(device for device, _ in got) == {phone.id: 30, laptop.id: 50}
    assert len({(device, one.id) for device, one in got}) == 80
    for gadget in ada.devices:
        for device, one in got:
            if device == gadget.id:
                check_one_time(one, gadget.row)


async def test_a_device_named_twice_gives_one_and_unknown_ones_none(house: House) -> None:
    directory, ada = open_directory(house), person(house)
    await directory.publish(ada.caller(), ada.publication(3))
    phone = ada.devices[0].id
    taken = await directory.take(TakePrekeys("ada", [phone, b"?" * 16, phone]))
    assert [(one.device, one.prekey is not None) for one in taken.prekeys] == [
        (phone, True),
        (b"?" * 16, False),
    ]
    assert (await directory.published(ada.caller())).one_time == 2
    with refused("no_account"):
        await directory.take(TakePrekeys("eve", [phone]))


async def test_after_so_many_in_an_hour_strangers_bring_work(house: House) -> None:
    directory, ada = open_directory(house, prekeys_free=2), person(house)
    await directory.publish(ada.caller(), ada.publication(10))
    first, second = await take(directory, ada), await take(directory, ada)
    assert first.prekeys[0].prekey is not None and first.work is None
    assert second.prekeys[0].prekey is not None and second.work is not None
    without = await take(directory, ada)
    assert without.prekeys[0].prekey is None and without.work is not None
    solution = solve(without.work)
    paid = await take(directory, ada, solution)
    assert paid.prekeys[0].prekey is not None and paid.work is not None
    with refused("work"):
        await take(directory, ada, solution)
    # Members of this box do not pay.
    own = await directory.take(TakePrekeys("ada", [ada.devices[0].id]), stranger=False)
    assert own.prekeys[0].prekey is not None and own.work is None
    house.clock.pass_hours(1)
    later = await take(directory, ada)
    assert later.prekeys[0].prekey is not None and later.work is None


async def test_work_that_is_not_needed_any_more_is_not_looked_at(house: House) -> None:
    directory, ada = open_directory(house, prekeys_free=1), person(house)
    await directory.publish(ada.caller(), ada.publication(10))
    challenge = (await take(directory, ada)).work
    assert challenge is not None
    solution = solve(challenge)
    house.clock.pass_hours(1)  # by now the challenge is too old, and the hour's free ones are there again
    assert (await take(directory, ada, solution)).prekeys[0].prekey is not None


async def test_after_so_many_in_a_day_only_the_last_resort_is_served(house: House) -> None:
    directory, ada = open_directory(house, prekeys_free=100, prekeys_day=3), person(house)
    await directory.publish(ada.caller(), ada.publication(10))
    for _ in range(3):
        assert (await take(directory, ada)).prekeys[0].prekey is not None
    before = house.store.read(lambda txn: rows.bundles(txn, ada.account))
    for stranger in (True, False):
        drained = await directory.take(TakePrekeys("ada", [ada.devices[0].id]), stranger=stranger)
        assert drained.prekeys[0].prekey is None and drained.work is None
    assert (await directory.look_up(LookUp("ada"))).bundles == before
    house.clock.pass_hours(24)
    assert (await take(directory, ada)).prekeys[0].prekey is not None


async def test_asking_a_drained_device_writes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    directory, ada = open_directory(house), person(house)
    await directory.publish(ada.caller(), ada.publication(1))
    await take(directory, ada)

    async def fail(*_: object, **__: object) -> None:
        raise AssertionError("a write")

    monkeypatch.setattr(house.store, "write", fail)
    assert (await take(directory, ada)).prekeys[0].prekey is None


async def test_a_device_hears_that_few_are_left(house: House) -> None:
    directory, ada = open_directory(house, prekeys_low=3), person(house)
    heard: list[tuple[bytes, bytes, int]] = []
    directory.on_low = lambda account, device, left: heard.append((account, device, left))
    await directory.publish(ada.caller(), ada.publication(5))
    for _ in range(6):
        await take(directory, ada)
    phone = ada.devices[0].id
    assert heard == [(ada.account, phone, left) for left in (2, 1, 0)]
    await directory.publish(ada.caller(), Publish(one_time=ada.devices[0].prekeys(4), replace=True))
    assert (await directory.published(ada.caller())).one_time == 4


async def test_the_directory_serves_while_the_box_is_locked(house: House) -> None:
    directory, ada = open_directory(house), person(house)
    await directory.publish(ada.caller(), ada.publication())
    house.ring.sealer = None
    assert house.ring.locked
    await check(directory, ada)
    assert (await take(directory, ada)).prekeys[0].prekey is not None
    with pytest.raises(Refusal):
        house.ring.require()
