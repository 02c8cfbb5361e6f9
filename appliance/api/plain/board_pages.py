"""Boards: reading threads, writing, changing, deleting, searching, feeds.

What is written here the box signs in the person's name: their keys never come to it. So only what was written
here can be changed here; what a client signed needs that client.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec
import trio
from markupsafe import Markup

from appliance.api.plain.forms import Form, WriteForm
from appliance.api.plain.row import Ask, Away, Page, Result, Wrong, drawn
from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol import onion
from appliance.protocol.board_reading import BoardPost, identities, verified
from appliance.protocol.codec import from_text, to_text
from appliance.protocol.moderation import NewReport, Why
from appliance.protocol.names import is_plain
from appliance.service import markdown
from appliance.service.board_rules import may_post

if TYPE_CHECKING:
    from appliance.service.box import Box

BOARDS: Final = "/plain/boards"
SEARCH: Final = "/plain/search"
FEEDS: Final = "/plain/feeds"
THREADS: Final = 30
POSTS: Final = 25
HITS: Final = 30
"""Of one page: over Tor short ones come sooner."""
LONGEST_QUERY: Final = 200
WHYS: Final[tuple[Why, ...]] = get_args(Why)
_DRAWING: Final = trio.CapacityLimiter(2)
"""Pages that are drawn at the same time."""
_TO_BOARDS: Final = re.compile(r'<a href="#/boards/([A-Za-z0-9_-]{22}(?:/[A-Za-z0-9_-]{22})?)')


@dataclass(frozen=True, slots=True)
class Drawn:
    """A post as a template shows it."""

    id: str
    post: BoardPost
    html: Markup
    may_change: bool
    may_delete: bool


async def show_boards(box: Box, ask: Ask) -> Page:
    """Every board."""
    rows = [(to_text(board.id), board) for board in await _boards(box)]
    return drawn(ask, "boards.html", "boards.title", rows=rows)


async def show_board(box: Box, ask: Ask) -> Page:
    """A page of a board's threads, newest first."""
    board = await _board(box, ask)
    before = _number(ask, "before")
    found = await box.board_pages.threads(board.id, before, THREADS)
    older = found.threads[-1].last if found.more and found.threads else None
    seen = {row.thread for row in found.pinned}
    rows = found.pinned + [row for row in found.threads if row.thread not in seen]
    return _page(
        box, ask, board, "board.html", threads=[(to_text(row.thread), row) for row in rows], older=older,
        first=before is None, heading=board.title,
    )  # fmt: skip


async def show_thread(box: Box, ask: Ask) -> Page:
    """A page of a thread's posts, the oldest first."""
    board, thread = await _board(box, ask), _id(ask, "thread")
    after, before = _number(ask, "after") or 0, _number(ask, "before")
    found = await box.board_pages.posts(ask.member, board.id, thread, after, before, POSTS)
    host = board.home or onion.public_key(box.relay.host)
    # Signatures and Markdown of a whole page: nobody else waits for them.
    posts = await trio.to_thread.run_sync(draw_posts, host, board.id, thread, found, limiter=_DRAWING)
    first = posts[0].post.number if posts else 0
    last = posts[-1].post.number if posts else 0
    earlier = found.more if before is not None else after > 0
    later = found.thread.last > last if before is not None else found.more
    return _page(
        box, ask, board, "thread.html", thread_id=to_text(thread), thread=found.thread, posts=posts,
        first=first, last=last, earlier=earlier, later=later, heading=found.thread.subject,
        form=_fresh(ask.form), may_report=board.home is None,
    )  # fmt: skip


async def show_new(box: Box, ask: Ask) -> Page:
    """A new thread: its subject and its first post."""
    return await _writing(box, ask, await _board(box, ask), "new")


