"""Fixtures of the services: a clock that stands still, an open store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services import House, Time, opened


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
async def house(tmp_path: Path, clock: Time) -> AsyncIterator[House]:
    async with opened(tmp_path / "data", clock) as found:
        yield found
