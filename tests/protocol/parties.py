"""Two people with a device each, for tests of sessions: everything drawn from a counter."""

from __future__ import annotations

import hashlib
from typing import Any

from appliance.protocol import certificate, first, peer, pqxdh, prekeys, replays
from appliance.protocol.directory import Bundle, Device, OneTimePrekey
from appliance.protocol.keys import SigningKey
from appliance.protocol.peer import Peer

HOUR = 500_000
BOX = SigningKey(b"\x0b" * 32)


class Fresh:
    """Octets that look random and never come again."""

    def __init__(self, label: str) -> None:
        self.label, self.drawn = label, 0

    def __call__(self, size: int) -> bytes:
        """The next octets."""
        self.drawn += 1
        return hashlib.shake_256(f"{self.label} {self.drawn}".encode()).digest(size)


class Someone:
    """A device of a person: keys, prekeys, and the peer it talks to."""

    def __init__(self, name: str) -> None:
        self.name, self.fresh = name, Fresh(name)
        self.identity, self.signing = SigningKey(self.fresh(32)), SigningKey(self.fresh(32))
        self.own = pqxdh.OwnDevice(self.identity.public, self.fresh(16), self.fresh(32))
        self.lasting = prekeys.lasting(1, 1, HOUR, self.fresh(96))
        self.one_time: dict[int, prekeys.OneTimeSecret] = {}
        self.marks: list[replays.Mark] = []
        self.party = pqxdh.party_of(self.own)
        self.device = Device(
            device=self.own.device,
            signing=self.signing.public,
            agreement=self.party.agreement,
            added_hour=HOUR,
        )
        self.certificate = certificate.make(
            self.identity,
            certificate.Certificate(
                version=1,
                name=name,
                onion=BOX.public,
                identity=self.identity.public,
                device=self.own.device,
                agreement=self.party.agreement,
                issued_hour=HOUR,
                expires_hour=HOUR + 168,
            ),
        )

    def bundle(self) -> Bundle:
        """What the directory shows."""
        return prekeys.bundle_of(self.identity.public, self.own.device, self.lasting, [], HOUR)

    def give(self, id: int) -> OneTimePrekey:
        """A one-time prekey, as the box hands it out."""
        self.one_time[id] = prekeys.one_time(id, self.fresh(96))
        return prekeys.make_one_time(self.own.device, self.signing, self.one_time[id])

    def know(self, other: Someone) -> Peer:
        """The other's device, looked up."""
        return peer.make(other.identity.public, other.device)

    def begin(self, known: Peer, other: Someone, one_time: OneTimePrekey | None = None) -> Peer:
        """A new session."""
        bundle = other.bundle()
        kem = pqxdh.encapsulate(pqxdh.kem_key(bundle, one_time))
        return peer.begin(known, self.own, bundle, one_time, HOUR, self.fresh(64), kem)

    def seal(self, known: Peer, payload: bytes, small: bool = False) -> peer.Sealed:
        """A payload to the peer."""
        return peer.seal(known, self.certificate, payload, small, self.fresh(80))

    def open(self, known: Peer, data: bytes, hour: int = HOUR) -> tuple[Peer, bytes] | None:
        """As a client opens: by session, else as a first envelope; None when it is for nobody here."""
        opened = peer.open_envelope(known, data, hour, self.fresh(32))
        if opened:
            return opened.peer, opened.payload
        outer = first.open_envelope(self.own, data, hour)
        if outer is None:
            return None
        found = peer.accept(self.own, outer, [self.lasting], self.one_time, known, hour, self.fresh(32))
        if found.mark:
            self.marks = replays.remember(self.marks, found.mark, hour)
        self.one_time.pop(found.one_time_id, None)
        return found.peer, found.payload


def acquainted() -> tuple[Someone, Peer, Someone, Peer]:
    """Ada and Bob after a message each way."""
    ada, bob = Someone("ada"), Someone("bob")
    to_bob, to_ada = ada.begin(ada.know(bob), bob, bob.give(1)), bob.know(ada)
    to_bob, to_ada = carry(ada, to_bob, bob, to_ada, b"hello")
    to_ada, to_bob = carry(bob, to_ada, ada, to_bob, b"hello yourself")
    return ada, to_bob, bob, to_ada


def carry(one: Someone, here: Peer, other: Someone, there: Peer, payload: bytes) -> tuple[Peer, Peer]:
    """One message that arrives; both peers after it."""
    sealed = one.seal(here, payload)
    found: Any = other.open(there, sealed.envelope)
    assert found and found[1] == payload
    return sealed.peer, found[0]
