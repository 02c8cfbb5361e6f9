"""A passphrase is stretched for a box: in a thread, and never so little that the box could guess it."""

from __future__ import annotations

import trio

from appliance.client.entrance import Entrance
from appliance.protocol.account import Kdf
from appliance.protocol.passphrase import Stretched, check_strength, stretch


async def stretched(entrance: Entrance, passphrase: str, kdf: Kdf) -> Stretched:
    """Both keys, by the parameters of the box at this entrance; Refusals weak_stretching, bad_setting."""
    # Weak parameters from a box elsewhere would show it enough to guess the passphrase.
    if not entrance.is_near:
        check_strength(kdf)
    return await trio.to_thread.run_sync(stretch, passphrase, kdf, abandon_on_cancel=True)
