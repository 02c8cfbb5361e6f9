"""Which device of the account this client is.

It sits where it sat before, as long as the vault goes on from where this client left it; one that remembers
nothing sits down where nobody listens or answers a knock; when the vault was restored or set back, the device
is a new one, so that no sending chain is ever used twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
import trio

from appliance.client.person import records
from appliance.client.person.member import Member
from appliance.client.person.vault import Displaced, Edit, Vault
from appliance.protocol import prekeys
from appliance.protocol.account import MAX_DEVICES, Session
from appliance.protocol.keys import SigningKey
from appliance.protocol.messages import Message

HOUR: Final = 3600
LOOKS: Final = 8
SURE: Final = 30
"""Seconds that the box has to have watched before it knows who does not listen (SPEC, section 27)."""
INSTANCE: Final = 8


class Remembered(Message, omit_defaults=False):
    """Where this client sat, and how far it was."""

    account: bytes
    device: bytes
    instance: bytes
    generation: int
    epoch: bytes


@dataclass(frozen=True, slots=True)
class Seat:
    """A device, and the word by which the account knows who sits on it."""

    device: bytes
    instance: bytes


@dataclass(frozen=True)
class Surroundings:
    """What a client needs to find its seat.

    `patience`: seconds the others have to answer a knock; 0: only a seat that was given up is taken.
    """

    member: Member
    vault: Vault
    session: Session
    now: Callable[[], int]
    label: str
    patience: float
    remembered: Remembered | None


async def take_seat(around: Surroundings) -> Seat:
    """The seat of this client, bound to its sign-in."""
    seat = await _find(around)
    if seat is None:
        seat = await _new(around)
    await around.member.bind(seat.device)
    return seat


def remember(around: Surroundings, seat: Seat) -> Remembered:
    """How far this device is now."""
    head = around.vault.peek(records.head(seat.device))
    generation = 0 if head is None else head["generation"]
    return Remembered(around.session.account, seat.device, seat.instance, generation, around.session.epoch)


async def _find(around: Surroundings) -> Seat | None:
    account = await around.vault.get(records.ACCOUNT, records.Account)
    heads = await read_heads(around.vault, [row.device for row in account.devices] if account else [])
    kept = around.remembered
    if kept is not None and kept.account == around.session.account:
        head = heads.get(kept.device)
        if head is None or kept.epoch != around.session.epoch or head.generation < kept.generation:
            return None
        if head.instance == kept.instance:
            return Seat(kept.device, kept.instance)
    for device in await _free(around, heads):
        seat = await _sit_down(around, device)
        if seat is not None:
            return seat
    return None


async def _free(around: Surroundings, heads: dict[bytes, records.Head]) -> list[bytes]:
    """Devices nobody sits on, the one used last first."""
    usable = {device: head for device, head in heads.items() if head.epoch == around.session.epoch}
    latest = sorted(usable, key=lambda device: -usable[device].alive)
    left = [device for device in latest if usable[device].left]
    if left or not latest or around.patience <= 0:
        return left
    deaf = await _deaf(around, latest)
    if deaf:
        return deaf
    vault = around.vault
    before = {device: vault.version(records.head(device)) for device in latest}
    knock = {"v": 1, "nonce": secrets.token_bytes(8)}
    await vault.commit([Edit(records.KNOCK, lambda _: knock)])

    def silent() -> list[bytes]:
        return [device for device in latest if vault.version(records.head(device)) == before[device]]

    for _ in range(LOOKS):
        await trio.sleep(around.patience / LOOKS)
        await vault.pull()
        still = silent()
        deaf = await _deaf(around, still)
        if deaf or not still:
            return deaf
    return silent()


async def _deaf(around: Surroundings, devices: list[bytes]) -> list[bytes]:
    """Those of these devices that cannot hear a knock."""
    if not devices:
        return []
    listening = await around.member.listening()
    if listening.seconds < SURE:
        return []
    return [device for device in devices if device not in listening.devices]


async def _sit_down(around: Surroundings, device: bytes) -> Seat | None:
    name = records.head(device)
    head = await around.vault.get(name, records.Head)
    if head is None:
        return None
    instance, write = secrets.token_bytes(INSTANCE), secrets.token_bytes(8)
    after = msgspec.structs.replace(
        head,
        generation=head.generation + 1,
        instance=instance,
        write=write,
        alive=around.now(),
        left=False,
    )
    try:
        await around.vault.commit(
            [Edit(name, lambda _: after, owned=True)], lambda: around.vault.peek(name)["write"] == write
        )
    except Displaced:
        return None
    return Seat(device, instance)


async def _new(around: Surroundings) -> Seat:
    """A new device in the vault, in place of the one this client may not use any more."""
    hour = around.now() // HOUR
    device, instance = secrets.token_bytes(16), secrets.token_bytes(INSTANCE)
    signing, agreement = secrets.token_bytes(32), secrets.token_bytes(32)
    secret = prekeys.lasting(1, 1, hour, secrets.token_bytes(prekeys.FRESH))
    head = records.Head(
        v=1,
        generation=1,
        instance=instance,
        write=secrets.token_bytes(8),
        epoch=around.session.epoch,
        alive=around.now(),
        left=False,
        done=0,
        held=[],
        sessions=[],
    )
    row = records.SeatRow(
        device, around.label, SigningKey(signing).public, prekeys.x25519_public(agreement), hour
    )
    gone = {await _own_before(around), await _least_used(around.vault)}

    def join(now: dict[str, list[dict[str, bytes]]]) -> dict[str, object]:
        others = [one for one in now["devices"] if one["device"] not in gone]
        return {**now, "devices": [*others, msgspec.to_builtins(row, builtin_types=(bytes,))]}

    fresh: dict[str, msgspec.Struct] = {
        records.head(device): head,
        records.keys(device): records.Keys(1, signing, agreement, [secret], b"", []),
        records.prekeys(device): records.Prekeys(1, 1, []),
        records.outgoing(device): records.Outgoing(1, []),
    }
    edits = [Edit(name, partial(_become, value), owned=True) for name, value in fresh.items()]
    await around.vault.commit(
        [*edits, Edit(records.ACCOUNT, join)],
        lambda: around.vault.peek(records.head(device)) is not None,
    )
    return Seat(device, instance)


def _become(value: msgspec.Struct, now: object) -> msgspec.Struct:
    return value


async def _own_before(around: Surroundings) -> bytes | None:
    """The device that was this client's and may not be used any more, since the vault went back."""
    kept = around.remembered
    if kept is None or kept.account != around.session.account:
        return None
    head = (await read_heads(around.vault, [kept.device])).get(kept.device)
    return kept.device if head is not None and head.instance == kept.instance else None


async def _least_used(vault: Vault) -> bytes | None:
    """With all seats taken, the one that has to go."""
    account = await vault.get(records.ACCOUNT, records.Account)
    if account is None or len(account.devices) < MAX_DEVICES:
        return None
    heads = await read_heads(vault, [row.device for row in account.devices])
    return min(heads, key=lambda device: heads[device].alive, default=None)


async def read_heads(vault: Vault, devices: list[bytes]) -> dict[bytes, records.Head]:
    """The heads of these devices, those that are there."""
    await vault.read(*[records.head(device) for device in devices])
    found = {device: await vault.get(records.head(device), records.Head) for device in devices}
    return {device: head for device, head in found.items() if head is not None}
