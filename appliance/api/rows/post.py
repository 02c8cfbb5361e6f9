"""Post: dispatches, mailboxes of devices, queues, signals and events."""

from __future__ import annotations

from typing import Final

from appliance.api.row import Row

POST: Final[tuple[Row, ...]] = ()
