"""Small stand-ins for the services of a box: enough for tests of the entrances alone."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import trio

from appliance.config import Config
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.account import Register, Session, SignIn
from appliance.protocol.desk import State, TorState, UsedRelay, UsedRelays
from appliance.protocol.messages import (
    Acknowledge,
    Acknowledged,
    Deposit,
    Deposited,
    Fetch,
    Fetched,
    Nonces,
    Outcome,
    RelayInfo,
    Subscribe,
)
from appliance.service.arrivals import Arrivals, Watcher
from appliance.service.caller import Caller
from appliance.service.changes import Changes
from appliance.service.guesses import Place
from appliance.service.nonces import StreamNonces
from appliance.service.sign_in import Issued

ADDRESS = "a" * 55 + "d.onion"
OPEN_SESAME = b"o" * 32
SIGN_IN = codec.write(SignIn(name="ann", authentication=OPEN_SESAME, label="test"), codec.JSON)
ISSUED = Issued(
    Session(b"A" * 16, "ann", "owner", ADDRESS, b"S" * 16, b"W" * 72, b"E" * 16, False, 0), "good", "fresh"
)
FULL_MAILBOX = b"F" * 20
BROKEN_MAILBOX = b"B" * 20


class FakeRelay:
    """Keeps deposits in a list; two mailbox ids stand for a full mailbox and for a bug."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.calls: list[int] = []
        self.host = ADDRESS
        self.arrivals = Arrivals()
        self.pause = 0.0

    def info(self) -> RelayInfo:
        return RelayInfo(1, "open", [960], 168, 720, 128, 1, 64, 1)

    def nonces(self, count: int) -> Nonces:
        return Nonces([bytes(32)] * count, 60)

    def open_stream(self) -> StreamNonces:
        return StreamNonces()

    def watcher(self) -> Watcher:
        return self.arrivals.watcher()

    async def deposit(self, message: Deposit) -> Deposited:
        self.calls.append(len(message.groups))
        await trio.sleep(self.pause)
        groups = []
        for group in message.groups:
            if group.mailbox == BROKEN_MAILBOX:
                raise RuntimeError("a bug in the relay")
            state = "mailbox_full" if group.mailbox == FULL_MAILBOX else "held"
            if state == "held":
                self.kept += group.envelopes
            groups.append([Outcome(state, 1) for _ in group.envelopes])
            self.arrivals.announce([group.mailbox])
        return Deposited(groups)

    async def fetch(self, message: Fetch, book: Any = None) -> Fetched:
        return Fetched([], False)

    async def acknowledge(self, message: Acknowledge, book: Any = None) -> Acknowledged:
        raise Refusal("nonce")

    async def subscribe(self, message: Subscribe, book: Any, watcher: Watcher) -> None:
        watcher.watch(message.mailbox)


class FakeSignIn:
    """Access tokens that are signed in: `good` (an owner) and each other role; `member` has a device."""

    def caller(self, token: str) -> Caller | None:
        role = {"good": "owner"}.get(token, token)
        if role not in ("owner", "admin", "moderator", "member", "agent"):
            return None
        device = b"D" * 16 if role == "member" else None
        return Caller(role.encode().ljust(16), role, role, b"S" * 16, device)

    async def sign_in(self, body: SignIn, place: Place) -> Issued:
        if body.authentication != OPEN_SESAME:
            raise Refusal("wrong_sign_in")
        return ISSUED

    async def refresh(self, token: str) -> Issued:
        if token != "fresh":
            raise Refusal("session_ended")
        return ISSUED

    async def end(self, caller: Caller, session: bytes) -> None:
        assert session == caller.session


class FakeDoor:
    async def register(self, body: Register, place: Place, *, trusted: bool) -> Issued:
        if body.invite != "token" and not trusted:
            raise Refusal("wrong_token")
        return ISSUED


class FakePlaces:
    """Knows one relay, of which as much can be said as a test likes."""

    def __init__(self) -> None:
        self.words = "fine"

    async def page(self) -> UsedRelays:
        return UsedRelays([UsedRelay(ADDRESS, "ready", self.words, 0)])


class FakeTor:
    async def list_readers(self) -> None:
        raise RuntimeError("a bug in a handler")


class FakeBox:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.relay = self.admission = FakeRelay()
        self.sign_in = FakeSignIn()
        self.door = FakeDoor()
        self.nameplate = SimpleNamespace(claimed=True)
        self.lock = SimpleNamespace(locked=False)
        self.places = FakePlaces()
        self.tor = FakeTor()
        self.changes = Changes()
        self.faults: Counter[str] = Counter()
        self.refusals: Counter[tuple[str, str]] = Counter()
        self.timed: list[str] = []

    def state(self, caller: Caller | None) -> State:
        signed_in = caller is not None
        tor = TorState("off", 0, "off")
        return State(
            self.changes.revision, "0", 0, self.nameplate.claimed, False, signed_in, False, ADDRESS, tor
        )

    def release(self) -> None:
        self.changes.touch()

    def count_fault(self, where: str, error: BaseException) -> None:
        self.faults[where] += 1

    def note_time(self, route: str, seconds: float) -> None:
        self.timed.append(route)

    def count_refusal(self, where: str, code: str) -> None:
        self.refusals[where, code] += 1
