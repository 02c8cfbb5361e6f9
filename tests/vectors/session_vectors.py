"""Vectors of sessions: PQXDH, ratchet conversations, whole conversations of peers, signals."""

from __future__ import annotations

from typing import Any

import mlkem
from directory_vectors import LASTING, ROUTES
from people import ALICE, BOB, BOX, HOUR, Vectors, account_device, own_device, seed, signing_of

from appliance.errors import Refusal
from appliance.protocol import certificate, codec, first, peer, pqxdh, prekeys, ratchet, signals

A = own_device(ALICE, "alice desk")
B = own_device(BOB, "bob phone")
A_LASTING = prekeys.lasting(3, 4, HOUR, seed("alice lasting", 96))
ONE_TIME = prekeys.one_time(11, seed("bob one time", 96))
SIZE = 160
"""Octets to which payloads in ratchet.json are padded: the ratchet does not care."""


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


class Talk:
    """A ratchet conversation that writes itself down."""

    def __init__(self, name: str) -> None:
        root, header, after = seed("root"), seed("header a"), seed("header b")
        bound, pair = seed("associated"), seed("bob ratchet")
        self.name, self.steps = name, []  # type: str, list[Vectors]
        self.states = {
            "a": ratchet.initiator(
                root, prekeys.x25519_public(pair), header, after, bound, seed("alice ratchet")
            ),
            "b": ratchet.responder(root, pair, header, after, bound),
        }
        self.start = {who: _hex(state) for who, state in self.states.items()}
        self.messages: dict[int, bytes] = {}

    def send(self, who: str, text: str) -> int:
        """Write a message; its number in the steps."""
        at = len(self.steps)
        fresh, payload = seed(f"{self.name} {at}", 48), text.encode()
        sealed = ratchet.encrypt(self.states[who], payload, SIZE, fresh)
        self.states[who], self.messages[at] = sealed.state, sealed.message
        self.steps.append(
            {
                "do": "send",
                "who": who,
                "payload": payload.hex(),
                "fresh": fresh.hex(),
                "message": sealed.message.hex(),
                "state": _hex(sealed.state),
            }
        )
        return at

    def get(self, who: str, message: int | bytes, hour: int = HOUR) -> None:
        """Read a message, by its number in the steps or as octets."""
        data = message if isinstance(message, bytes) else self.messages[message]
        fresh = seed(f"{self.name} {len(self.steps)}", 32)
        step: Vectors = {
            "do": "receive",
            "who": who,
            "message": data.hex(),
            "fresh": fresh.hex(),
            "hour": hour,
        }
        try:
            opened = ratchet.decrypt(self.states[who], data, fresh, hour)
        except Refusal as error:
            step["refused"] = error.code
        else:
            step["payload"] = opened.payload.hex() if opened else None
            step["late"] = opened.late if opened else None
            if opened:
                self.states[who] = opened.state
        self.steps.append(step | {"state": _hex(self.states[who])})

    def vectors(self) -> Vectors:
        """What happened."""
        return {"name": self.name, "start": self.start, "steps": self.steps}


def ratchet_vectors() -> Vectors:
    """Conversations in order, out of order, with loss, repeats, changes, and old keys."""
    return {
        "about": f"Payloads padded to {SIZE}. A step that is refused, or has payload null, changes nothing.",
        "size": SIZE,
        "conversations": [talk().vectors() for talk in (_ping, _disorder, _faults, _aging)],
        "kdf": {
            "chain": seed("chain").hex(),
            "next": [key.hex() for key in ratchet._next(seed("chain"))],
            "message_key": ratchet._message_key(ratchet._next(seed("chain"))[1]).hex(),
        },
    }


def _ping() -> Talk:
    talk = Talk("in order")
    for turn in range(3):
        talk.get("b", talk.send("a", f"ping {turn}"))
        talk.get("b", talk.send("a", f"ping {turn} again"))
        talk.get("a", talk.send("b", f"pong {turn}"))
    return talk


def _disorder() -> Talk:
    talk = Talk("out of order and lost")
    first_run = [talk.send("a", f"one {at}") for at in range(5)]
    for at in (3, 0, 4):
        talk.get("b", first_run[at])
    talk.get("a", talk.send("b", "answer"))
    second_run = [talk.send("a", f"two {at}") for at in range(4)]
    talk.get("b", second_run[2], HOUR + 1)
    talk.get("b", first_run[1], HOUR + 1)
    talk.get("b", second_run[0], HOUR + 1)
    back = [talk.send("b", f"back {at}") for at in range(3)]
    talk.get("a", back[2], HOUR + 2)
    talk.get("a", back[0], HOUR + 2)
    talk.get("b", talk.send("a", "three"), HOUR + 2)
    talk.get("b", first_run[2], HOUR + 3)
    talk.get("b", second_run[3], HOUR + 3)
    talk.get("b", second_run[1], HOUR + 3)
    return talk


def _faults() -> Talk:
    talk = Talk("repeats and changes")
    numbers = [talk.send("a", f"m {at}") for at in range(4)]
    whole = talk.messages[numbers[1]]
    talk.get("b", whole[:100] + bytes((whole[100] ^ 1,)) + whole[101:])
    talk.get("b", numbers[1])
    talk.get("b", numbers[1])
    talk.get("b", whole[:-1] + bytes((whole[-1] ^ 1,)))
    talk.get("b", whole[:40] + bytes((whole[40] ^ 1,)) + whole[41:])
    talk.get("b", talk.messages[numbers[2]][:80] + whole[80:])
    talk.get("b", whole[:119])
    talk.get("b", b"")
    talk.get("a", whole)
    talk.get("b", numbers[3])
    talk.get("b", numbers[0])
    talk.get("b", numbers[0])
    talk.get("b", numbers[2])
    far = talk.states["a"]
    for _ in range(1001):
        far = ratchet.encrypt(far, b"", SIZE, bytes(48)).state
    talk.get("b", ratchet.encrypt(far, b"too far", SIZE, seed("far", 48)).message)
    return talk


def _aging() -> Talk:
    talk = Talk("kept keys age")
    numbers = [talk.send("a", f"m {at}") for at in range(5)]
    talk.get("b", numbers[1], HOUR)
    talk.get("b", numbers[4], HOUR + 10)
    talk.get("b", numbers[2], HOUR + 720)
    talk.get("b", numbers[0], HOUR + 720)
    talk.get("b", numbers[3], HOUR + 730)
    return talk


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