async def new(box: Box, ask: Ask) -> Result:
    """Begin a thread, or look at it first."""
    board, form = await _board(box, ask), ask.form
    wrong = Wrong()
    _check_subject(form, wrong)
    _check_body(form, wrong)
    wrong.require()
    if form.do == "preview":
        return await _writing(box, ask, board, "new", preview=_render(form.body))
    id = _id_for(form)
    value = wire.Post(**_common(box, ask, board.id, id), body=form.body, subject=form.subject.strip())
    done = await box.board_posts.vouch(ask.member, board.id, value)
    return _away(board.id, id, done, new=True)


async def show_reply(box: Box, ask: Ask) -> Page:
    """An answer in a thread."""
    return await _writing(box, ask, await _board(box, ask), "reply", thread_id=to_text(_id(ask, "thread")))


async def reply(box: Box, ask: Ask) -> Result:
    """Post in a thread, or look at it first."""
    board, thread, form = await _board(box, ask), _id(ask, "thread"), ask.form
    wrong = Wrong()
    _check_body(form, wrong)
    wrong.require()
    if form.do == "preview":
        where = to_text(thread)
        return await _writing(box, ask, board, "reply", thread_id=where, preview=_render(form.body))
    to = _id_of(form.to) if form.to else None
    value = wire.Post(**_common(box, ask, board.id, _id_of(form.id)), body=form.body, thread=thread, reply=to)
    done = await box.board_posts.vouch(ask.member, board.id, value)
    return _away(board.id, thread, done)


async def show_edit(box: Box, ask: Ask) -> Page:
    """A post of one's own, to be changed."""
    board = await _board(box, ask)
    signed, post, words, subject = await _own(box, ask, board.id)
    form: WriteForm = ask.form
    if not form.previous:
        form = WriteForm(subject=subject, body=words, previous=to_text(wire.digest(signed)))
    where = {"thread_id": to_text(post.thread or post.id), "post_id": to_text(post.id)}
    opens = post.thread is None
    return await _writing(box, replace(ask, form=form), board, "edit", opens=opens, **where)


async def edit(box: Box, ask: Ask) -> Result:
    """Change a post, or look at it first; refused when it was changed elsewhere meanwhile."""
    board, form = await _board(box, ask), ask.form
    _, post, _, before = await _own(box, ask, board.id)
    wrong = Wrong()
    if post.thread is None:
        _check_subject(form, wrong)
    _check_body(form, wrong)
    wrong.require()
    thread = post.thread or post.id
    if form.do == "preview":
        where = {"thread_id": to_text(thread), "post_id": to_text(post.id)}
        opens = post.thread is None
        return await _writing(box, ask, board, "edit", opens=opens, preview=_render(form.body), **where)
    subject = form.subject.strip() if post.thread is None and form.subject.strip() != before else None
    value = wire.Edit(
        **_common(box, ask, board.id, _id_for(form)),
        target=post.id,
        previous=from_text(form.previous),
        body=form.body,
        subject=subject,
    )
    done = await box.board_posts.vouch(ask.member, board.id, value)
    said = "held" if done.held else "changed"
    return Away(f"{BOARDS}/{to_text(board.id)}/{to_text(thread)}?done={said}")


async def show_delete(box: Box, ask: Ask) -> Page:
    """Ask once before a post goes."""
    board, form = await _board(box, ask), ask.form
    form = msgspec.structs.replace(form, id=form.id or to_text(os.urandom(16)))
    return _page(
        box, ask, board, "delete_post.html", title="post.delete", thread_id=to_text(_id(ask, "thread")),
        post_id=to_text(_id(ask, "post")), html=await _words(box, ask, board.id), form=form,
    )  # fmt: skip


async def delete(box: Box, ask: Ask) -> Result:
    """Take a post of one's own back."""
    board, form = await _board(box, ask), ask.form
    value = wire.Deletion(**_common(box, ask, board.id, _id_of(form.id)), target=_id(ask, "post"))
    await box.board_posts.vouch(ask.member, board.id, value)
    return Away(f"{BOARDS}/{to_text(board.id)}?done=deleted")


