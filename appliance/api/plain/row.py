"""One row of the table of pages: where it is, who may see it, what its form sends, and what comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from appliance.api.call import Visit
from appliance.api.entrance import Kind
from appliance.api.plain.forms import Form
from appliance.api.plain.words import Words
from appliance.errors import Refusal
from appliance.service.caller import Caller
from appliance.service.guesses import Place

if TYPE_CHECKING:
    from appliance.service.box import Box
    from appliance.service.sign_in import Issued

BROWSERS: Final[frozenset[Kind]] = frozenset({"onion", "loopback"})
AT_HOME: Final[frozenset[Kind]] = frozenset({"loopback"})
SMALL_OCTETS: Final = 16 * 1024
"""A form of a few lines."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One admitted request as a page sees it.

    `wrong` has a sentence for each field that must be mended ("" is the whole form), `notice` one above the
    form. `then` and `kept` are where somebody was going when the sign-in had ended, and what was typed there.
    """

    visit: Visit
    words: Words
    caller: Caller | None = field(default=None, repr=False)
    form: Any = field(default=None, repr=False)
    path: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    wrong: Mapping[str, str] = field(default_factory=dict, repr=False)
    notice: str = ""
    then: str = field(default="", repr=False)
    kept: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def member(self) -> Caller:
        """The signed-in account; Refusal sign_in."""
        if self.caller is None:
            raise Refusal("sign_in")
        return self.caller

    @property
    def place(self) -> Place:
        """Where guesses of this request are counted."""
        return Place(home=self.visit.kind != "onion", circuit=self.visit.circuit)


@dataclass(frozen=True, slots=True)
class Page:
    """A template with its values; `title` is a key of the catalogue.

    `issued` hands a new sign-in over; `out` takes the present one back.
    """

    template: str
    title: str
    values: dict[str, Any] = field(default_factory=dict, repr=False)
    status: int = 200
    issued: Issued | None = field(default=None, repr=False)
    out: bool = False


@dataclass(frozen=True, slots=True)
class Away:
    """The browser goes to another page: asked anew (303), or with all that it sent (307)."""

    to: str = field(repr=False)
    issued: Issued | None = field(default=None, repr=False)
    out: bool = False
    status: Literal[303, 307] = 303


@dataclass(frozen=True, slots=True)
class Download:
    """A file to be kept."""

    name: str
    media: str
    body: bytes = field(repr=False)


def drawn(ask: Ask, template: str, title: str, **values: Any) -> Page:
    """A page with its form as it was sent, and what must be mended in it."""
    sent = {"form": ask.form, "wrong": ask.wrong, "notice": ask.notice, "then": ask.then, "kept": ask.kept}
    return Page(template, title, {**sent, **values})


class Wrong(Exception):
    """A form that must be mended: a key of the catalogue for each field."""

    def __init__(self, **fields: str) -> None:
        self.fields = fields
        super().__init__("wrong")

    def add(self, name: str, key: str) -> None:
        """One more field to be mended."""
        self.fields[name] = key

    def require(self) -> None:
        """Raise if anything was wrong."""
        if self.fields:
            raise self


Result = Page | Away | Download
Show = Callable[["Box", Ask], "Page | Awaitable[Page]"]
Act = Callable[["Box", Ask], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class PageRow:
    """One page. `show` draws it, also anew with what was typed when `act` refuses its form.

    `blame` names the field beside which a refusal is told. A page without `get` is only the answer to its
    form: who asks for it alone goes to `home`.
    """

    path: str
    show: Show | None = None
    act: Act | None = None
    form: type[Form] = Form
    who: Literal["anyone", "member"] = "member"
    entrances: frozenset[Kind] = BROWSERS
    blame: Mapping[str, str] = field(default_factory=dict)
    octets: int = SMALL_OCTETS
    get: bool = True
    home: str = "/plain"
    keeps: bool = False
    """Its form carries what was typed elsewhere when a sign-in had ended."""
