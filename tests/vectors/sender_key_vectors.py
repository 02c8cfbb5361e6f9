"""Vectors of sender keys: what the members of a channel seal, give one another, read, and refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from people import HOUR, Vectors, seed
from roster_vectors import INFO_KEY, Book, add, create, identity

from appliance.errors import Refusal
from appliance.protocol import channel_message, codec, content, roster
from appliance.protocol.group_cipher import Recipient, SenderKeys
from appliance.protocol.sender_key import Present

DEVICES = {
    name: [seed(f"{name} device {at}", 16) for at in range(2)] for name in ("ada", "bob", "cleo", "dan")
}


class Room:
    """A channel whose members write down what they do."""

    def __init__(self, book: Book) -> None:
        self.book, self.steps = book, []  # type: Book, list[Vectors]
        self.ciphers: dict[str, SenderKeys] = {}
        self.messages: list[bytes] = []

    def enter(self, who: str, at: int = 0) -> None:
        """Somebody's device takes part."""
        self.ciphers[who] = SenderKeys(identity(who), DEVICES[who][at], INFO_KEY if who == "ada" else None)

    def recipient(self, who: str, at: int = 0) -> Recipient:
        """A device of somebody."""
        return Recipient(identity(who), DEVICES[who][at])

    def present(self, **devices: int) -> Present:
        """So many devices of each."""
        return {identity(who): DEVICES[who][:count] for who, count in devices.items()}

    def do(self, who: str, what: str, act: Callable[[SenderKeys], Vectors], **told: Any) -> Vectors:
        """One step, and what it made of the records."""
        step: Vectors = {"do": what, "who": who, **told}
        try:
            step |= act(self.ciphers[who])
        except Refusal as error:
            step["refused"] = error.code
        changes = self.ciphers[who].changes()
        step["changes"] = {
            name: codec.encode(changes[name]).hex() if changes[name] else None for name in sorted(changes)
        }
        self.steps.append(step)
        return step

    def renew(self, who: str, present: Present, hour: int = HOUR) -> None:
        """New keys, and first why."""
        state, fresh = self.book.states[-1], seed(f"renew {len(self.steps)}", 64)
        self.do(
            who,
            "why",
            lambda keys: {"reason": keys.why_renew(state, present, hour)},
            state=state.number,
            present=_named(present),
            hour=hour,
        )
        self.do(
            who,
            "renew",
            lambda keys: keys.renew(state, present, hour, fresh) or {},
            state=state.number,
            present=_named(present),
            hour=hour,
            fresh=fresh.hex(),
        )

    def share(self, who: str, present: Present) -> None:
        """Whoever lacks the keys is given them, and takes them."""
        state = self.book.states[-1]

        def lacking(keys: SenderKeys) -> Vectors:
            found = keys.missing(state, present)
            return {"missing": [[each.identity.hex(), each.device.hex()] for each in found]}

        step = self.do(who, "missing", lacking, state=state.number, present=_named(present))
        for whose, device in step["missing"]:
            to = Recipient(bytes.fromhex(whose), bytes.fromhex(device))
            name = next(each for each in DEVICES if identity(each) == to.identity)
            told = self.give(who, to)
            if to.device == DEVICES[name][0] and name in self.ciphers:
                self.take(name, who, told)

    def give(self, who: str, to: Recipient, wanted: bytes | None = None) -> str:
        """The payload by which somebody is given keys."""
        state, id, sent = self.book.states[-1], seed(f"told {len(self.steps)}", 16), HOUR * 3600

        def act(keys: SenderKeys) -> Vectors:
            if wanted is None:
                told: content.SenderKey | None = keys.give(state, to, id, sent)
            else:
                told = keys.answer(state, to, wanted, id, sent)
            return {"content": content.write(told).hex() if told else None}

        step = self.do(
            who,
            "give" if wanted is None else "answer",
            act,
            state=state.number,
            to=[to.identity.hex(), to.device.hex()],
            id=id.hex(),
            sent=sent,
            **({} if wanted is None else {"wanted": wanted.hex()}),
        )
        return str(step.get("content"))

    def take(self, who: str, maker: str, told: str, at: int = 0) -> None:
        """Somebody takes keys."""
        value = content.read(bytes.fromhex(told))
        assert isinstance(value, content.SenderKey)
        sender = self.recipient(maker, at)
        self.do(
            who,
            "take",
            lambda keys: keys.take(value, sender) or {},
            sender=[sender.identity.hex(), sender.device.hex()],
            content=told,
        )

    def say(self, who: str, text: bytes, state: int = 0) -> int:
        """Somebody seals a message; its place among all."""
        number, fresh = state or len(self.book.states), seed(f"say {len(self.steps)}", 24)
        step = self.do(
            who,
            "seal",
            lambda keys: {"message": keys.seal(self.book.states[number - 1], text, fresh).hex()},
            state=number,
            payload=text.hex(),
            fresh=fresh.hex(),
        )
        self.messages.append(bytes.fromhex(step.get("message", "")))
        return len(self.messages) - 1

    def hear(self, who: str, number: int, message: int | bytes, state: int = 0) -> None:
        """Somebody reads what stands in the log."""
        data = self.messages[message] if isinstance(message, int) else message
        at = state or len(self.book.states)

        def act(keys: SenderKeys) -> Vectors:
            heard = keys.open(self.book.states[at - 1], number, data)
            if heard is None:
                return {"wanted": channel_message.parse(data).chain.hex()}
            return {
                "payload": heard.payload.hex(),
                "sender": [heard.sender.identity.hex(), heard.sender.device.hex()],
            }

        self.do(who, "open", act, state=at, number=number, message=data.hex())

    def forget(self, who: str, oldest: Mapping[bytes, int]) -> None:
        """Somebody lets go of keys."""
        self.do(
            who,
            "forget",
            lambda keys: keys.forget(oldest) or {},
            oldest={id.hex(): first for id, first in oldest.items()},
        )


