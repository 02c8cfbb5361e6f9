"""Vectors of rosters: entries and the states they result in, and entries that must be refused."""

from __future__ import annotations

from typing import Any

import msgspec
from people import BOX, HOUR, Vectors, seed

from appliance.protocol import channel_info, codec, keys, membership, roster

CHANNEL = seed("channel", 16)
INFO_KEY = seed("info key")
PEOPLE = {name: keys.SigningKey(seed(f"channel {name}")) for name in ("ada", "bob", "cleo", "dan", "eve")}
PUBLIC = roster.Info("Tides \u6c34", "what the sea does")


def identity(name: str) -> bytes:
    """Who somebody is."""
    return PEOPLE[name].public


def create(public: bool = True, name: str = "ada") -> roster.Create:
    """A channel's first change."""
    sealed = channel_info.seal(INFO_KEY, CHANNEL, PUBLIC, seed("info nonce", 24))
    return roster.Create(public, name, BOX.public, PUBLIC if public else sealed, 0, 0)


def add(name: str, role: roster.Role = "member") -> roster.Add:
    """Somebody is added."""
    return roster.Add(name, BOX.public, identity(name), role)


def join(name: str) -> roster.Join:
    """Somebody joins."""
    return roster.Join(name, BOX.public)


class Book:
    """A roster that is being written."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.states: list[membership.State] = []

    @property
    def state(self) -> membership.State | None:
        """Where it stands."""
        return self.states[-1] if self.states else None

    def body(self, actor: str, change: Any, **other: Any) -> roster.Entry:
        """The next entry, or one that differs from it."""
        number, before = (self.state.number, self.state.hash) if self.state else (0, bytes(32))
        entry = roster.Entry(1, CHANNEL, number + 1, before, HOUR, identity(actor), change)
        return msgspec.structs.replace(entry, **other)

    def write(self, actor: str, change: Any) -> membership.State:
        """One entry more."""
        signed = roster.sign(PEOPLE[actor], self.body(actor, change))
        self.entries.append(signed)
        self.states.append(membership.apply(self.state, roster.read(signed)))
        return self.states[-1]

    def forge(self, actor: str, change: Any, by: str | None = None, **other: Any) -> bytes:
        """An entry signed without looking at it."""
        body = codec.encode(self.body(actor, change, **other))
        return PEOPLE[by or actor].sign("roster", body) + body


def public_book() -> Book:
    """Everything that can happen in a public channel."""
    book = Book()
    for actor, change in (
        ("ada", create()),
        ("bob", join("bob")),
        ("ada", roster.SetRole(identity("bob"), "moderator")),
        ("bob", add("cleo")),
        ("dan", join("dan")),
        ("bob", roster.Remove(identity("dan"))),
        ("bob", roster.SetTimer(3600)),
        ("ada", roster.SetSlow(30)),
        ("ada", roster.SetInfo(roster.Info("Tides", ""))),
        ("cleo", roster.Leave()),
        ("ada", add("dan", "owner")),
        ("ada", roster.Leave()),
        ("eve", join("eve")),
        ("dan", roster.Close()),
        ("dan", roster.Leave()),
    ):
        book.write(actor, change)
    return book


def private_book() -> Book:
    """A private channel that stands: an owner, a moderator, two members."""
    book = Book()
    book.write("ada", create(public=False))
    book.write("ada", add("bob", "moderator"))
    book.write("bob", add("cleo"))
    book.write("ada", add("dan"))
    return book


def _refused() -> list[Vectors]:
    empty, public, private = Book(), Book(), private_book()
    public.write("ada", create())
    public.write("bob", join("bob"))
    public.write("ada", roster.Remove(identity("bob")))
    closed = public_book()
    good = private.forge("ada", roster.SetTimer(1))
    cases: list[tuple[str, Book, bytes]] = [
        ("not the first", private, private.forge("ada", create(public=False))),
        ("first but no creation", empty, empty.forge("ada", join("ada"))),
        (
            "public with sealed info",
            empty,
            empty.forge("ada", msgspec.structs.replace(create(False), public=True)),
        ),
        (
            "private with clear info",
            empty,
            empty.forge("ada", msgspec.structs.replace(create(), public=False)),
        ),
        ("another channel", private, private.forge("ada", roster.Close(), channel=bytes(16))),
        ("a number left out", private, private.forge("ada", roster.Close(), number=6)),
        ("a number again", private, private.forge("ada", roster.Close(), number=4)),
        ("another past", private, private.forge("ada", roster.Close(), previous=bytes(32))),
        ("signed by another", private, private.forge("ada", roster.Close(), by="bob")),
        ("another context", private, PEOPLE["ada"].sign("entry", good[64:]) + good[64:]),
        ("changed", private, good[:-1] + bytes((good[-1] ^ 1,))),
        ("version 0", private, private.forge("ada", roster.Close(), version=0)),
        ("by nobody of it", private, private.forge("eve", roster.Leave())),
        ("a member adds", private, private.forge("cleo", add("eve"))),
        ("a moderator makes a moderator", private, private.forge("bob", add("eve", "moderator"))),
        ("added twice", private, private.forge("ada", add("bob"))),
        (
            "a name twice",
            private,
            private.forge("ada", roster.Add("bob", BOX.public, identity("eve"), "member")),
        ),
        ("joins a private one", private, private.forge("eve", join("eve"))),
        ("joins after being put out", public, public.forge("bob", join("bob"))),
        ("joins twice", public, public.forge("ada", join("ada"))),
        ("a member removes", private, private.forge("cleo", roster.Remove(identity("dan")))),
        ("a moderator removes the owner", private, private.forge("bob", roster.Remove(identity("ada")))),
        ("removes oneself", private, private.forge("bob", roster.Remove(identity("bob")))),
        ("removes nobody", private, private.forge("ada", roster.Remove(identity("eve")))),
        ("the last owner leaves", private, private.forge("ada", roster.Leave())),
        (
            "the last owner steps down",
            private,
            private.forge("ada", roster.SetRole(identity("ada"), "member")),
        ),
        (
            "a moderator gives a role",
            private,
            private.forge("bob", roster.SetRole(identity("cleo"), "moderator")),
        ),
        ("the role one has", private, private.forge("ada", roster.SetRole(identity("cleo"), "member"))),
        ("a member closes", private, private.forge("cleo", roster.Close())),
        ("a moderator closes", private, private.forge("bob", roster.Close())),
        ("clear info in a private one", private, private.forge("ada", roster.SetInfo(PUBLIC))),
        ("a title with a line end", public, public.forge("ada", roster.SetInfo(roster.Info("a\nb", "")))),
        ("no title", public, public.forge("ada", roster.SetInfo(roster.Info("", "")))),
        ("a topic turned around", public, public.forge("ada", roster.SetInfo(roster.Info("a", "\u202e")))),
        ("a timer of more than a year", private, private.forge("ada", roster.SetTimer(31_536_001))),
        ("joins a closed one", closed, closed.forge("bob", join("bob"))),
        ("trailing byte", private, good + b"\0"),
        ("empty", private, b""),
        ("more than 4096 octets", private, good + bytes(4096)),
    ]
    newer = [
        ("a newer version", private, private.forge("ada", roster.Close(), version=2)),
        ("a new kind of change", private, private.forge("ada", {"kind": "merge", "with": 1})),
    ]
    found = [
        {
            "why": why,
            "code": "bad_roster",
            "entries": [each.hex() for each in book.entries],
            "signed": data.hex(),
        }
        for why, book, data in cases
    ]
    return found + [
        {
            "why": why,
            "code": "unknown_version",
            "entries": [each.hex() for each in book.entries],
            "signed": data.hex(),
        }
        for why, book, data in newer
    ]


def roster_vectors() -> Vectors:
    """Two rosters, entry by entry, and what must be refused after which entries."""
    private = private_book()
    info = private.states[0].info
    assert isinstance(info, bytes)
    return {
        "about": "`states` are as they are stored, one after each entry. `refused` comes after `entries`.",
        "people": {name: key.seed.hex() for name, key in PEOPLE.items()},
        "rosters": [
            {
                "entries": [each.hex() for each in book.entries],
                "values": [codec.encode(roster.read(each).entry).hex() for each in book.entries],
                "states": [codec.encode(membership.store(each)).hex() for each in book.states],
            }
            for book in (public_book(), private)
        ],
        "refused": _refused(),
        "info": {
            "key": INFO_KEY.hex(),
            "channel": CHANNEL.hex(),
            "nonce": seed("info nonce", 24).hex(),
            "info": codec.encode(PUBLIC).hex(),
            "sealed": info.hex(),
            "not_opened": [
                (info[:-1] + bytes((info[-1] ^ 1,))).hex(),
                info[:40].hex(),
                (bytes(8) + info[8:]).hex(),
            ],
        },
    }
