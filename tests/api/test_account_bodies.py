"""Bodies that are almost right, at routes of accounts and moderation: a refusal each time, never a fault."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from appliance.api.rows.account import ACCOUNT
from appliance.api.rows.moderation import MODERATION
from appliance.client.entrance import onion
from appliance.client.http import Http
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.account import (
    BindDevice,
    ChangeBan,
    ChangeMember,
    InviteCheck,
    NameQuery,
    NewInvite,
    PutLink,
    Session,
    TakeLink,
    TotpBegin,
    TotpConfirm,
)
from appliance.protocol.desk import ChangeBranding
from appliance.protocol.moderation import CloseReport, NewReport, Thank
from tests.boxes import Net, running
from tests.households import Person

JUNK: list[Any] = [
    None, True, -1, 0, 2**63, 2**64 - 1, "", "x" * 5000, "\0", "\u202e", b"", bytes(15), bytes(17),
    bytes(100_000), [], [[]], {}, {"": 0}, ["x"] * 100, {"salt": bytes(16), "memory_kib": 2**40, "passes": 1},
    {"salt": bytes(16), "memory_kib": 64, "passes": 2**30}, "owner", "123456\n", "١٢٣٤٥٦",
]  # fmt: skip
BOB = Person("bob")
GOOD: dict[str, Any] = {
    "InviteCheck": InviteCheck("code"),
    "Register": BOB.register("code"),
    "NameQuery": NameQuery("bob"),
    "SignIn": BOB.sign_in("000000"),
    "SignInByCode": BOB.by_code(BOB.codes[0]),
    "TakeLink": TakeLink(bytes(16), "phone"),
    "BindDevice": BindDevice(b"D" * 16),
    "ChangePassphrase": BOB.changed(bytes(32)),
    "ReplaceCodes": BOB.new_codes(bytes(32)),
    "TotpBegin": TotpBegin(bytes(32)),
    "TotpConfirm": TotpConfirm("000000"),
    "Confirm": BOB.confirm(),
    "PutLink": PutLink(bytes(16), b"packet"),
    "NewInvite": NewInvite(),
    "ChangeMember": ChangeMember(suspended=False),
    "ChangeBan": ChangeBan("boards"),
    "ChangeBranding": ChangeBranding(box_name="box"),
    "Thank": Thank(bytes(16), bytes(16)),
    "NewReport": NewReport(bytes(16), "spam", person="box"),
    "CloseReport": CloseReport("done"),
}
ASKED = [row for row in ACCOUNT + MODERATION if row.request is not None]


def spoiled(rng: random.Random, value: Any) -> Any:
    """A value with one field replaced, added or left out."""
    fields = msgspec.to_builtins(value, builtin_types=(bytes,))
    name = rng.choice([*fields, "unknown"])
    if name in fields and rng.random() < 0.1:
        del fields[name]
    else:
        fields[name] = rng.choice(JUNK)
    return fields


def test_every_message_is_spoiled() -> None:
    assert {row.request.__name__ for row in ASKED if row.request} == set(GOOD)


async def test_no_spoiled_body_is_a_fault(tmp_path):
    rng = random.Random(7)
    net = Net()
    async with running(net, tmp_path / "box", circuit_requests=10_000) as box:
        code = (await box.desk.invite(NewInvite())).code or ""
        async with Http(onion(net.dial, box.ready.onion)) as http:
            await http.call("POST", "/v1/accounts", Session, BOB.register(code))
            codes: set[str] = set()
            for _ in range(12):
                for row in ASKED:
                    assert row.request is not None
                    body = codec.encode(spoiled(rng, GOOD[row.request.__name__]))
                    path = row.path.replace("{account}", codec.to_text(BOB.account))
                    path = path.replace("{id}", codec.to_text(bytes(16)))
                    try:
                        await http.exchange(row.method, path, body, media=codec.CBOR)
                    except Refusal as refusal:
                        codes.add(refusal.code)
                        assert refusal.status < 500 or refusal.code == "busy", (path, refusal.code)
            assert {"malformed", "role"} <= codes and "bad_answer" not in codes
            assert await http.call("GET", "/v1/session", Session), "still signed in"
        health = await box.desk.health()
        assert health.faults == 0
        assert [member.name for member in await box.desk.members()] == ["bob", "box"]