def _named(present: Present) -> list[Any]:
    return [[whose.hex(), [each.hex() for each in devices]] for whose, devices in present.items()]


def _story() -> Room:
    """Joins, a removal, rotations, loss, repeats, and what a box or a member may try."""
    book = Book()
    book.write("ada", create(public=False))
    book.write("ada", add("bob"))
    room = Room(book)
    for who in ("ada", "bob", "cleo", "dan"):
        room.enter(who)
    room.say("ada", b"no chain yet")
    room.renew("ada", room.present(ada=1, bob=2))
    room.share("ada", room.present(ada=1, bob=2))
    first = room.say("ada", b"one")
    chain = channel_message.parse(room.messages[first]).chain
    second, lost, third = room.say("ada", b"two"), room.say("ada", b"lost"), room.say("ada", b"x" * 900)
    room.hear("bob", 3, first)
    room.hear("bob", 3, first)
    room.hear("bob", 5, third)
    room.hear("bob", 6, third)
    room.hear("bob", 4, second)
    room.hear("bob", 4, first)
    room.hear("bob", 6, second)
    room.hear("bob", 7, lost)
    broken = room.messages[room.say("ada", b"y" * 3000)]
    room.hear("bob", 8, broken[:-1] + bytes((broken[-1] ^ 1,)))
    room.hear("bob", 8, broken[:100] + bytes((broken[100] ^ 1,)) + broken[101:])
    room.hear("bob", 8, b"\2" + broken[1:])
    room.hear("bob", 8, broken[:-1])
    room.hear("bob", 8, broken)
    # Somebody comes, and reads from then on.
    room.book.write("ada", add("cleo"))
    room.hear("bob", 9, room.say("ada", b"posted in a state that is over", state=2))
    room.share("ada", room.present(ada=1, bob=2, cleo=1))
    after = room.say("ada", b"welcome")
    room.hear("cleo", 10, after)
    room.hear("bob", 10, after)
    room.hear("cleo", 3, first, state=2)
    room.hear("ada", 10, after)
    room.hear("dan", 10, after)
    room.give("ada", room.recipient("cleo"), chain)
    room.give("ada", room.recipient("dan"), chain)
    room.give("bob", room.recipient("cleo"), chain)
    # Somebody is put out: old keys serve no more.
    room.renew("bob", room.present(ada=1, bob=2, cleo=1))
    room.book.write("ada", roster.Remove(identity("bob")))
    room.say("ada", b"under old keys")
    room.say("bob", b"by one who is out")
    room.give("ada", room.recipient("cleo"))
    room.renew("ada", room.present(ada=1, cleo=1))
    room.share("ada", room.present(ada=1, cleo=1))
    newest = room.say("ada", b"z" * 20_000)
    room.hear("cleo", 12, newest)
    room.hear("bob", 12, newest)
    room.hear("cleo", 13, after, state=3)
    room.hear("cleo", 13, after)
    room.give("ada", room.recipient("cleo"), chain)
    # A device is taken away, a week goes by, another device of one's own comes.
    room.renew("ada", room.present(ada=1, cleo=0))
    room.renew("ada", room.present(ada=1), HOUR + 168)
    room.renew("ada", room.present(ada=2), HOUR + 168)
    room.share("ada", room.present(ada=2, cleo=1))
    room.say("ada", b"")
    room.hear("cleo", 14, len(room.messages) - 1)
    room.forget("cleo", {channel_message.parse(room.messages[newest]).chain: 1})
    room.hear("cleo", 12, newest)
    room.hear("cleo", 10, after, state=3)
    return room


def sender_key_vectors() -> Vectors:
    """One story, and sizes."""
    room = _story()
    sizes = [0, 802, 803, 1826, 3874, 3875, 16_162, 16_163, 40_000, 65_536]
    return {
        "about": "`state`: the roster after so many entries. `changes`: records after it, null: removed.",
        "roster": [each.hex() for each in room.book.entries],
        "info_key": {"ada": INFO_KEY.hex()},
        "devices": {who: [identity(who).hex(), DEVICES[who][0].hex()] for who in room.ciphers},
        "steps": room.steps,
        "sizes": [[octets, channel_message.message_size(octets)] for octets in sizes],
    }