async def show_report(box: Box, ask: Ask) -> Page:
    """The post, and why it is reported."""
    board, form = await _board(box, ask), ask.form
    form = msgspec.structs.replace(form, id=form.id or to_text(os.urandom(16)))
    return _page(
        box, ask, board, "report.html", title="report.title", thread_id=to_text(_id(ask, "thread")),
        post_id=to_text(_id(ask, "post")), html=await _words(box, ask, board.id), form=form, whys=WHYS,
    )  # fmt: skip


async def report(box: Box, ask: Ask) -> Result:
    """Tell those who look after the box."""
    board, form = await _board(box, ask), ask.form
    if form.why not in WHYS:
        raise Wrong(why="report.why.needed")
    new = NewReport(
        id=_id_of(form.id),
        why=form.why,
        words=form.words.strip()[:1000],
        log=board.id,
        entry=_id(ask, "post"),
    )
    await box.moderation.reports.make(ask.member, new)
    return Away(f"{BOARDS}/{to_text(board.id)}/{to_text(_id(ask, 'thread'))}?done=reported")


async def show_search(box: Box, ask: Ask) -> Page:
    """What the words of a query find, on one board or all."""
    query = ask.query.get("q", "")[:LONGEST_QUERY]
    at = ask.query.get("board", "")
    board = _id_of(at) if at else None
    boards = await _boards(box)
    titles = {one.id: one.title for one in boards}
    found = await box.board_search.search(query, board, HITS) if query.strip() else None
    hits = [
        (f"{BOARDS}/{to_text(hit.board)}/{to_text(hit.thread)}?after={hit.number - 1}", hit)
        for hit in (found.hits if found else [])
    ]
    return drawn(
        ask, "search.html", "search.title", query=query, at=at, hits=hits, found=found, titles=titles,
        boards=[(to_text(one.id), one.title) for one in boards],
    )  # fmt: skip


async def show_feeds(box: Box, ask: Ask) -> Page:
    """The addresses of one's feeds."""
    secret = (await box.feeds.link(ask.member)).secret
    host = box.relay.host if ask.visit.kind == "onion" else box.config.listen
    rows = [
        (board.title, f"http://{host}/v1/feeds/{secret}/{to_text(board.id)}") for board in await _boards(box)
    ]
    return drawn(ask, "feeds.html", "feeds.title", rows=rows)


async def renew_feeds(box: Box, ask: Ask) -> Result:
    """New addresses; the old ones end."""
    await box.feeds.renew(ask.member)
    return Away(f"{FEEDS}?done=feeds")


async def _writing(box: Box, ask: Ask, board: wire.Board, what: str, **more: Any) -> Page:
    values = {"preview": None, "thread_id": "", "post_id": "", "opens": what == "new", **more}
    form = _fresh(ask.form, ask.query.get("to", ""))
    return _page(box, ask, board, "write.html", title=f"write.{what}", what=what, form=form, **values)


def _page(
    box: Box, ask: Ask, board: wire.Board, template: str, title: str = "boards.title", **values: Any
) -> Page:
    about = {
        "board": board,
        "board_id": to_text(board.id),
        "home": "" if board.home is None else onion.address(board.home),
        "may_post": not board.closed and board.home is None and may_post(ask.member, board),
    }
    return drawn(ask, template, title, **{**about, **values})


def draw_posts(host: bytes, board: bytes, thread: bytes, found: wire.Posts) -> list[Drawn]:
    """Posts of the box with this key as the page shows them: checked, and rendered."""
    known = identities(found.authors, host)
    posts = [(view, verified(view, host, board, thread, known)) for view in found.posts]
    return [
        Drawn(
            id=to_text(view.id),
            post=post,
            html=_render(post.body),
            may_change=view.own and post.proof == "vouched",
            may_delete=view.own and bool(post.proof),
        )
        for view, post in posts
    ]


def _render(text: str) -> Markup:
    """Markdown as HTML, with links inside the app leading to the pages here."""
    html = _TO_BOARDS.sub(rf'<a href="{BOARDS}/\1', markdown.render(text))
    return Markup(html.replace('<a href="#/', '<a href="/#/'))  # noqa: S704 — cleaned by markdown.render


