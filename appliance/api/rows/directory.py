"""The directory: devices and keys of this box's people and, through it, of others'."""

from __future__ import annotations

from typing import Final

from appliance.api.row import Row

DIRECTORY: Final[tuple[Row, ...]] = ()
