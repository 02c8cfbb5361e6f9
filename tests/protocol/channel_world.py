"""A channel as it goes: a box that numbers, members with devices and vaults, and whatever can go wrong.

Nothing here knows keys but the ciphers themselves. Every act loads a cipher from what is stored, as CBOR, and
stores what changed before anything leaves, so that a crash can come at any point between.
"""

from __future__ import annotations

import copy
from typing import Any

from appliance.errors import Refusal
from appliance.protocol import channel_message, codec, content, membership, roster
from appliance.protocol.content import SenderKey
from appliance.protocol.group_cipher import Recipient, SenderKeys
from appliance.protocol.keys import SigningKey
from tests.protocol.parties import Fresh

CHANNEL = bytes(16)
ONION = SigningKey(b"\x0b" * 32).public
NAMES = ("ada", "bob", "cleo", "dan")


class Account:
    """Somebody: an identity, a vault all their devices share, and what they have read, by number."""

    def __init__(self, name: str, key: SigningKey, device: bytes) -> None:
        self.name, self.key = name, key
        self.devices = [device]
        self.vault: dict[str, bytes] = {}
        self.read: dict[int, bytes] = {}
        self.waiting: set[int] = set()
        self.mark = 0

    def cipher(self, device: bytes) -> SenderKeys:
        """The cipher of a device, from the vault."""
        cipher = SenderKeys(self.key.public, device)
        own = device.hex()
        cipher.load(
            {
                name: codec.decode(data)
                for name, data in self.vault.items()
                if name.startswith("reading/") or name.endswith(own)
            }
        )
        return cipher

    def store(self, cipher: SenderKeys) -> None:
        """Into the vault with what changed."""
        for name, value in cipher.changes().items():
            if value is None:
                self.vault.pop(name, None)
            else:
                self.vault[name] = codec.encode(value)


