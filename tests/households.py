"""A household on a real store, with cheap hashes, and people who do their client's part."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from appliance.errors import Refusal
from appliance.protocol.account import (
    ChangePassphrase,
    Code,
    Confirm,
    Kdf,
    NewInvite,
    Register,
    ReplaceCodes,
    SignIn,
    SignInByCode,
)
from appliance.protocol.desk import NewReader, Reader, TorState
from appliance.service.caller import OPERATOR, Caller
from appliance.service.changes import Changes
from appliance.service.credentials import Credentials
from appliance.service.guesses import Place
from appliance.service.household import Household, make_household
from appliance.service.sign_in import Issued
from tests.services import House, Time, opened

HOME = Place()
KDF = Kdf(b"s" * 16, 64, 1)


class FakeTor:
    """Keeps readers by name."""

    def __init__(self) -> None:
        self.readers: dict[str, str] = {}
        self.status = TorState("off", 0, "off")
        self.broken = False

    async def add_reader(self, new: NewReader) -> Reader:
        if self.broken:
            raise Refusal("tor_off")
        self.readers[new.name] = "public"
        return Reader(new.name, "public", "private")

    async def remove_reader(self, name: str) -> None:
        if name not in self.readers:
            raise Refusal("not_found")
        del self.readers[name]


@dataclass(frozen=True)
class Person:
    """Somebody with a passphrase: here just the key that is derived from it."""

    name: str
    account: bytes = field(default_factory=lambda: os.urandom(16))
    key: bytes = field(default_factory=lambda: os.urandom(32))
    wrapped: bytes = field(default_factory=lambda: os.urandom(72))
    codes: tuple[bytes, ...] = field(default_factory=lambda: tuple(os.urandom(32) for _ in range(8)))

    def register(self, invite: str = "", **fields: object) -> Register:
        values = {"kdf": KDF, "label": "laptop", "invite": invite, **fields}
        return Register(
            account=self.account,
            name=self.name,
            authentication=self.key,
            wrapped=self.wrapped,
            **values,  # type: ignore[arg-type]
        )

    def sign_in(self, totp: str | None = None, key: bytes | None = None) -> SignIn:
        return SignIn(name=self.name, authentication=key or self.key, label="laptop", totp=totp)

    def by_code(self, code: bytes, attempt: bytes | None = None) -> SignInByCode:
        return SignInByCode(name=self.name, authentication=code, label="phone", attempt=attempt)

    def confirm(self) -> Confirm:
        return Confirm(self.key)

    def new_codes(self, confirm: bytes | None = None) -> ReplaceCodes:
        return ReplaceCodes([Code(code, code + bytes(40)) for code in self.codes], confirm)

    def changed(self, old: bytes | None) -> ChangePassphrase:
        """The change to this person's key."""
        return ChangePassphrase(replace_salt(KDF), self.key, self.wrapped, old)


def replace_salt(kdf: Kdf) -> Kdf:
    return Kdf(os.urandom(16), kdf.memory_kib, kdf.passes)


@dataclass
class Home:
    """A household with what tests look at."""

    house: House
    people: Household
    tor: FakeTor
    changes: Changes
    ended: list[bytes] = field(default_factory=list)

    @property
    def clock(self) -> Time:
        return self.house.clock

    async def claim(self, name: str = "ann", **fields: object) -> tuple[Person, Issued]:
        owner = Person(name)
        return owner, await self.people.door.register(owner.register(**fields), HOME, trusted=True)

    async def invite(self, **fields: object) -> str:
        made = await self.people.invites.create(OPERATOR, NewInvite(**fields))  # type: ignore[arg-type]
        assert made.code is not None
        return made.code

    async def join(self, name: str = "bob", role: str = "member") -> tuple[Person, Issued]:
        person = Person(name)
        code = await self.invite(role=role)
        return person, await self.people.door.register(person.register(code), HOME)

    def caller(self, issued: Issued) -> Caller:
        found = self.people.sign_in.caller(issued.access)
        assert found is not None
        return found

    def live(self, issued: Issued) -> bool:
        return self.people.sign_in.caller(issued.access) is not None


@asynccontextmanager
async def home(folder: Path, clock: Time | None = None, **settings: object) -> AsyncIterator[Home]:
    async with opened(folder / "data", clock or Time()) as house:
        config = replace(house.config, kdf_memory_kib=64, kdf_passes=1, **settings)  # type: ignore[arg-type]
        changes, tor = Changes(), FakeTor()
        people = make_household(
            house.store,
            house.ring,
            config,
            house.clock,
            changes,
            tor,
            Credentials(8, 1),  # type: ignore[arg-type]
        )
        found = Home(house, people, tor, changes)
        people.hooks.ended.append(lambda account, session: found.ended.append(session))
        yield found
