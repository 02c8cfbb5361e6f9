"""Fixtures of the store's tests: a real store in a temporary folder, with its committer running."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from appliance.store.engine import Store
from appliance.store.schema import open_store
from appliance.store.storekey import Sealer


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(tmp_path / "data")
    async with trio.open_nursery() as nursery:
        await nursery.start(opened.run)
        yield opened
        nursery.cancel_scope.cancel()
    opened.close()


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(bytes(range(32)))
