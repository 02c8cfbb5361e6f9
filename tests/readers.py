"""A browser without scripts, for tests: cookies with their paths, forms, redirects, and what is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

import trio

from appliance.client.entrance import Entrance
from appliance.client.http import Line

MOST_REDIRECTS = 8
VOID = {"meta", "link", "input", "img", "br", "hr", "wbr"}


@dataclass
class Form:
    """One form of a page: where it goes, and its fields as they are drawn."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    ticks: set[str] = field(default_factory=set)
    buttons: dict[str, str] = field(default_factory=dict)


class Reading(HTMLParser):
    """What a page shows; whatever could run, or is not closed, fails the test."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.problems: dict[str, str] = {}
        self.notices: list[str] = []
        self.heading = ""
        self.title = ""
        self._open: list[tuple[str, dict[str, str]]] = []
        self._area: str | None = None
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        assert tag not in ("script", "style", "iframe", "object", "embed", "svg", "base"), tag
        assert not any(name.startswith("on") or name == "style" for name in given), given
        for name in ("href", "src", "action"):
            assert given.get(name, "").partition(":")[0] not in ("javascript", "vbscript"), given
        if tag not in VOID:
            self._open.append((tag, given))
        form = self.forms[-1] if self.forms and any(one == "form" for one, _ in self._open) else None
        if tag == "form":
            self.forms.append(Form(given["action"], given["method"]))
        elif tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "input" and form is not None:
            self._input(form, given)
        elif tag == "textarea" and form is not None:
            form.fields[given["name"]] = ""
            self._area = given["name"]
        elif tag == "select" and form is not None:
            form.fields[given["name"]] = ""
        elif tag == "option" and form is not None and "selected" in given:
            form.fields[list(form.fields)[-1]] = given["value"]
        elif tag == "button" and form is not None and "name" in given:
            form.buttons[given["name"]] = given["value"]

    @staticmethod
    def _input(form: Form, given: dict[str, str]) -> None:
        if given.get("type") in ("checkbox", "radio"):
            form.ticks.add(given["name"])
            if "checked" in given:
                form.fields[given["name"]] = given["value"]
        else:
            form.fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        opened, _ = self._open.pop()
        assert opened == tag, (opened, tag)
        if tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area is not None and self.forms:
            # The first line end in a textarea is dropped by browsers.
            self.forms[-1].fields[self._area] += data.removeprefix("\n")
            return
        text = " ".join(data.split())
        if not text:
            return
        self.words.append(text)
        for tag, given in self._open:
            if tag == "h1":
                self.heading += text
            elif tag == "title":
                self.title += text
            elif given.get("id", "").endswith("-problem"):
                name = given["id"].removesuffix("-problem")
                self.problems[name] = self.problems.get(name, "") + text
            elif "notice" in given.get("class", "").split():
                self.notices.append(text)


@dataclass
class Seen:
    """One answer."""

    status: int
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    visited: list[str]

    def __post_init__(self) -> None:
        self.text = self.body.decode()
        self.page = Reading(self.text) if self.header("content-type").startswith("text/html") else None

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    @property
    def words(self) -> str:
        assert self.page is not None
        return " ".join(self.page.words)

    @property
    def problems(self) -> dict[str, str]:
        assert self.page is not None
        return self.page.problems

    def form(self, action: str) -> Form:
        assert self.page is not None
        found = [form for form in self.page.forms if form.action == action]
        assert found, (action, [form.action for form in self.page.forms], self.words)
        return found[0]


@dataclass
class Reader:
    """Somebody with a browser that runs no scripts."""

    entrance: Entrance
    language: str = "en"
    cookies: dict[str, tuple[str, str]] = field(default_factory=dict)
    """name → (value, path)"""

    @property
    def origin(self) -> str:
        return f"http://{self.entrance.host}"

    async def open(self, path: str) -> Seen:
        return await self.ask("GET", path)

    async def send(self, seen: Seen, action: str, /, **values: str) -> Seen:
        """Fill in a form of the page and send it; a tick that is not named stays as it is."""
        form = seen.form(action)
        fields = {**form.fields}
        for name, value in values.items():
            assert name in form.fields or name in form.ticks or name in form.buttons, (name, form)
            fields[name] = value
        return await self.post(form.action, fields)

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> Seen:
        return await self.ask("POST", path, urlencode(fields).encode(), **headers)

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Seen:
        """One request with all the redirects that come of it; a header given as "" is left out."""
        visited: list[str] = []
        while True:
            visited.append(path)
            assert len(visited) <= MOST_REDIRECTS, visited
            seen = await self._once(method, path, body, visited, headers)
            if seen.status not in (303, 307):
                return seen
            to = urlsplit(urljoin(self.origin + path, seen.header("location")))
            assert f"http://{to.netloc}" == self.origin, to
            path = to.path + (f"?{to.query}" if to.query else "")
            if seen.status == 303:
                method, body = "GET", b""

    async def _once(
        self, method: str, path: str, body: bytes, visited: list[str], more: dict[str, str]
    ) -> Seen:
        given = {"host": self.entrance.host, "accept-language": self.language}
        if method == "POST":
            given |= {
                "content-type": "application/x-www-form-urlencoded",
                "content-length": str(len(body)),
                "origin": self.origin,
                "sec-fetch-site": "same-origin",
            }
        bare = path.partition("?")[0]
        sent = [f"{name}={value}" for name, (value, at) in self.cookies.items() if _within(bare, at)]
        if sent:
            given["cookie"] = "; ".join(sent)
        given |= {name.replace("_", "-"): value for name, value in more.items()}
        line = Line(await self.entrance.open())
        try:
            with trio.fail_after(30):
                head = await line.ask(method, path, [pair for pair in given.items() if pair[1]], body)
                answer = b"".join([part async for part in line])
        finally:
            await line.close()
        headers = [(name.decode(), value.decode("latin-1")) for name, value in head.headers]
        for name, value in headers:
            if name == "set-cookie":
                self._keep(value)
        return Seen(head.status_code, path, headers, answer, visited)

    def _keep(self, cookie: str) -> None:
        pair, *attributes = [part.strip() for part in cookie.split(";")]
        assert {"HttpOnly", "SameSite=Strict"} <= set(attributes), cookie
        name, _, value = pair.partition("=")
        if "Max-Age=0" in attributes:
            self.cookies.pop(name, None)
        else:
            path = next(part.removeprefix("Path=") for part in attributes if part.startswith("Path="))
            self.cookies[name] = (value, path)

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[Reader]:
        """Another window of the same browser."""
        yield Reader(self.entrance, self.language, self.cookies)


def _within(path: str, at: str) -> bool:
    return path == at or path.startswith(at if at.endswith("/") else f"{at}/")
