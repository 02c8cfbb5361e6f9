"""The vault: a member's sealed records."""

from __future__ import annotations

from typing import Final

from appliance.api.row import Row

VAULT: Final[tuple[Row, ...]] = ()
