"""A box with ten thousand accounts: looking somebody up, taking prekeys, opening a large vault.

Measured at the services, on the disk that is chosen; HTTP comes on top and costs the same as for envelopes.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import trio

from appliance.config import Config
from appliance.protocol import codec, onion
from appliance.protocol.directory import VERSION, Device, Entry, LookUp, OneTimePrekey, TakePrekeys
from appliance.protocol.keys import KEM_PUBLIC_SIZE, SigningKey
from appliance.protocol.prekeys import bundle_of, lasting, sign_bundle, sign_entry, x25519_public
from appliance.protocol.vault import Change, Put
from appliance.service.caller import Caller
from appliance.service.directory import Directory
from appliance.service.dispatch import Dispatching
from appliance.service.relay import Relay
from appliance.service.vault import Vault
from appliance.store import directory, prekeys
from appliance.store.engine import Store, Transaction
from appliance.store.schema import open_store
from appliance.store.storekey import open_keys

ACCOUNTS: Final = 10_000
PREKEYS: Final = 20
FILLED_AT_ONCE: Final = 500
LOOK_UPS: Final = 4000
TAKINGS: Final = 8192
TAKERS: Final = 64
RECORDS: Final = 10_000
RECORD_OCTETS: Final = 600
RECORDS_AT_ONCE: Final = 500

Tell = Callable[[str], None]


class Times(NamedTuple):
    """Answers a second, the milliseconds they took, and of those the processor's (one asker at a time).

    On a busy machine the first tell of its neighbours, the last of the work.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_p50_ms: float
    cpu_p99_ms: float


class People(NamedTuple):
    """What was measured."""

    look_up: Times
    look_ups_together: Times
    taking: Times
    opening_seconds: float


class _Person(NamedTuple):
    name: str
    account: bytes
    device: bytes


def people(folder: Path, tell: Tell) -> People:
    """Fill a box and measure it."""
    store = open_store(folder / "people")
    try:
        seed = os.urandom(32)
        ring = open_keys(folder / "people", store, seed)
        config = replace(Config(), prekeys_free=1 << 40, prekeys_day=1 << 40)
        tell(f"{ACCOUNTS:,} accounts")
        known = _fill(store, ring.identity.public)
        relay = Relay(store, config, time.time, onion.address(ring.identity.public))
        vault = Vault(store, config, time.time, Dispatching(store, ring, config, time.time, relay))
        return trio.run(_measure, store, Directory(store, ring, config, time.time), vault, known)
    finally:
        store.close()


async def _measure(store: Store, directory: Directory, vault: Vault, known: list[_Person]) -> People:
    async def look_up() -> None:
        codec.encode(await directory.look_up(LookUp(random.choice(known).name, ACCOUNTS // 2)))

    async def take() -> None:
        one = random.choice(known)
        await directory.take(TakePrekeys(one.name, [one.device]))

    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        found = People(
            await times(look_up, LOOK_UPS, 1),
            await times(look_up, LOOK_UPS, 16),
            await times(take, TAKINGS, TAKERS),
            await _open_vault(vault),
        )
        nursery.cancel_scope.cancel()
    return found


async def times(act: Callable[[], Awaitable[None]], count: int, at_once: int) -> Times:
    """Do something so often, so many at a time."""
    taken: list[float] = []
    worked: list[float] = []

    async def work() -> None:
        for _ in range(count // at_once):
            begun, before = time.perf_counter(), time.process_time()
            await act()
            worked.append(time.process_time() - before)
            taken.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(at_once):
            nursery.start_soon(work)
    rate = len(taken) / (time.perf_counter() - begun)
    cuts, cpu = statistics.quantiles(taken, n=100), statistics.quantiles(worked, n=100)
    return Times(rate, 1000 * cuts[49], 1000 * cuts[98], 1000 * cpu[49], 1000 * cpu[98])


async def _open_vault(vault: Vault) -> float:
    """Seconds to read every record of a large vault as the answers that a client gets."""
    caller = Caller(os.urandom(16), "ada", "member", os.urandom(16))
    for _ in range(RECORDS // RECORDS_AT_ONCE):
        puts = [Put(os.urandom(16), 0, os.urandom(RECORD_OCTETS)) for _ in range(RECORDS_AT_ONCE)]
        await vault.change(caller, Change(put=puts))
    begun = time.perf_counter()
    after, more = 0, True
    while more:
        page = await vault.changes(caller, after, RECORDS)
        codec.encode(page)
        after, more = page.records[-1].revision, page.more
    return time.perf_counter() - begun


def _fill(store: Store, box: bytes) -> list[_Person]:
    known: list[_Person] = []
    for first in range(0, ACCOUNTS, FILLED_AT_ONCE):
        numbers = range(first, first + FILLED_AT_ONCE)
        known += store.write_now(partial(_settle_many, box=box, numbers=numbers))
    return known


def _settle_many(txn: Transaction, box: bytes, numbers: range) -> list[_Person]:
    return [_settle(txn, box, number) for number in numbers]


def _settle(txn: Transaction, box: bytes, number: int) -> _Person:
    """One account with a device, its bundle and prekeys (whose signatures nobody looks at here)."""
    identity, key = SigningKey(os.urandom(32)), SigningKey(os.urandom(32))
    person = _Person(f"person{number}", os.urandom(16), os.urandom(16))
    device = Device(person.device, key.public, x25519_public(os.urandom(32)), 1)
    entry = Entry(VERSION, person.name, box, identity.public, 1, 1, [device])
    directory.publish(txn, person.account, sign_entry(identity, entry), 24)
    bundle = bundle_of(identity.public, person.device, lasting(1, 1, 1, os.urandom(96)), [], 1)
    directory.save_bundle(txn, person.account, person.device, sign_bundle(key, bundle))
    kem, signature = os.urandom(KEM_PUBLIC_SIZE), os.urandom(64)
    given = [OneTimePrekey(id, os.urandom(32), kem, signature) for id in range(1, PREKEYS + 1)]
    prekeys.add(txn, person.account, person.device, given, replace=False)
    return person
