"""The vault: a member's sealed records."""

from __future__ import annotations

from typing import Final

from appliance.api.row import Row, member
from appliance.protocol import vault

VAULT: Final[tuple[Row, ...]] = (
    member("GET", "/v1/vault", None, vault.Records,
           lambda box, call: box.vault.changes(
               call.member, call.number("after", 0), call.number("began", 0)),
           "What changed after revision `after`; a long reading from the start tells where it `began`.",
           query=("after", "began")),
    member("POST", "/v1/vault/read", vault.Read, vault.Records,
           lambda box, call: box.vault.read(call.member, call.body), "Some records by id."),
    member("POST", "/v1/vault", vault.Change, vault.Changed,
           lambda box, call: box.vault.change(call.member, call.body),
           "Write and remove records, all or nothing, and dispatches with them; answered once durable.",
           hot=True),
)  # fmt: skip
