from __future__ import annotations

from pathlib import Path

from appliance.store.engine import Store
from appliance.store.epoch import EPOCH_SIZE, epoch, renew
from appliance.store.schema import open_store


async def test_a_store_keeps_its_epoch_and_no_two_stores_share_one(tmp_path: Path, store: Store) -> None:
    drawn = await store.write(epoch)
    assert len(drawn) == EPOCH_SIZE
    assert store.read(epoch) == drawn
    other = open_store(tmp_path / "other")
    assert other.write_now(epoch) != drawn
    other.close()


async def test_a_store_that_was_brought_back_gets_another_epoch(store: Store) -> None:
    before = await store.write(epoch)
    after = await store.write(renew)
    assert after != before
    assert store.read(epoch) == after
