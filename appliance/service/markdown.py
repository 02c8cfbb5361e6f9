"""Markdown: what a post says as HTML, for feeds and pages without scripts (SPEC.md, "Boards").

Two walls: the parser makes no HTML of its own from what somebody wrote (no raw HTML, no images, links of a
few schemes), and what comes out passes a list of what may be there.

Both are loaded with the first post: 3 MiB that a box without readers of that kind does without.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import OptionsDict

TAGS: Final = frozenset(
    {"p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "em", "strong", "s"}
    | {"a", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "span"}
)
ATTRIBUTES: Final = {"a": {"href"}, "ol": {"start"}, "th": {"align"}, "td": {"align"}, "span": {"class"}}
SCHEMES: Final = frozenset({"http", "https", "mailto"})
REL: Final = "noopener noreferrer nofollow"
Env = MutableMapping[str, Any]

HOST_CLASS: Final = "host"
MAX_NESTING: Final = 20


def render(text: str) -> str:
    """HTML of allow-listed elements. Whatever comes in, markup in it is text in the end."""
    import nh3

    cleaned: str = nh3.clean(
        _parser().render(text),
        tags=set(TAGS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=_filter,
        url_schemes=set(SCHEMES),
        link_rel=REL,
        strip_comments=True,
    )
    return cleaned


def may_link(address: str) -> bool:
    """Whether an address may become a link: http, https, mailto, or a place in the app (`#/…`)."""
    if address.startswith("#/"):
        return True
    scheme = address.partition(":")[0].lower()
    return ":" in address and scheme in SCHEMES


def host_of(address: str) -> str:
    """The host that a link leads to, to be shown beside its words; "" for mail and places in the app."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": MAX_NESTING})
    parser.enable(["table", "strikethrough"]).disable(["html_block", "html_inline", "image"])
    parser.validateLink = may_link  # type: ignore[assignment, method-assign]
    parser.add_render_rule("link_close", _close_link)
    parser.add_render_rule("th_open", _open_cell)
    parser.add_render_rule("td_open", _open_cell)
    return parser


def _close_link(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    at: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    """The end of a link, with the host it leads to unless its words say so."""
    opened = next(token for token in reversed(tokens[:at]) if token.type == "link_open")
    host = host_of(str(opened.attrs.get("href", "")))
    words = "".join(token.content for token in tokens[tokens.index(opened) + 1 : at])
    if not host or words.removeprefix("http://").removeprefix("https://").partition("/")[0] == host:
        return "</a>"
    return f'</a> <span class="{HOST_CLASS}">({escape(host)})</span>'


def _open_cell(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    at: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    """A cell; its side as an attribute, for styles in attributes are not allowed."""
    style = str(tokens[at].attrs.get("style", ""))
    side = style.removeprefix("text-align:")
    return (
        f'<{tokens[at].tag} align="{side}">' if side in ("left", "center", "right") else f"<{tokens[at].tag}>"
    )


def _filter(tag: str, name: str, value: str) -> str | None:
    """Attributes that may be there, with values that may."""
    if name == "href":
        return value if may_link(value) else None
    if name == "class":
        return value if value == HOST_CLASS else None
    if name == "align":
        return value if value in ("left", "center", "right") else None
    return value if name == "rel" or (name == "start" and value.isdigit() and len(value) < 10) else None
