"""What a reader makes of a post that the box hands out: checked, or without its words (SPEC.md, "Boards")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol import prekeys
from appliance.protocol.board import Edit, Opened, Post, PostView

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
    identity: bytes | None = field(default=None, repr=False)


def identities(entries: Iterable[bytes], onion: bytes) -> dict[str, bytes]:
    """Whose identity is which at this box, as signed entries say; what is not genuine is passed over."""
    found: dict[str, bytes] = {}
    for signed in entries:
        try:
            entry = prekeys.read_entry(signed)
        except Refusal:
            continue
        if entry.onion == onion:
            found[entry.name] = entry.identity
    return found


def verified(
    view: PostView, onion: bytes, board: bytes, thread: bytes, known: Mapping[str, bytes]
) -> BoardPost:
    """A post of a thread, checked under the identities that are known; `own` is what the box says."""
    if view.post is None:
        return _blank(view, "")
    try:
        first = _opened(view.post, onion, board, known)
        post = first.value
        if not isinstance(post, Post) or post.id != view.id or (post.thread or post.id) != thread:
            _refuse()
        subject, body = post.subject or "", post.body
        if view.edit is not None:
            edit = _opened(view.edit, onion, board, known).value
            if not isinstance(edit, Edit) or edit.target != post.id:
                _refuse()
            if (edit.name, edit.identity) != (post.name, post.identity):
                _refuse()
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
        own=view.own,
        removed="",
        proof=_proof(first, known),
        identity=post.identity,
    )


def _opened(signed: bytes, onion: bytes, board: bytes, known: Mapping[str, bytes]) -> Opened:
    """A signed value of this board and box, under the identity its name has. Refusal bad_post."""
    opened = wire.read(signed)
    value = opened.value
    if value.board != board or value.onion != onion:
        _refuse()
    if not opened.vouched and known.get(value.name, value.identity) != value.identity:
        _refuse()
    return opened


def _refuse() -> NoReturn:
    raise Refusal("bad_post")


def _proof(opened: Opened, known: Mapping[str, bytes]) -> Proof:
    if opened.vouched:
        return "vouched"
    return "signed" if opened.value.name in known else "former"


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
