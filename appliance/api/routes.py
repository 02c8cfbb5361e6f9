"""The one table of routes, joined from the areas' own tables."""

from __future__ import annotations

from typing import Final

from appliance.api.row import Row as Row
from appliance.api.rows.account import ACCOUNT
from appliance.api.rows.board import BOARD
from appliance.api.rows.channel import CHANNEL
from appliance.api.rows.desk import OWNER
from appliance.api.rows.directory import DIRECTORY
from appliance.api.rows.log import LOG
from appliance.api.rows.mirror import MIRROR
from appliance.api.rows.moderation import MODERATION
from appliance.api.rows.post import POST
from appliance.api.rows.relay import RELAY
from appliance.api.rows.room import ROOM
from appliance.api.rows.vault import VAULT

ROUTES: Final[tuple[Row, ...]] = (
    *RELAY,
    *ACCOUNT,
    *MODERATION,
    *DIRECTORY,
    *VAULT,
    *POST,
    *LOG,
    *BOARD,
    *ROOM,
    *MIRROR,
    *CHANNEL,
    *OWNER,
)
