"""Housekeeping: what ended is forgotten after its time, in small steps, also while the box is locked."""

from __future__ import annotations

import os
from dataclasses import replace

from appliance.protocol.envelope import EnvelopeId
from appliance.protocol.item import Header, Part
from appliance.service.housekeeping import KEPT_SECONDS, Housekeeping
from appliance.store import inbox, outbox
from tests.services import House, Time


async def test_an_ended_item_loses_its_parts_soon_and_its_row_later(house: House, clock: Time) -> None:
    sealer, id, now = house.ring.require(), os.urandom(16), int(clock())
    item = outbox.OutboxItem(id, bytes(32), "file", "f", 40, now, now + 10_000)

    def compose(txn):
        outbox.compose(txn, sealer, item)
        outbox.upload(txn, sealer, id, 0, bytes(40))
        outbox.begin_sealing(txn, sealer, id, bytes(32), 30)
        outbox.add_envelopes(txn, id, 0, [bytes(960)] * 30, now)
        outbox.end(txn, id, "delivered", now)

    await house.store.write(compose)
    keeper = Housekeeping(house.store, replace(house.config, sweep_batch=25), clock)
    assert await keeper.sweep() == 25
    while await keeper.sweep():
        pass
    assert house.store.read(lambda txn: outbox.progress_of(txn, id)).state == "delivered"
    clock.now += KEPT_SECONDS - 10
    assert await keeper.sweep() == 0
    clock.now += 20
    assert await keeper.sweep() == 1
    assert house.store.read(lambda txn: outbox.find_progress(txn, id)) is None


async def test_memories_of_envelopes_end_with_their_hour(house: House, clock: Time) -> None:
    sealer, id = house.ring.require(), EnvelopeId(os.urandom(16))
    header = Header("note", "", 2, bytes(32), clock.hour)
    part = Part(os.urandom(16), 0, 1, b"hi", header)

    def arrive(txn):
        return inbox.accept(
            txn,
            sealer,
            sender=bytes(32),
            envelope=id,
            part=part,
            now=int(clock()),
            until_hour=clock.hour + 5,
            octets_limit=1000,
        )

    accepted = await house.store.write(arrive)
    await house.store.write(lambda txn: inbox.remove(txn, accepted.id, clock.hour + 5))
    keeper = Housekeeping(house.store, house.config, clock)
    while await keeper.sweep():
        pass
    assert (await house.store.write(arrive)).state == "again", "a deleted item does not come back"
    clock.pass_hours(6)
    while await keeper.sweep():
        pass
    assert not house.store.read(lambda txn: inbox.is_known(txn, id))
