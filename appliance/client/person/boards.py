"""Boards as a person uses them: what is read is verified here, what is written is signed here."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol import onion
from appliance.protocol.board import Edit, Post, PostView, Value
from appliance.protocol.board_reading import BoardPost as BoardPost
from appliance.protocol.board_reading import identities, verified
from appliance.protocol.codec import to_text
from appliance.protocol.mirror import NewMirror
from appliance.protocol.search import Hits

if TYPE_CHECKING:
    from appliance.client.person.core import Core

PAGE: Final = 50


class BoardDesk:
    """The boards of the account's box; every method raises the box's Refusal, or Unanswered."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @property
    def onion(self) -> bytes:
        """The key of the account's box."""
        return onion.public_key(self._core.session.onion)

    async def all(self) -> list[wire.Board]:
        """Every board."""
        return (await self._core.member.get("/v1/boards", wire.Boards)).boards

    async def make(self, title: str, about: str = "", **fields: Any) -> wire.Board:
        """A new board; for owners and admins."""
        new = wire.NewBoard(secrets.token_bytes(16), title, about, **fields)
        return await self._core.member.post("/v1/boards", wire.Board, new)

    async def mirror(self, address: str, days: int) -> wire.Board:
        """Mirror a board of another box, by its address; for owners and admins."""
        new = NewMirror(address, days=days)
        return await self._core.member.post("/v1/mirrors", wire.Board, new)

    async def change(self, board: bytes, **fields: Any) -> wire.Board:
        """Change what is named; for owners and admins."""
        change = wire.ChangeBoard(**fields)
        return await self._core.member.patch(f"/v1/boards/{to_text(board)}", wire.Board, change)

    async def threads(self, board: bytes, before: int | None = None, limit: int = PAGE) -> wire.Threads:
        """Threads by their newest post: the box's word, until one is read."""
        query = {"limit": limit} | ({} if before is None else {"before": before})
        return await self._core.member.get(
            f"/v1/boards/{to_text(board)}/threads?{urlencode(query)}", wire.Threads
        )

    async def posts(
        self, board: bytes, thread: bytes, after: int = 0, home: bytes | None = None
    ) -> list[BoardPost]:
        """All posts of a thread after a number, each verified; of a mirror, under its `home` (onion key)."""
        home = home or self.onion
        found: list[BoardPost] = []
        while True:
            page = await self._core.member.get(
                f"/v1/boards/{to_text(board)}/threads/{to_text(thread)}?after={after}&limit={PAGE}",
                wire.Posts,
            )
            known = self._identities(page.authors, home)
            found += [self._verified(board, thread, view, known, home) for view in page.posts]
            if not page.more or not page.posts:
                return found
            after = page.posts[-1].number

    async def post(
        self,
        board: bytes,
        body: str,
        *,
        subject: str | None = None,
        thread: bytes | None = None,
        reply: bytes | None = None,
    ) -> str:
        """Begin a thread (with a subject), or post in one; the post's id."""
        value = Post(**self._common(board), body=body, subject=subject, thread=thread, reply=reply)
        await self._submit(board, value)
        return value.id.hex()

    async def edit(self, board: bytes, post: bytes, body: str, subject: str | None = None) -> None:
        """New words for a post of one's own."""
        path = f"/v1/boards/{to_text(board)}/posts/{to_text(post)}"
        versions = (await self._core.member.get(path, wire.Versions)).versions
        if not versions:
            raise Refusal("no_entry")
        previous = wire.digest(versions[-1])
        value = Edit(**self._common(board), target=post, previous=previous, body=body, subject=subject)
        await self._submit(board, value)

    async def delete(self, board: bytes, post: bytes) -> None:
        """Take a post of one's own back."""
        await self._submit(board, wire.Deletion(**self._common(board), target=post))

    async def moderate(self, board: bytes, target: bytes, act: wire.Act, reason: str | None = None) -> None:
        """Pin, lock, remove; for moderators, admins and owners."""
        await self._submit(
            board, wire.Moderation(**self._common(board), target=target, act=act, reason=reason)
        )

    async def search(self, query: str, board: bytes | None = None, limit: int = 20) -> Hits:
        """Posts with all these words: the box's word, until the thread is read."""
        asked = {"q": query, "limit": str(limit)} | ({} if board is None else {"board": to_text(board)})
        return await self._core.member.get(f"/v1/search?{urlencode(asked)}", Hits)

    def _common(self, board: bytes) -> dict[str, Any]:
        return {
            "v": wire.VERSION,
            "id": secrets.token_bytes(16),
            "board": board,
            "sent": self._core.now(),
            "name": self._core.session.name,
            "onion": self.onion,
            "identity": self._core.identity.public,
        }

    async def _submit(self, board: bytes, value: Value) -> wire.Submitted:
        signed = wire.write(self._core.identity, value)
        path = f"/v1/boards/{to_text(board)}/entries"
        return await self._core.member.post(path, wire.Submitted, wire.Submit(signed))

    def _identities(self, entries: Iterable[bytes], home: bytes) -> dict[str, bytes]:
        """Whose identity is which at a box: as signed entries say, unless this account knows better."""
        found, host = identities(entries, home), onion.address(home)
        for chat in self._core.chats.all:
            if chat.person.onion == host:
                found[chat.person.name] = chat.person.identity
        if home == self.onion:
            found[self._core.session.name] = self._core.identity.public
        return found

    def _verified(
        self, board: bytes, thread: bytes, view: PostView, known: dict[str, bytes], home: bytes
    ) -> BoardPost:
        found = verified(view, home, board, thread, known)
        return replace(found, own=found.identity == self._core.identity.public)
