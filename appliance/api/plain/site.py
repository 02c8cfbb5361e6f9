"""One request for a page, from its head to what is drawn: who asks, whose form it is, what to show again.

A sign-in that has run out is renewed on the way: the browser is sent with everything it brought (307) to the
one address that gets the refresh cookie, and back. When that fails, what was typed waits in the sign-in form.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from inspect import isawaitable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote

from appliance.api import cookies as tokens
from appliance.api.app import check_announced, collect
from appliance.api.call import Headers, Visit, refusal_headers
from appliance.api.gate import SAFE_METHODS, Gate, header
from appliance.api.plain import cookies, forms
from appliance.api.plain.door_pages import show_sign_in
from appliance.api.plain.pages import PAGES, RENEW
from appliance.api.plain.render import Render, file_headers, html_headers
from appliance.api.plain.row import BROWSERS, Ask, Away, Download, Page, PageRow, Result, Wrong
from appliance.api.plain.words import LANGUAGES, Words, choose
from appliance.api.static import Site
from appliance.errors import Refusal
from appliance.service.caller import Caller

if TYPE_CHECKING:
    from appliance.service.box import Box

Drawn = tuple[int, Headers, bytes]

_INSIDE: Final = re.compile(
    r"/plain(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}){0,6}(?:\?[A-Za-z0-9=&%+._~-]{0,512})?"
)
"""Where one may be sent on: pages of this table, never another site."""


class Request:
    """What a request brought beside its body; cheap, and never refused."""

    def __init__(self, gate: Gate, scope: Any) -> None:
        headers = scope["headers"]
        self.visit: Visit = scope["state"]["visit"]
        self.headers = headers
        self.posts = scope["method"] not in SAFE_METHODS
        self.path: str = scope["path"]
        self.raw_query: str = scope["query_string"].decode("latin-1")
        self.query = dict(parse_qsl(self.raw_query, keep_blank_values=True))
        self.cookies = cookies.read(headers)
        self.language = self.query.get("language", "")
        self.look = self.query.get("look", "")
        self.words: Words = choose(
            self.language or self.cookies.get(cookies.LANGUAGE, ""), header(headers, b"accept-language")
        )
        self.bound = cookies.form_of(self.cookies)
        self.access, self.refresh = tokens.tokens_of(headers)
        self.caller = gate.caller(self.visit, self.access)

    @property
    def here(self) -> str:
        """Where this page is, to come back to."""
        return f"{self.path}?{self.raw_query}" if self.raw_query else self.path

    @property
    def chosen(self) -> Headers:
        """Cookies for a language or a look that was just chosen."""
        found: Headers = []
        if self.language in LANGUAGES:
            found += cookies.chosen(cookies.LANGUAGE, self.language)
        if self.look in cookies.LOOKS:
            found += cookies.chosen(cookies.LOOK, self.look)
        return found


class PlainSite:
    """All pages of the table, with the machinery around their handlers."""

    def __init__(self, box: Box, gate: Gate, site: Site) -> None:
        self._box = box
        self._gate = gate
        self._render = Render()
        self._styles = site.find("assets/plain-", ".css")
        self._rows = [(re.compile(_pattern(row.path)), row) for row in PAGES]

    async def serve(
        self, row: PageRow, scope: Any, path: dict[str, str], body: AsyncIterator[bytes]
    ) -> Drawn:
        """Answer one admitted request; a Refusal becomes a page in words."""
        request = Request(self._gate, scope)
        self._check_shown(request, row)
        began = perf_counter()
        try:
            fields: dict[str, str] = {}
            if request.posts:
                fields = await self._read(row, request, body)
            result = await self._turn(row, request, path, fields)
            return self._draw(request, result)
        except Refusal as refusal:
            return self._refuse(request, refusal, row)
        except Exception as error:
            self._box.count_fault(f"page {row.path}", error)
            return self._refuse(request, Refusal("fault"), row)
        finally:
            self._box.note_time(f"page {row.path}", perf_counter() - began)

    def missing(self, scope: Any, at_root: bool) -> Drawn:
        """There is no such page; "/plain/" is the first one."""
        request = Request(self._gate, scope)
        self._check_shown(request)
        if at_root and not request.posts:
            return self._draw(request, Away("/plain"))
        known, _ = self._find(request.path)
        return self._refuse(request, Refusal("method" if known else "not_found"))

    def turn_away(self, scope: Any, refusal: Refusal) -> Drawn | None:
        """Why a request was not admitted; for a page only, and telling nothing of the box or who asks."""
        if not (scope["path"] + "/").startswith("/plain/"):
            return None
        request = Request(self._gate, scope)
        if self._gate.shown(request.visit) != "client":
            return None
        return self._refuse(request, refusal, bare=True)

    def _check_shown(self, request: Request, row: PageRow | None = None) -> None:
        entrances = BROWSERS if row is None else row.entrances
        if request.visit.kind not in entrances or self._gate.shown(request.visit) != "client":
            raise Refusal("not_found")

    def _refuse(
        self, request: Request, refusal: Refusal, row: PageRow | None = None, *, bare: bool = False
    ) -> Drawn:
        """A page that says why something was refused, and what to do."""
        self._box.count_refusal(f"page {row.path}" if row else "page", refusal.code)
        title = "refused.missing" if refusal.code == "not_found" else "refused.title"
        values: dict[str, Any] = {"words": request.words.refusal(refusal)}
        if bare:
            values |= {"box": "", "caller": None, "token": ""}
        status, headers, body = self._draw(request, Page("refused.html", title, values, refusal.status))
        return status, [*headers, *refusal_headers(refusal)], body

    async def _read(self, row: PageRow, request: Request, body: AsyncIterator[bytes]) -> dict[str, str]:
        if row.act is None and row.path != RENEW:
            raise Refusal("method")
        limit = min(row.octets, self._box.config.body_octets)
        check_announced(request.headers, limit)
        with self._gate.limits.memory.hold() as take:
            raw = await collect(body, limit, take)
            return forms.read_pairs(header(request.headers, b"content-type"), raw)

    async def _turn(
        self, row: PageRow, request: Request, path: dict[str, str], fields: dict[str, str]
    ) -> Result:
        if row.path == RENEW:
            return await self._renew(request, fields)
        if row.who == "member" and request.caller is None:
            if request.access and self._box.lock.locked:
                return self._sign_in_first(request, row, fields, "refusal.locked", 423)
            if request.access:
                return Away(f"{RENEW}?to={quote(request.here, safe='')}", status=307)
            return self._sign_in_first(request, row, fields, "notice.signInFirst")
        if not request.posts and not row.get:
            return Away(row.home)
        own, kept = forms.split_kept(fields) if row.keeps else (fields, {})
        ask = self._ask(request, row, path, own, kept)
        if not request.posts:
            return await _show(row, self._box, ask)
        result = await self._act(row, request, ask)
        if isinstance(result, (Page, Away)) and result.issued is not None and ask.kept:
            return await self._show_kept(result, ask)
        return result

    async def _act(self, row: PageRow, request: Request, ask: Ask) -> Result:
        """Do what a form asks for; what cannot be done is shown beside what was typed."""
        assert row.act is not None  # noqa: S101 — _read refused it
        if not self._box.plain.is_token(ask.form.token, self._bound(request, ask.caller)):
            here = request.bound or ask.caller is not None
            notice = "notice.stale" if here else "notice.cookies"
            return await _again(row, self._box, replace(ask, notice=notice), 403)
        try:
            return await row.act(self._box, ask)
        except Wrong as wrong:
            told = {name: ask.words(key) for name, key in wrong.fields.items()}
            return await _again(row, self._box, replace(ask, wrong=told), 400)
        except Refusal as refusal:
            if row.show is None:
                raise
            self._box.count_refusal(f"page {row.path}", refusal.code)
            where = row.blame.get(refusal.code, "")
            told = {where: ask.words.refusal(refusal)}
            return await _again(row, self._box, replace(ask, wrong=told), refusal.status)

    async def _renew(self, request: Request, fields: dict[str, str]) -> Result:
        """New tokens by the refresh cookie and back; or the sign-in form, with all that was typed."""
        to = request.query.get("to", "")
        if _INSIDE.fullmatch(to) is None:
            raise Refusal("not_found")
        row, _ = self._find(to)
        try:
            if not request.refresh:
                raise Refusal("session_ended")
            issued = await self._box.sign_in.refresh(request.refresh)
        except Refusal as refusal:
            if refusal.code not in ("session_ended", "locked"):
                raise
            notice = "notice.ended" if fields else "notice.endedBare"
            notice = "refusal.locked" if refusal.code == "locked" else notice
            return self._sign_in_first(replace_path(request, to), row, fields, notice, refusal.status)
        return Away(to, issued=issued, status=307)

    def _sign_in_first(
        self,
        request: Request,
        row: PageRow | None,
        fields: Mapping[str, str],
        notice: str,
        status: int = 401,
    ) -> Page:
        kept = forms.keep(row.form, fields) if row else {}
        then = request.here if _INSIDE.fullmatch(request.here) else ""
        ask = Ask(request.visit, request.words, form=forms.SignInForm(), notice=notice, then=then, kept=kept)
        return replace(show_sign_in(self._box, ask), status=status)

    async def _show_kept(self, signed: Page | Away, ask: Ask) -> Result:
        """The form somebody was at when the sign-in had ended, as it was."""
        row, path = self._find(ask.then)
        if row is None or row.show is None or signed.issued is None:
            return signed
        try:
            form = forms.read_form(row.form, ask.kept)
        except Refusal:
            return signed
        caller = self._box.sign_in.caller(signed.issued.access)
        again = replace(
            ask, caller=caller, form=form, path=path, query={}, then="", kept={}, notice="notice.kept"
        )
        return replace(await _show(row, self._box, again), issued=signed.issued)

    def _find(self, where: str) -> tuple[PageRow | None, dict[str, str]]:
        path = where.partition("?")[0]
        for pattern, row in self._rows:
            match = pattern.fullmatch(path)
            if match is not None and row.path != RENEW:
                return row, match.groupdict()
        return None, {}

    def _ask(
        self,
        request: Request,
        row: PageRow,
        path: dict[str, str],
        fields: dict[str, str],
        kept: dict[str, str],
    ) -> Ask:
        form = forms.read_form(row.form, fields)
        then = getattr(form, "then", "") or request.query.get("then", "")
        then = then if _INSIDE.fullmatch(then) else ""
        done = f"done.{request.query.get('done', '')}"
        notice = done if not request.posts and done in request.words else ""
        return Ask(
            request.visit, request.words, request.caller, form, path, request.query, {}, notice, then, kept
        )

    def _bound(self, request: Request, caller: Caller | None) -> bytes:
        return b"door\0" + request.bound.encode() if caller is None else b"member\0" + caller.session

    def _draw(self, request: Request, result: Result) -> Drawn:
        if isinstance(result, Download):
            return 200, file_headers(result.name, result.media, result.body), result.body
        headers: Headers = []
        caller = request.caller
        if result.issued is not None:
            headers += [*tokens.given(result.issued), *cookies.loose()]
            caller = self._box.sign_in.caller(result.issued.access)
        if result.out:
            headers += tokens.cleared()
            caller = None
        if isinstance(result, Away):
            away = [(b"location", result.to.encode()), (b"content-length", b"0")]
            return result.status, [*away, *html_headers(b"")[2:], *headers], b""
        if caller is None and not request.bound:
            request.bound = secrets.token_urlsafe(18)
            headers += cookies.bind(request.bound)
        body = self._render.page(result.template, **self._values(request, result, caller))
        return result.status, [*html_headers(body), *request.chosen, *headers], body

    def _values(self, request: Request, page: Page, caller: Caller | None) -> dict[str, Any]:
        look = request.look if request.look in cookies.LOOKS else cookies.look_of(request.cookies)
        return {
            "t": request.words,
            "title": page.title,
            "box": self._box.nameplate.title,
            "caller": caller,
            "token": self._box.plain.token(self._bound(request, caller)),
            "styles": self._styles,
            "look": look,
            "looks": cookies.LOOKS,
            "accent": self._box.config.accent,
            "boards_on": self._box.config.boards,
            "languages": LANGUAGES,
            # A page that answers a form has no address at which it could be drawn in another language.
            "here": "" if request.posts or request.path == RENEW else request.path,
            "failed": page.status >= 400,
            "form": None,
            "wrong": {},
            "notice": "",
            "then": "",
            "kept": {},
            **page.values,
        }


def replace_path(request: Request, to: str) -> Request:
    """The request as if it had asked for another page."""
    path, _, query = to.partition("?")
    request.path, request.raw_query = path, query
    return request


async def _show(row: PageRow, box: Box, ask: Ask) -> Page:
    assert row.show is not None  # noqa: S101 — a row without it is never drawn
    page = row.show(box, ask)
    return await page if isawaitable(page) else page


async def _again(row: PageRow, box: Box, ask: Ask, status: int) -> Page:
    """The form as it was sent, with what must be mended."""
    return replace(await _show(row, box, ask), status=status)


def _pattern(path: str) -> str:
    return re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", re.escape(path).replace(r"\{", "{").replace(r"\}", "}"))
