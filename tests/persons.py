"""People as the directory sees them: an identity, devices, and what these sign and publish."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from appliance.protocol.directory import VERSION, Bundle, Device, Entry, OneTimePrekey, Publish
from appliance.protocol.keys import SigningKey
from appliance.protocol.prekeys import (
    bundle_of,
    lasting,
    make_one_time,
    one_time,
    sign_bundle,
    sign_entry,
    x25519_public,
)
from appliance.service.caller import Caller

HOUR = 500_000


@dataclass
class Gadget:
    """One device with its signing key."""

    id: bytes = field(default_factory=lambda: os.urandom(16))
    key: SigningKey = field(default_factory=lambda: SigningKey(os.urandom(32)))
    agreement: bytes = field(default_factory=lambda: os.urandom(32))
    made: int = 0

    @property
    def row(self) -> Device:
        return Device(self.id, self.key.public, x25519_public(self.agreement), HOUR)

    def prekeys(self, count: int) -> list[OneTimePrekey]:
        """So many new one-time prekeys; ids go up."""
        first = self.made + 1
        self.made += count
        return [
            make_one_time(self.id, self.key, one_time(number, os.urandom(96)))
            for number in range(first, first + count)
        ]


@dataclass
class Person:
    """A name at a box (its public key), with what a client keeps for it."""

    name: str
    box: bytes
    account: bytes = field(default_factory=lambda: os.urandom(16))
    identity: SigningKey = field(default_factory=lambda: SigningKey(os.urandom(32)))
    devices: list[Gadget] = field(default_factory=lambda: [Gadget()])
    revision: int = 0

    def caller(self, device: int | None = 0) -> Caller:
        """The person, signed in with one of the devices."""
        which = None if device is None else self.devices[device].id
        return Caller(self.account, self.name, "member", b"S" * 16, which)

    def entry(self, **other: object) -> bytes:
        """The next signed entry, with fields that are not as they should be."""
        self.revision += 1
        fields: dict[str, object] = {
            "version": VERSION,
            "name": self.name,
            "onion": self.box,
            "identity": self.identity.public,
            "revision": self.revision,
            "issued_hour": HOUR,
            "devices": [one.row for one in self.devices],
        }
        return sign_entry(self.identity, Entry(**{**fields, **other}))

    def bundle(self, device: int = 0) -> bytes:
        """A fresh signed bundle of one device."""
        gadget = self.devices[device]
        return sign_bundle(gadget.key, self.plain_bundle(device))

    def plain_bundle(self, device: int = 0) -> Bundle:
        secret = lasting(1, 1, HOUR, os.urandom(96))
        return bundle_of(self.identity.public, self.devices[device].id, secret, [], HOUR)

    def publication(self, prekeys: int = 3, device: int = 0) -> Publish:
        """Everything a new device publishes."""
        return Publish(self.entry(), self.bundle(device), self.devices[device].prekeys(prekeys))
