"""What a peer reads of a board: all in order, nothing that waits or is gone, nothing once it is put off."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from appliance.protocol import board as wire
from appliance.protocol import prekeys
from appliance.protocol.keys import SigningKey
from appliance.protocol.mailbox import BLANK
from appliance.protocol.room import FetchRoom, RoomPage, sign_fetch
from appliance.service.board_posts import BoardPosts
from appliance.service.nonces import NONCE_SECONDS, NonceBook
from appliance.service.rooms import Rooms
from tests.boards import BOARD, Author, BoardHouse
from tests.services import Time, opened, refused

PEER = SigningKey(b"p" * 32)


@dataclass
class Home:
    """A box with a board that trusts PEER, and what is asked of it."""

    box: BoardHouse
    owner: Author
    ada: Author
    rooms: Rooms = field(init=False)
    book: NonceBook = field(init=False)

    def __post_init__(self) -> None:
        house = self.box.house
        self.book = NonceBook(house.clock, 1000)
        self.rooms = Rooms(house.store, house.ring, self.book, house.host, self.box.boards.check_on)

    def ask(self, key: SigningKey = PEER, nonce: bytes = b"", **fields: Any) -> FetchRoom:
        request = FetchRoom(**{"room": BOARD, "peer": key.public, "auth": BLANK, **fields})
        return sign_fetch(key, self.box.house.host, nonce or self.book.issue(), request)

    async def fetch(self, **fields: Any) -> RoomPage:
        return await self.rooms.fetch(self.ask(**fields))

    async def values(self) -> list[wire.Value]:
        """All that a peer can read, page by page."""
        found: list[wire.Value] = []
        after, more = 0, True
        while more:
            page = await self.fetch(after=after, limit=2)
            found += [wire.read(one.signed).value for one in page.entries if one.signed is not None]
            after, more = page.next, page.more
        return found

    async def trust(self, *peers: bytes) -> None:
        await self.box.boards.change(self.owner.caller, BOARD, wire.ChangeBoard(peers=list(peers)))


@pytest.fixture
async def home(tmp_path) -> AsyncIterator[Home]:
    async with opened(tmp_path, Time()) as house:
        box = BoardHouse(house)
        owner, ada = await box.author("owner", "owner"), await box.author("ada")
        await box.boards.make(owner.caller, wire.NewBoard(BOARD, "Garden", "All that grows"))
        found = Home(box, owner, ada)
        await found.trust(PEER.public)
        yield found


async def test_a_peer_reads_all_in_order(home: Home) -> None:
    box, ada = home.box, home.ada
    thread = await box.post(ada, "first")
    answer = await box.post(home.owner, "second", thread)
    await box.edit(ada, thread, "better")
    await box.moderate(home.owner, thread, "pin")
    page = await home.fetch()
    assert (page.title, page.about, page.threads, page.posts, page.last) == (
        "Garden",
        "All that grows",
        1,
        2,
        4,
    )
    assert [one.number for one in page.entries] == [1, 2, 3, 4] and not page.more and page.next == 4
    assert [type(one) for one in await home.values()] == [wire.Post, wire.Post, wire.Edit, wire.Moderation]
    names = {prekeys.read_entry(one).name for one in page.authors}
    assert names == {"ada", "owner"}
    await box.delete(home.owner, answer)
    again = await home.fetch(after=1)
    assert [(one.number, one.removed) for one in again.entries if one.signed is None] == [(2, "author")]


async def test_limit_0_tells_what_the_board_is(home: Home) -> None:
    await home.box.post(home.ada, "first")
    page = await home.fetch(limit=0)
    assert (page.entries, page.next, page.last, page.more) == ([], 0, 1, True)


async def test_what_waits_for_a_moderator_is_not_read(home: Home) -> None:
    box = home.box
    box.conduct.configure(replace(box.house.config, filter_words=("bad",)))
    held = home.ada.sign(wire.Post, body="bad word", subject="Bad")
    assert (await box.posts.submit(home.ada.caller, BOARD, held)).held
    page = await home.fetch()
    assert (page.entries, page.next, page.more) == ([], 1, False)
    await box.moderate(home.owner, wire.value_of(held.signed).id, "release")
    assert [type(one) for one in await home.values()] == [wire.Moderation, wire.Post]


async def test_what_took_a_thread_away_is_read_after_it(home: Home) -> None:
    box = home.box
    first, second = await box.post(home.ada, "one"), await box.post(home.ada, "two")
    await box.edit(home.ada, second, "changed")
    await box.delete(home.ada, first)
    await box.moderate(home.owner, second, "remove_thread")
    # The words are still on the disk until the sweep comes.
    assert [type(one) for one in await home.values()] == [wire.Deletion, wire.Moderation]
    await box.sweep()
    assert [type(one) for one in await home.values()] == [wire.Deletion, wire.Moderation]
    assert [one.signed is None for one in (await home.fetch()).entries] == [False, False]
    box.house.clock.pass_hours(91 * 24)
    await box.sweep()
    assert await home.values() == []


async def test_a_page_is_bounded_in_octets(home: Home) -> None:
    box = home.box
    box.conduct.configure(replace(box.house.config, posts_minute=1000))
    thread = await box.post(home.ada, "first")
    for _ in range(20):
        await box.post(home.ada, "x" * 60_000, thread)
    page = await home.fetch(limit=128)
    assert page.more and 10 < len(page.entries) < 20
    assert len(await home.values()) == 21


STRANGE: list[Callable[[Home], FetchRoom]] = [
    lambda home: home.ask(key=SigningKey(b"x" * 32)),
    lambda home: home.ask(room=b"Z" * 16),
]


@pytest.mark.parametrize("ask", STRANGE)
async def test_a_stranger_and_a_board_that_is_not_there_are_answered_alike(home: Home, ask: Any) -> None:
    kept = len(home.book._spent)
    with refused("no_room"):
        await home.rooms.fetch(ask(home))
    assert len(home.book._spent) == kept


async def test_a_peer_that_was_put_off_reads_no_more(home: Home) -> None:
    await home.box.post(home.ada, "first")
    await home.fetch()
    await home.trust()
    with refused("no_room"):
        await home.fetch()


async def test_a_request_serves_once_and_not_for_long(home: Home) -> None:
    request = home.ask()
    await home.rooms.fetch(request)
    with refused("nonce"):
        await home.rooms.fetch(request)
    late = home.ask()
    home.box.house.clock.now += NONCE_SECONDS + 1
    with refused("nonce"):
        await home.rooms.fetch(late)
    with refused("nonce"):
        await home.rooms.fetch(home.ask(nonce=os.urandom(32)))
    with refused("signature"):
        await home.rooms.fetch(changed(home.ask(), after=1))


async def test_the_answers_nonce_serves_the_next_request(home: Home) -> None:
    page = await home.fetch()
    await home.rooms.fetch(home.ask(nonce=page.nonce))


@pytest.mark.parametrize("peers", [[b"x" * 32, b"x" * 32], [bytes(32)]])
async def test_peers_are_keys_each_once(home: Home, peers: list[bytes]) -> None:
    with refused("malformed"):
        await home.trust(*peers)


async def test_a_box_is_no_peer_of_itself_and_changes_are_noted(home: Home) -> None:
    with refused("own_card"):
        await home.trust(home.box.house.ring.identity.public)
    with refused("role"):
        await home.box.boards.change(home.ada.caller, BOARD, wire.ChangeBoard(peers=[]))
    # Also where more was changed at once.
    await home.box.boards.change(home.owner.caller, BOARD, wire.ChangeBoard(title="Plot", peers=[]))
    acts = (await home.box.audit.page(home.owner.caller, None, 10)).acts
    assert [act.action for act in acts] == ["board.peers", "board.peers", "board.make"]


async def test_where_boards_are_switched_off_nothing_is_read(home: Home) -> None:
    home.box.boards.configure(replace(home.box.house.config, boards=False))
    with refused("switched_off"):
        await home.fetch()


async def test_vouched_words_are_read_too(home: Home) -> None:
    posts: BoardPosts = home.box.posts
    value = wire.Post(v=1, id=b"v" * 16, board=BOARD, sent=1, name="", onion=bytes(32), body="b", subject="s")
    await posts.vouch(home.ada.caller, BOARD, changed(value, name="ada"))
    (entry,) = (await home.fetch()).entries
    assert wire.read(entry.signed or b"").vouched