async def _boards(box: Box) -> list[wire.Board]:
    if not box.config.boards:
        raise Refusal("switched_off")
    return (await box.boards.page()).boards


async def _board(box: Box, ask: Ask) -> wire.Board:
    wanted = _id(ask, "board")
    for board in await _boards(box):
        if board.id == wanted:
            return board
    raise Refusal("no_board")


async def _own(box: Box, ask: Ask, board: bytes) -> tuple[bytes, wire.Post, str, str]:
    """A post of one's own, written here: its newest signed version, the first value, words and subject."""
    versions = (await box.board_pages.versions(board, _id(ask, "post"))).versions
    post = wire.value_of(versions[0])
    if not isinstance(post, wire.Post) or post.name != ask.member.name:
        raise Refusal("role")
    if post.identity is not None:
        raise Refusal("bad_post", reason="signed by the author's own keys")
    words, subject = post.body, post.subject or ""
    for signed in versions[1:]:
        value = wire.value_of(signed)
        if isinstance(value, wire.Edit):
            words, subject = value.body, value.subject or subject
    return versions[-1], post, words, subject


async def _words(box: Box, ask: Ask, board: bytes) -> Markup:
    """What a post says now."""
    versions = (await box.board_pages.versions(board, _id(ask, "post"))).versions
    value = wire.value_of(versions[-1])
    return _render(value.body if isinstance(value, wire.Post | wire.Edit) else "")


def _common(box: Box, ask: Ask, board: bytes, id: bytes) -> dict[str, Any]:
    return {
        "v": wire.VERSION,
        "id": id,
        "board": board,
        "sent": int(box.clock()),
        "name": ask.member.name,
        "onion": onion.public_key(box.relay.host),
    }


def _away(board: bytes, thread: bytes, done: wire.Submitted, *, new: bool = False) -> Away:
    """To what was written; a thread that a moderator looks at first is not there yet."""
    at = f"{BOARDS}/{to_text(board)}"
    if done.held:
        return Away(f"{at}?done=held" if new else f"{at}/{to_text(thread)}?done=held")
    return Away(f"{at}/{to_text(thread)}?before={done.number + 1}&done=posted")


def _fresh(form: Form, to: str = "") -> WriteForm:
    """The form with an id for what will be written, so that sending it twice writes once."""
    if not isinstance(form, WriteForm):
        return WriteForm(id=to_text(os.urandom(16)), to=to)
    return msgspec.structs.replace(form, id=form.id or to_text(os.urandom(16)), to=form.to or to)


def _check_subject(form: WriteForm, wrong: Wrong) -> None:
    subject = form.subject.strip()
    if not subject:
        wrong.add("subject", "write.subject.needed")
    elif not is_plain(subject, wire.MAX_SUBJECT):
        wrong.add("subject", "write.subject.bad")


def _check_body(form: WriteForm, wrong: Wrong) -> None:
    if not form.body.strip():
        wrong.add("body", "write.body.needed")
    elif len(form.body.encode()) > wire.MAX_POST_OCTETS:
        wrong.add("body", "write.body.long")


def _id_for(form: WriteForm) -> bytes:
    """The id of what is written: the same for the same form with the same words, since an answer may be lost;
    another one for other words, since somebody may go back, write on and send the form again.
    """
    words = "\0".join((form.previous, form.to, form.subject, form.body)).encode()
    return hashlib.blake2b(words, digest_size=16, key=_id_of(form.id)).digest()


def _number(ask: Ask, name: str) -> int | None:
    text = ask.query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _id(ask: Ask, name: str) -> bytes:
    return _id_of(ask.path[name])


def _id_of(text: str) -> bytes:
    try:
        octets = from_text(text)
    except Refusal:
        raise Refusal("not_found") from None
    if len(octets) != 16:
        raise Refusal("not_found")
    return octets
