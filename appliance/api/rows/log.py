"""Logs: which of them a sign-in hears of. They are read at the routes of what they are for."""

from __future__ import annotations

from typing import Final

from appliance.api.row import Row, member
from appliance.protocol import log

LOG: Final[tuple[Row, ...]] = (
    member("POST", "/v1/logs/watch", log.WatchLogs, None,
           lambda box, call: box.logs.watch(call.member, call.body),
           "The logs (boards) that this sign-in hears of from now on; those before are left."),
)  # fmt: skip
