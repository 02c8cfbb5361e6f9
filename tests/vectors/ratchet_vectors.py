"""Vectors of the Double Ratchet: conversations in order, out of order, with faults, and with old keys."""

from __future__ import annotations

from typing import Any

from people import HOUR, Vectors, seed

from appliance.errors import Refusal
from appliance.protocol import codec, prekeys, ratchet

SIZE = 160
"""Octets to which payloads in ratchet.json are padded: the ratchet does not care."""


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


def _hex(value: Any) -> str:
    return codec.encode(value).hex()
