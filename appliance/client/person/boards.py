"""Boards as a person uses them: what is read is verified here, what is written is signed here."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn
from urllib.parse import urlencode

from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol import onion, prekeys
from appliance.protocol.board import Edit, Opened, Post, PostView, Value
from appliance.protocol.codec import to_text

if TYPE_CHECKING:
    from appliance.client.person.core import Core

PAGE: Final = 50

Proof = Literal["signed", "vouched", "former", "false", ""]
"""Signed by the author's identity; vouched for by the box; by somebody who has no account there any more;
not genuine; nothing to prove (removed)."""


@dataclass(frozen=True)
class BoardPost:
    """One post as a reader may see it. Without a proof that holds, `body` and `subject` are empty."""

    id: str
    number: int
    name: str
    sent: int
    hour: int
    subject: str
    body: str = field(repr=False)
    reply: str
    edits: int
    own: bool
    removed: str
    proof: Proof


class BoardDesk:
    """The boards of the account's box; every method raises the box's Refusal, or Unanswered."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @property
    def _onion(self) -> bytes:
        return onion.public_key(self._core.session.onion)

    async def all(self) -> list[wire.Board]:
        """Every board."""
        return (await self._core.member.get("/v1/boards", wire.Boards)).boards

    async def make(self, title: str, about: str = "", **fields: Any) -> wire.Board:
        """A new board; for owners and admins."""
        new = wire.NewBoard(secrets.token_bytes(16), title, about, **fields)
        return await self._core.member.post("/v1/boards", wire.Board, new)

    async def threads(self, board: bytes, before: int | None = None, limit: int = PAGE) -> wire.Threads:
        """Threads by their newest post: the box's word, until one is read."""
        query = {"limit": limit} | ({} if before is None else {"before": before})
        return await self._core.member.get(
            f"/v1/boards/{to_text(board)}/threads?{urlencode(query)}", wire.Threads
        )

    async def posts(self, board: bytes, thread: bytes, after: int = 0) -> list[BoardPost]:
        """All posts of a thread after a number, each verified."""
        found: list[BoardPost] = []
        while True:
            page = await self._core.member.get(
                f"/v1/boards/{to_text(board)}/threads/{to_text(thread)}?after={after}&limit={PAGE}",
                wire.Posts,
            )
            identities = self._identities(page.authors)
            found += [self._verified(board, thread, view, identities) for view in page.posts]
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

    async def search(self, query: str, board: bytes | None = None, limit: int = 20) -> wire.Hits:
        """Posts with all these words: the box's word, until the thread is read."""
        asked = {"q": query, "limit": str(limit)} | ({} if board is None else {"board": to_text(board)})
        return await self._core.member.get(f"/v1/search?{urlencode(asked)}", wire.Hits)

    def _common(self, board: bytes) -> dict[str, Any]:
        return {
            "v": wire.VERSION,
            "id": secrets.token_bytes(16),
            "board": board,
            "sent": self._core.now(),
            "name": self._core.session.name,
            "onion": self._onion,
            "identity": self._core.identity.public,
        }

    async def _submit(self, board: bytes, value: Value) -> wire.Submitted:
        signed = wire.write(self._core.identity, value)
        path = f"/v1/boards/{to_text(board)}/entries"
        return await self._core.member.post(path, wire.Submitted, wire.Submit(signed))

    def _identities(self, entries: Iterable[bytes]) -> dict[str, bytes]:
        """Whose identity is which: as the box's signed entries say, unless this account knows better."""
        found: dict[str, bytes] = {}
        for signed in entries:
            try:
                entry = prekeys.read_entry(signed)
            except Refusal:
                continue
            if entry.onion == self._onion:
                found[entry.name] = entry.identity
        for chat in self._core.chats.all:
            if chat.person.onion == self._core.session.onion:
                found[chat.person.name] = chat.person.identity
        found[self._core.session.name] = self._core.identity.public
        return found

    def _verified(
        self, board: bytes, thread: bytes, view: PostView, identities: dict[str, bytes]
    ) -> BoardPost:
        if view.post is None:
            return _blank(view, "")
        try:
            first = self._opened(view.post, board, identities)
            post = first.value
            if not isinstance(post, Post) or post.id != view.id or (post.thread or post.id) != thread:
                _refuse()
            proof = _proof(first, identities)
            subject, body = post.subject or "", post.body
            if view.edit is not None:
                newer = self._opened(view.edit, board, identities)
                edit = newer.value
                same = isinstance(edit, Edit) and edit.target == post.id
                if not same or (edit.name, edit.identity) != (post.name, post.identity):
                    _refuse()
                if isinstance(edit, Edit):
                    subject, body = edit.subject or subject, edit.body
        except Refusal:
            return _blank(view, "false")
        return BoardPost(
            id=view.id.hex(),
            number=view.number,
            name=post.name,
            sent=post.sent,
            hour=view.hour,
            subject=subject,
            body=body,
            reply="" if post.reply is None else post.reply.hex(),
            edits=view.edits,
            own=post.identity == self._core.identity.public,
            removed="",
            proof=proof,
        )

    def _opened(self, signed: bytes, board: bytes, identities: dict[str, bytes]) -> Opened:
        """A signed value of this board and box, under the identity its name has. Refusal bad_post."""
        opened = wire.read(signed)
        value = opened.value
        if value.board != board or value.onion != self._onion:
            _refuse()
        if not opened.vouched and identities.get(value.name, value.identity) != value.identity:
            _refuse()
        return opened


def _refuse() -> NoReturn:
    raise Refusal("bad_post")


def _proof(opened: Opened, identities: dict[str, bytes]) -> Proof:
    if opened.vouched:
        return "vouched"
    return "signed" if opened.value.name in identities else "former"


def _blank(view: PostView, proof: Proof) -> BoardPost:
    """A post without words: removed, or not genuine."""
    return BoardPost(
        id=view.id.hex(),
        number=view.number,
        name="",
        sent=view.hour * 3600,
        hour=view.hour,
        subject="",
        body="",
        reply="",
        edits=view.edits,
        own=view.own,
        removed=view.removed or "",
        proof=proof,
    )
