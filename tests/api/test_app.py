from __future__ import annotations

import json


async def test_relay_info(house):
    async with house() as h:
        for kind in ("loopback", "onion", "control"):
            status, headers, body = await h.ask("GET", "/v1/relay", kind=kind)
            assert status == 200, body
            assert json.loads(body)["policy"] == "open"
