"""Accounts: the door, sign-in, one's own account, invites and members."""

from __future__ import annotations

from typing import Final

from appliance.api.row import Row

ACCOUNT: Final[tuple[Row, ...]] = ()
