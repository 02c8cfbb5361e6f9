"""Vectors of sessions: PQXDH, whole conversations of peers, signals."""

from __future__ import annotations

from typing import Any

import mlkem
from directory_vectors import LASTING, ROUTES
from people import ALICE, BOB, BOX, HOUR, Vectors, account_device, own_device, seed, signing_of

from appliance.errors import Refusal
from appliance.protocol import certificate, codec, first, peer, pqxdh, prekeys, signals

A = own_device(ALICE, "alice desk")
B = own_device(BOB, "bob phone")
A_LASTING = prekeys.lasting(3, 4, HOUR, seed("alice lasting", 96))
ONE_TIME = prekeys.one_time(11, seed("bob one time", 96))


def bundle_for(identity: Any, own: pqxdh.OwnDevice, secret: prekeys.LastingSecret) -> Any:
    """The bundle a device shows."""
    return prekeys.bundle_of(identity.public, own.device, secret, ROUTES, HOUR)


def encapsulated(kem: bytes, label: str) -> pqxdh.Encapsulated:
    """A KEM secret from derived coins."""
    return pqxdh.Encapsulated(*mlkem.encapsulate(kem, seed(label)))


def pqxdh_vectors() -> Vectors:
    """Agreements with and without a one-time prekey."""
    bundle = bundle_for(BOB, B, LASTING)
    prekey = prekeys.make_one_time(B.device, signing_of("bob phone"), ONE_TIME)
    cases = []
    for name, given, secret in (("with", prekey, ONE_TIME), ("without", None, None)):
        kem = encapsulated(pqxdh.kem_key(bundle, given), f"coins {name}")
        agreed, initiation = pqxdh.initiate(A, pqxdh.party_of(B), bundle, given, seed(f"ek {name}"), kem)
        assert pqxdh.respond(B, pqxdh.party_of(A), LASTING, secret, initiation) == agreed
        cases.append(
            {
                "name": f"{name} one-time prekey",
                "one_time": bool(given),
                "ephemeral_seed": seed(f"ek {name}").hex(),
                "kem_coins": seed(f"coins {name}").hex(),
                "kem_secret": kem.secret.hex(),
                "initiation": _hex(initiation),
                "agreed": _hex(agreed),
            }
        )
    return {
        "about": "initiator to responder; devices hold the X25519 seed as `agreement`. CBOR in hex.",
        "initiator": _hex(A),
        "responder": _hex(B),
        "bundle": _hex(bundle),
        "lasting": _hex(LASTING),
        "one_time_secret": _hex(ONE_TIME),
        "one_time_prekey": _hex(prekey),
        "cases": cases,
    }


class Meeting:
    """Two devices, whose every step is written down."""

    def __init__(self, name: str) -> None:
        self.name, self.steps = name, []  # type: str, list[Vectors]
        self.own = {"a": A, "b": B}
        self.peers = {
            "a": peer.make(BOB.public, account_device("bob phone")),
            "b": peer.make(ALICE.public, account_device("alice desk")),
        }
        self.bundles = {"a": bundle_for(BOB, B, LASTING), "b": bundle_for(ALICE, A, A_LASTING)}
        self.one_time = {"a": {}, "b": {ONE_TIME.id: ONE_TIME}}  # type: dict[str, dict[int, Any]]
        self.envelopes: dict[int, bytes] = {}

    def begin(self, who: str, with_one_time: bool = False) -> None:
        """A new session towards the other's bundle."""
        label = f"{self.name} {len(self.steps)}"
        bundle = self.bundles[who]
        once = prekeys.make_one_time(B.device, signing_of("bob phone"), ONE_TIME) if with_one_time else None
        kem = encapsulated(pqxdh.kem_key(bundle, once), f"{label} coins")
        fresh = seed(label, 64)
        self.peers[who] = peer.begin(self.peers[who], self.own[who], bundle, once, HOUR, fresh, kem)
        self._note(
            {
                "do": "begin",
                "who": who,
                "one_time": with_one_time,
                "fresh": fresh.hex(),
                "kem_coins": seed(f"{label} coins").hex(),
                "hour": HOUR,
            }
        )

    def send(self, who: str, text: str, small: bool = False) -> int:
        """Seal a payload; its number in the steps."""
        at = len(self.steps)
        fresh, payload = seed(f"{self.name} {at}", 80), text.encode()
        sealed = peer.seal(self.peers[who], CERTIFICATES[who], payload, small, fresh)
        self.peers[who], self.envelopes[at] = sealed.peer, sealed.envelope
        self._note(
            {
                "do": "seal",
                "who": who,
                "payload": payload.hex(),
                "small": small,
                "fresh": fresh.hex(),
                "envelope": sealed.envelope.hex(),
            }
        )
        return at

    def get(self, who: str, number: int) -> None:
        """Open an envelope as a client does: sessions first, then as a first envelope."""
        fresh = seed(f"{self.name} {len(self.steps)}", 32)
        step: Vectors = {"do": "open", "who": who, "step": number, "fresh": fresh.hex(), "hour": HOUR}
        data = self.envelopes[number]
        try:
            opened = peer.open_envelope(self.peers[who], data, HOUR, fresh)
            if opened:
                self.peers[who] = opened.peer
                step |= {"by": "session", "payload": opened.payload.hex()}
            else:
                step |= self._accept(who, data, fresh)
        except Refusal as error:
            step["refused"] = error.code
        self._note(step)

    def _accept(self, who: str, data: bytes, fresh: bytes) -> Vectors:
        known = first.open_envelope(self.own[who], data, HOUR)
        if known is None:
            return {"by": "nobody"}
        lasting = [LASTING if who == "b" else A_LASTING]
        found = peer.accept(self.own[who], known, lasting, self.one_time[who], self.peers[who], HOUR, fresh)
        self.peers[who] = found.peer
        self.one_time[who].pop(found.one_time_id, None)
        mark = found.mark.hex() if found.mark else None
        return {
            "by": "first",
            "payload": found.payload.hex(),
            "one_time_id": found.one_time_id,
            "mark": mark,
        }

    def _note(self, step: Vectors) -> None:
        self.steps.append(step | {"peer": _hex(self.peers[step["who"]])})

    def vectors(self) -> Vectors:
        """What happened."""
        return {"name": self.name, "steps": self.steps}


