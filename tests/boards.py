"""Boards on a real store: members with identities in the directory, who sign what they post."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import Any

from appliance.protocol import board as wire
from appliance.protocol import codec
from appliance.protocol.account import Role
from appliance.protocol.directory import Entry
from appliance.protocol.keys import SigningKey
from appliance.service.audit import Audit
from appliance.service.board_pages import BoardPages
from appliance.service.board_posts import BoardPosts
from appliance.service.board_search import BoardSearch
from appliance.service.boards import Boards
from appliance.service.caller import Caller
from appliance.service.conduct import Conduct
from appliance.service.events import EventBook
from appliance.service.four_eyes import FourEyes
from appliance.service.logs import Logs
from appliance.store import accounts, board_index, directory
from appliance.store.board_postings import Budget
from appliance.store.storekey import Sealer
from appliance.store.transaction import Transaction
from tests.services import House

BOARD = b"B" * 16


@dataclass
class Author:
    """A member with an identity."""

    caller: Caller
    key: SigningKey
    onion: bytes

    def sign(self, kind: type[wire.Word], board: bytes = BOARD, **fields: Any) -> wire.Submit:
        common = {
            "v": 1,
            "id": os.urandom(16),
            "board": board,
            "sent": 1,
            "name": self.caller.name,
            "onion": self.onion,
            "identity": self.key.public,
        }
        return wire.Submit(wire.write(self.key, kind(**(common | fields))))  # type: ignore[arg-type]


@dataclass
class BoardHouse:
    """The services of boards over one store; no task of theirs runs."""

    house: House
    events: EventBook = field(init=False)
    logs: Logs = field(init=False)
    audit: Audit = field(init=False)
    conduct: Conduct = field(init=False)
    four_eyes: FourEyes = field(init=False)
    boards: Boards = field(init=False)
    posts: BoardPosts = field(init=False)
    pages: BoardPages = field(init=False)
    search: BoardSearch = field(init=False)

    def __post_init__(self) -> None:
        store, ring, config, clock = self.house.store, self.house.ring, self.house.config, self.house.clock
        self.events = EventBook(store, clock)
        self.logs = Logs(store, ring, config, clock, self.events)
        self.audit = Audit(store, ring, config, clock)
        self.conduct = Conduct(ring, config, clock)
        self.four_eyes = FourEyes(store, ring, config, clock, self.audit, self.events)
        self.boards = Boards(store, ring, config, clock, self.logs, self.audit, self.four_eyes)
        self.posts = BoardPosts(store, ring, self.logs, self.conduct, self.audit, self.boards.check_on)
        self.pages = BoardPages(store, ring, self.logs, self.boards.check_on)
        self.search = BoardSearch(store, ring, self.boards.check_on)

    async def author(self, name: str, role: Role = "member") -> Author:
        """A member whose entry is in the directory."""
        account = name.encode().ljust(16, b"-")
        key, onion = SigningKey(os.urandom(32)), self.house.ring.identity.public
        entry = Entry(1, name, onion, key.public, 1, self.house.clock.hour, [])
        body = codec.encode(entry)
        signed = key.sign("entry", body) + body
        hour = self.house.clock.hour
        verifier = accounts.Verifier(bytes(16), 8, 1, bytes(32))
        row = accounts.Account(account, name, role, hour, bytes(16), 8, 1, verifier, bytes(72))

        def job(txn: Transaction) -> None:
            accounts.create(txn, self.house.ring.machine, row, 1000)
            directory.publish(txn, account, signed, hour)

        await self.house.store.write(job)
        return Author(Caller(account, name, role, os.urandom(16), bytes(16)), key, onion)

    async def post(self, who: Author, body: str, thread: bytes | None = None, **fields: Any) -> bytes:
        """Post; the post's id."""
        if thread is None:
            fields.setdefault("subject", "A subject")
        signed = who.sign(wire.Post, body=body, thread=thread, **fields)
        await self.posts.submit(who.caller, fields.get("board", BOARD), signed)
        return wire.value_of(signed.signed).id

    async def edit(self, who: Author, target: bytes, body: str, **fields: Any) -> None:
        """Replace the newest version of a post."""
        versions = (await self.pages.versions(BOARD, target)).versions
        previous = wire.digest(versions[-1])
        signed = who.sign(wire.Edit, target=target, previous=previous, body=body, **fields)
        await self.posts.submit(who.caller, BOARD, signed)

    async def delete(self, who: Author, target: bytes) -> None:
        """Take a post back."""
        await self.posts.submit(who.caller, BOARD, who.sign(wire.Deletion, target=target))

    async def moderate(self, who: Author, target: bytes, act: wire.Act, **fields: Any) -> None:
        """Moderate."""
        signed = who.sign(wire.Moderation, target=target, act=act, **fields)
        await self.posts.submit(who.caller, BOARD, signed)

    async def index(self) -> None:
        """Bring the index up to date."""
        while await self.search.step():
            pass

    async def sweep(self) -> None:
        """Remove what is to be removed."""
        while await self.boards.sweep() or await self.logs.sweep():
            pass


def postings(txn: Transaction, sealer: Sealer, word: str, board: bytes = BOARD) -> dict[int, int]:
    """Every post that the index has under a word, by rising number, with the word's weight."""
    column = board_index.column(txn, sealer, board, word, Budget(1 << 20, math.inf))
    blocks = list(column.blocks())
    return {number: weight for block in reversed(blocks) for number, weight in block.items()}
