"""Branding: what the box is called, how it greets and looks, its rules, and which parts are switched on.

Anybody may read it, so it is kept ready with a revision: pages fetch it anew only when that has changed.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.desk import Branding as Shown
from appliance.protocol.desk import ChangeBranding, ChangeSettings
from appliance.protocol.names import is_plain
from appliance.service.caller import Caller
from appliance.service.events import EventBook
from appliance.service.nameplate import Nameplate
from appliance.service.rights import check
from appliance.service.settings import Settings

MOST_TEXT: Final = 20_000
_SWITCHES: Final = ("welcome", "policy", "accent", "registration", "boards", "channels")
"""Settings that are part of it."""


class Branding:
    """Owner: the event loop. Its parts are durable as the box's title and as settings."""

    def __init__(self, nameplate: Nameplate, settings: Settings, events: EventBook) -> None:
        self._nameplate = nameplate
        self._settings = settings
        self._events = events
        self._shown: Shown | None = None

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on."""
        self.renew()

    def renew(self) -> None:
        """A part of it may have changed: tell everybody who is here if it has."""
        before, self._shown = self._shown, None
        if before is not None and self.page().revision != before.revision:
            self._events.tell_all("box")

    def page(self) -> Shown:
        """All of it."""
        if self._shown is None:
            config = self._settings.config
            parts: dict[str, Any] = {name: getattr(config, name) for name in _SWITCHES}
            blank = Shown(revision=b"", box_name=self._nameplate.title, **parts)
            digest = hashlib.sha256(codec.encode(blank)).digest()[:8]
            self._shown = msgspec.structs.replace(blank, revision=digest)
        return self._shown

    async def change(self, caller: Caller, body: ChangeBranding) -> Shown:
        """Change parts of it, all or none. Refusals: role, malformed, bad_setting, not_claimed."""
        check(caller, "brand_box")
        given = msgspec.structs.asdict(body)
        values = {name: given[name] for name in _SWITCHES if given[name] is not None}
        for name in ("welcome", "policy"):
            if not is_plain(values.get(name, "").replace("\n", " "), MOST_TEXT):
                raise Refusal("malformed", field=name)
        if body.box_name is not None:
            await self._nameplate.rename(caller, body.box_name)
        if values:
            await self._settings.change(caller, ChangeSettings(values=values), "box.brand")
        self.renew()
        return self.page()