def _certificate(identity: Any, own: pqxdh.OwnDevice, name: str) -> bytes:
    return certificate.make(
        identity,
        certificate.Certificate(
            version=1,
            name=name,
            onion=BOX.public,
            identity=identity.public,
            device=own.device,
            agreement=pqxdh.party_of(own).agreement,
            issued_hour=HOUR,
            expires_hour=HOUR + 168,
        ),
    )


CERTIFICATES = {"a": _certificate(ALICE, A, "alice"), "b": _certificate(BOB, B, "bob")}


def peer_vectors() -> Vectors:
    """Whole conversations between two devices, and first envelopes that must be refused."""
    return {
        "about": "Each step has the acting peer after it (CBOR in hex); `step` names the sealing step.",
        "own": {"a": _hex(A), "b": _hex(B)},
        "start": {who: _hex(each) for who, each in Meeting("").peers.items()},
        "bundles": {
            "for a": _hex(bundle_for(BOB, B, LASTING)),
            "for b": _hex(bundle_for(ALICE, A, A_LASTING)),
        },
        "lasting": {"a": _hex(A_LASTING), "b": _hex(LASTING)},
        "one_time": {
            "secret": _hex(ONE_TIME),
            "prekey": _hex(prekeys.make_one_time(B.device, signing_of("bob phone"), ONE_TIME)),
        },
        "certificates": {who: each.hex() for who, each in CERTIFICATES.items()},
        "first_room": {str(size): room for size, room in first.ROOM.items()},
        "conversations": [talk().vectors() for talk in (_usual, _both, _again)],
    }


def _usual() -> Meeting:
    talk = Meeting("with a one-time prekey")
    talk.begin("a", with_one_time=True)
    hello, more = talk.send("a", "hello"), talk.send("a", "still there?")
    talk.get("b", more)
    talk.get("b", hello)
    talk.get("b", hello)
    answer = talk.send("b", "yes")
    talk.get("a", answer)
    talk.get("b", talk.send("a", "receipt", small=True))
    talk.get("b", talk.send("a", "x" * 3911))
    talk.get("a", talk.send("b", "y" * 16_198))
    talk.get("a", answer)
    return talk


def _both() -> Meeting:
    talk = Meeting("both begin at once")
    talk.begin("a")
    talk.begin("b")
    one, other = talk.send("a", "from a"), talk.send("b", "from b")
    talk.get("a", other)
    talk.get("b", one)
    one, other = talk.send("a", "second from a"), talk.send("b", "second from b")
    talk.get("b", one)
    talk.get("a", other)
    for turn in range(2):
        talk.get("b", talk.send("a", f"a {turn}"))
        talk.get("a", talk.send("b", f"b {turn}"))
    return talk


def _again() -> Meeting:
    talk = Meeting("one side forgot")
    talk.begin("a", with_one_time=True)
    early = talk.send("a", "first")
    talk.get("b", early)
    talk.get("a", talk.send("b", "second"))
    talk.peers["b"] = peer.make(ALICE.public, account_device("alice desk"))
    talk._note({"do": "forget", "who": "b"})
    talk.get("b", talk.send("a", "nobody can read this"))
    talk.get("b", early)
    talk.begin("b")
    talk.get("a", talk.send("b", "resync"))
    talk.get("b", talk.send("a", "again"))
    return talk


def signal_vectors() -> Vectors:
    """Signs both ways, and ones that do not count."""
    talk = Meeting("with a one-time prekey")
    talk.begin("a", with_one_time=True)
    talk.get("b", talk.send("a", "hello"))
    now = HOUR * 3600
    cases = []
    for who in ("a", "b"):
        for kind in signals.KINDS:
            nonce = seed(f"signal {who} {kind}", 24)
            data = signals.seal(talk.peers[who], signals.Sign(kind, now), nonce)
            cases.append(
                {"from": who, "kind": kind, "sent": now, "nonce": nonce.hex(), "envelope": data.hex()}
            )
    good = bytes.fromhex(cases[0]["envelope"])
    return {
        "about": "Opened by the other peer at second `sent`. Not its: null. 61 seconds off: bad_message.",
        "peers": {who: _hex(each) for who, each in talk.peers.items()},
        "signals": cases,
        "not_opened": [
            (good[:500] + bytes((good[500] ^ 1,)) + good[501:]).hex(),
            good[:-1].hex(),
            (b"\2" + good[1:]).hex(),
            "",
        ],
    }


def _hex(value: Any) -> str:
    return codec.encode(value).hex()