class World:
    """The box with its log, the members, and what is on its way between their devices."""

    def __init__(self) -> None:
        self.fresh = Fresh("world")
        self.accounts = [
            Account(name, SigningKey(bytes([at + 1]) * 32), self.fresh(16)) for at, name in enumerate(NAMES)
        ]
        self.by_identity = {each.key.public: each for each in self.accounts}
        self.log: list[tuple[str, bytes, int]] = []
        """Kind, body, and the roster's number at which it was posted."""
        self.states: list[membership.State] = []
        self.letters: list[tuple[Recipient, Recipient, SenderKey]] = []
        """To, from, what is told."""
        self.told: list[tuple[Recipient, SenderKey]] = []
        """All that was ever told to anybody: to whom, what."""
        self.said: dict[int, tuple[Recipient, bytes]] = {}
        """What was honestly posted, by number."""
        self.hour, self.count = 1000, 0
        self.change(0, roster.Create(True, "ada", ONION, roster.Info("t", ""), 0, 0))

    @property
    def state(self) -> membership.State:
        """The roster now."""
        return self.states[-1]

    def present(self) -> dict[bytes, list[bytes]]:
        """What the directory shows of the members."""
        return {identity: self.by_identity[identity].devices for identity in self.state.members}

    def is_member(self, who: int) -> bool:
        """Whether somebody is in it now."""
        return self.accounts[who].key.public in self.state.members

    def change(self, who: int, change: Any) -> None:
        """An entry of the roster, if it is allowed."""
        state = self.states[-1] if self.states else None
        number, before = (state.number, state.hash) if state else (0, bytes(32))
        key = self.accounts[who].key
        signed = roster.sign(key, roster.Entry(1, CHANNEL, number + 1, before, 1, key.public, change))
        try:
            self.states.append(membership.apply(state, roster.read(signed)))
        except Refusal:
            return
        self.log.append(("roster", signed, number + 1))

    def say(self, who: int, at: int, crash: bool = False, refused: bool = False) -> None:
        """A device posts: renews if it must, gives its keys to who lacks them, seals, stores, posts.

        `crash`: it ends after storing. `refused`: the box takes it for posted in an older state.
        """
        account = self.accounts[who]
        device = account.devices[at % len(account.devices)]
        cipher, state, present = account.cipher(device), self.state, self.present()
        if not state.may(account.key.public, "post"):
            return
        if cipher.why_renew(state, present, self.hour):
            cipher.renew(state, present, self.hour, self.fresh(64))
        sender = Recipient(account.key.public, device)
        letters = []
        for to in cipher.missing(state, present):
            letters.append((to, sender, cipher.give(state, to, self.fresh(16), 1)))
        self.count += 1
        payload = f"{who} says {self.count}".encode()
        message = cipher.seal(state, payload, self.fresh(24))
        account.store(cipher)
        self.send(letters)
        if not crash and not refused:
            self.log.append(("message", message, state.number))
            self.said[len(self.log)] = (sender, payload)

    def send(self, letters: list[tuple[Recipient, Recipient, SenderKey]]) -> None:
        """On their way, through the codec."""
        for to, sender, told in letters:
            value = content.read(content.write(told))
            assert isinstance(value, SenderKey)
            self.letters.append((to, sender, value))
            self.told.append((to, value))

    def deliver(self, which: int, lose: bool = False, twice: bool = False) -> None:
        """One letter comes, or never; perhaps it comes again later."""
        if not self.letters:
            return
        letter = self.letters[which % len(self.letters)]
        if not twice:
            self.letters.remove(letter)
        to, sender, told = letter
        account = self.by_identity[to.identity]
        if lose or to.device not in account.devices:
            return
        cipher = account.cipher(to.device)
        cipher.take(told, sender)
        account.store(cipher)

    def replay(self, which: int) -> None:
        """The box shows a message once more, under a new number."""
        messages = [body for kind, body, _ in self.log if kind == "message"]
        if messages:
            self.log.append(("message", messages[which % len(messages)], self.state.number))

    def catch_up(self, who: int, at: int = 0) -> None:
        """A member's device reads what it missed, and asks for keys it has not."""
        account = self.accounts[who]
        if not self.is_member(who):
            return
        device = account.devices[at % len(account.devices)]
        cipher = account.cipher(device)
        since = self.state.members[account.key.public].since
        wanted: dict[bytes, None] = {}
        for number in [*sorted(account.waiting), *range(account.mark + 1, len(self.log) + 1)]:
            kind, body, posted = self.log[number - 1]
            if kind != "message":
                continue
            try:
                heard = cipher.open(self.states[posted - 1], number, body)
            except Refusal as error:
                account.waiting.discard(number)
                # Nothing honest is refused, but what is from before one's time.
                assert number not in self.said or (error.code == "out_of_step" and posted < since), error
                continue
            if heard is None:
                account.waiting.add(number)
                wanted[channel_message.parse(body).chain] = None
                continue
            account.waiting.discard(number)
            assert self.said.get(number) == (heard.sender, heard.payload), "shown what was not said there"
            assert account.read.setdefault(number, heard.payload) == heard.payload
        account.mark = len(self.log)
        account.store(cipher)
        self.ask(Recipient(account.key.public, device), list(wanted))

    def ask(self, to: Recipient, wanted: list[bytes]) -> None:
        """Whoever made these chains answers, if it is for that device."""
        for account in self.accounts:
            for device in account.devices:
                cipher = account.cipher(device)
                for chain in wanted:
                    told = cipher.answer(self.state, to, chain, self.fresh(16), 1)
                    if told:
                        self.send([(to, Recipient(account.key.public, device), told)])
                account.store(cipher)

    def new_device(self, who: int) -> None:
        """One device more."""
        if len(self.accounts[who].devices) < 3:
            self.accounts[who].devices.append(self.fresh(16))

    def revoke(self, who: int) -> None:
        """The first device is taken away."""
        account = self.accounts[who]
        if len(account.devices) > 1:
            account.devices.pop(0)

    def snapshot(self, who: int) -> Any:
        """What a backup holds of somebody."""
        account = self.accounts[who]
        return copy.deepcopy((account.vault, account.read, account.waiting, account.mark))

    def restore(self, who: int, backup: Any) -> None:
        """The vault is set back: all devices are new ones, with no sending chain."""
        account = self.accounts[who]
        account.vault, account.read, account.waiting, account.mark = copy.deepcopy(backup)
        account.vault = {name: data for name, data in account.vault.items() if name.startswith("reading/")}
        account.devices = [self.fresh(16)]

    def settle(self) -> None:
        """Everything arrives, everybody asks until nothing is missing that can be had."""
        for _ in range(4):
            while self.letters:
                self.deliver(0)
            for who in range(len(self.accounts)):
                self.catch_up(who)
        # Whatever the box shows once more is taken by nobody.
        for which in range(len(self.said)):
            self.replay(which)
        for who in range(len(self.accounts)):
            self.catch_up(who)

    def check(self) -> None:
        """Members have read all since they came, once; nobody can read what is from outside their time."""
        for account in self.accounts:
            member = self.state.members.get(account.key.public)
            for number, (sender, _) in self.said.items():
                posted = self.log[number - 1][2]
                if member and posted >= member.since and self.can_be_asked(sender, number):
                    assert number in account.read, f"{account.name} misses {number}"
            self.check_closed(account)

    def can_be_asked(self, sender: Recipient, number: int) -> bool:
        """Whether whoever said it still can give its key: not a device that is gone."""
        maker = self.by_identity[sender.identity]
        chain = channel_message.parse(self.log[number - 1][1]).chain
        return sender.device in maker.devices and chain in maker.cipher(sender.device)._chains

    def check_closed(self, account: Account) -> None:
        """All that somebody was ever told opens nothing that was posted while they were no member."""
        cipher = SenderKeys(account.key.public, bytes(16))
        for to, told in self.told:
            if to.identity == account.key.public:
                # Whose it is the chain's id tells; all are tried.
                for maker in {sender for sender, _ in self.said.values()}:
                    cipher.take(told, maker)
        for number, (_, payload) in self.said.items():
            _, body, posted = self.log[number - 1]
            state = self.states[posted - 1]
            if account.key.public in state.members:
                continue
            try:
                heard = cipher.open(state, number, body)
            except Refusal as error:
                assert error.code in ("out_of_step", "bad_message")
                continue
            assert heard is None, f"{account.name} reads {payload!r} from outside their time"
