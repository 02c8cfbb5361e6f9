"""What lies on the disk: no name or key in clear, and no more octets than promised."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import trio

from appliance.store import (
    accounts,
    device_mailboxes,
    engine,
    grants,
    invites,
    mailboxes,
    places,
    readers,
    sessions,
)
from appliance.store.engine import Transaction
from appliance.store.schema import open_store
from appliance.store.storekey import open_keys

BOUNDS = mailboxes.Bounds(10**6, 10**12)
LIMITS = mailboxes.Limits(BOUNDS, BOUNDS, 10**12)


async def test_the_file_shows_no_name_key_or_content(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    ring = open_keys(tmp_path, store)
    sealer, machine = ring.require(), ring.machine
    words = "fetch capability grant onion verifier proof wrapped totp refresh"
    secrets = {name: os.urandom(32) for name in words.split()}
    texts = [f"clear-text-{number}" for number in range(9)]
    names = iter(texts)

    def job(txn: Transaction) -> None:
        places.save_relay(txn, sealer, places.Relay(secrets["onion"], 1, "ready", secrets["grant"]))
        owner = device_mailboxes.Owner(os.urandom(16), os.urandom(16), bytes(8))
        place = device_mailboxes.fresh(owner, secrets["onion"])
        place = msgspec.structs.replace(place, fetch_seed=secrets["fetch"], capability=secrets["capability"])
        device_mailboxes.save(txn, sealer, place)
        verifier = accounts.Verifier(bytes(16), 8, 1, secrets["verifier"])
        code = accounts.BackupCode(secrets["proof"], secrets["wrapped"])
        kept = accounts.Account(
            os.urandom(16), next(names), "owner", 1, bytes(16), 8, 1, verifier, secrets["wrapped"], (code,)
        )
        accounts.create(txn, machine, msgspec.structs.replace(kept, totp=secrets["totp"]), 9)
        accounts.rename(txn, machine, next(names))
        sign_in = sessions.SignedIn(os.urandom(16), kept.account, next(names), 1, 1, secrets["refresh"], 9)
        sessions.begin(txn, machine, sign_in, 1)
        invites.create(txn, machine, invites.Invite(os.urandom(16), "member", 1, 1, 9, next(names)), 1)
        readers.save_readers(txn, machine, [readers.Reader(next(names), next(names))])
        readers.save_keys(txn, machine, [readers.ReaderKey(next(names), next(names))])
        grants.set_label(txn, machine, grants.grant_id(secrets["grant"]), next(names))

    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        await store.write(job)
        await store.copy(tmp_path / "copy.mdb")
        nursery.cancel_scope.cancel()
    store.close()
    assert not list(names)
    for path in (tmp_path / engine.DATA_FILE, tmp_path / "copy.mdb"):
        data = path.read_bytes()
        assert [text for text in texts if text.encode() in data] == []
        assert [name for name, secret in secrets.items() if secret in data] == []
        assert ring.identity.seed not in data and ring.identity.public not in data


async def test_an_envelope_takes_at_most_2700_octets_with_its_indexes(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    grant = grants.grant_id(b"grant")

    def setup(txn: Transaction) -> list[bytes]:
        grants.create(
            txn, grant, origin="owner", mailboxes=10**4, octets=10**12, now_hour=1, expires_hour=10**6
        )
        keys = [os.urandom(32) for _ in range(1000)]
        return [
            mailboxes.create(
                txn, fetch_key=key, capability_hash=bytes(32), kind="contact", grant=grant, now_hour=1
            ).mailbox
            for key in keys
        ]

    boxes = store.write_now(setup)
    before = store.used_bytes()
    for at in range(0, 20_000, 50):

        def deposit(txn: Transaction, at: int = at) -> None:
            for number in range(at, at + 50):
                envelope = b"\1" + os.urandom(1983)
                box = boxes[number * 7 % 1000]
                expiry = 1 + number * 13 % 168
                [kept] = mailboxes.deposit(txn, box, bytes(32), [envelope], expiry, LIMITS, 1)
                assert kept.state == "held"

        store.write_now(deposit)
    each = (store.used_bytes() - before) / 20_000
    store.close()
    assert each <= 2700, each
    print(f"{each:.0f} octets an envelope")
