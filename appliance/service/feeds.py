"""Feeds: a board's newest posts as Atom, for news readers that have no sign-in but a secret link."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from appliance.errors import Refusal
from appliance.protocol import board as wire
from appliance.protocol import codec, onion
from appliance.protocol.board import Edit, FeedLink, Post
from appliance.service import markdown
from appliance.service.account_hooks import Hooks
from appliance.service.boards import require
from appliance.service.caller import Caller
from appliance.store import accounts, boards, feeds, logs
from appliance.store.engine import Store
from appliance.store.storekey import KeyRing, Sealer
from appliance.store.transaction import Transaction

ENTRIES: Final = 30
MOST_OCTETS: Final = 512 * 1024
"""Octets of posts in one feed; older ones are left out."""
MEDIA: Final = "application/atom+xml; charset=utf-8"

_ATOM: Final = "http://www.w3.org/2005/Atom"


class Feeds:
    """Secrets are durable. Owner: the event loop."""

    def __init__(self, store: Store, ring: KeyRing, check_on: Callable[[], None]) -> None:
        self._check_on = check_on
        self._store = store
        self._ring = ring

    def join(self, hooks: Hooks) -> None:
        """Links end with their account."""
        hooks.forget.append(lambda txn, account, name: feeds.forget(txn, self._ring.sealer, account))

    async def link(self, caller: Caller) -> FeedLink:
        """The secret of one's links, made when first asked for."""
        sealer = self._ring.require()

        def job(txn: Transaction) -> bytes:
            return feeds.find(txn, sealer, caller.account) or feeds.renew(txn, sealer, caller.account)

        return FeedLink(codec.to_text(await self._store.write(job)))

    async def renew(self, caller: Caller) -> FeedLink:
        """A new secret; links with the old one end."""
        sealer = self._ring.require()
        secret = await self._store.write(lambda txn: feeds.renew(txn, sealer, caller.account))
        return FeedLink(codec.to_text(secret))

    async def read(self, secret: bytes, board: bytes, base: str) -> bytes:
        """A board as Atom; `base` is the page's own address here.

        Refusals: locked, not_found, no_board, switched_off.
        """
        self._check_on()
        sealer = self._ring.require()

        def look(txn: Transaction) -> bytes:
            account = feeds.whose(txn, secret)
            found = None if account is None else accounts.find(txn, self._ring.machine, account)
            if found is None or found.suspended:
                raise Refusal("not_found")
            return _atom(txn, sealer, board, base)

        return await self._store.read_cold(look)


def _atom(txn: Transaction, sealer: Sealer, board: bytes, base: str) -> bytes:
    row = require(txn, sealer, board)
    feed = Element("feed", xmlns=_ATOM)
    _add(feed, "id", f"urn:island:board:{codec.to_text(board)}")
    _add(feed, "title", row.title)
    if row.about:
        _add(feed, "subtitle", row.about)
    SubElement(feed, "link", rel="alternate", href=f"{base}#/boards/{codec.to_text(board)}")
    updated = SubElement(feed, "updated")
    octets = MOST_OCTETS
    newest = row.made_hour
    at = "" if row.home is None else f"@{onion.address(row.home)}"
    for thread, number in boards.newest_posts(txn, sealer, board, ENTRIES):
        entry = logs.get(txn, sealer, board, number)
        owner = boards.find_thread(txn, sealer, board, thread)
        value = None if entry is None or entry.body is None else wire.value_of(entry.body)
        if entry is None or owner is None or not isinstance(value, Post):
            continue
        changed_by = boards.newest_edit(txn, board, thread, number)
        edit = logs.get(txn, sealer, board, changed_by) if changed_by else None
        changed = None if edit is None or edit.body is None else wire.value_of(edit.body)
        body = changed.body if isinstance(changed, Edit) else value.body
        octets -= len(body)
        if octets < 0:
            break
        hour = entry.hour if edit is None else edit.hour
        newest = max(newest, hour)
        one = SubElement(feed, "entry")
        _add(one, "id", f"urn:island:post:{codec.to_text(value.id)}")
        _add(one, "title", owner.subject if value.thread is None else f"Re: {owner.subject}")
        _add(one, "updated", _time(hour))
        _add(one, "published", _time(entry.hour))
        _add(SubElement(one, "author"), "name", value.name + at)
        where = f"{base}#/boards/{codec.to_text(board)}/{codec.to_text(thread)}"
        SubElement(one, "link", rel="alternate", href=where)
        _add(one, "content", markdown.render(body)).set("type", "html")
    updated.text = _time(newest)
    written: bytes = tostring(feed, encoding="utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + written


def _add(parent: Element, tag: str, text: str) -> Element:
    child = SubElement(parent, tag)
    child.text = "".join(letter for letter in text if letter in "\t\n\r" or letter >= " ")
    return child


def _time(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
