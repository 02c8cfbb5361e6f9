"""Markdown: whatever comes in, allowed elements, attributes and links come out, and nothing takes long."""

from __future__ import annotations

import json
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.service.markdown import ATTRIBUTES, HOST_CLASS, REL, TAGS, host_of, may_link, render

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "markdown.json").read_text())
GROUPS = ("scripts", "links", "images", "markdown", "unicode", "nesting")
CORPUS = [(group, at) for group in GROUPS for at in range(len(VECTORS[group]))]
VOID = {"br", "hr"}


class Reader(HTMLParser):
    """Reads HTML as a browser does, and refuses what is not on the list. The list stands here once more."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert name in ATTRIBUTES.get(tag, set()) | ({"rel"} if tag == "a" else set()), (tag, name)
            assert value is not None
            if name == "href":
                assert value.startswith(("http:", "https:", "mailto:", "#/")), value
                assert not any(letter <= " " for letter in value)
                self.links.append(value)
            elif name == "rel":
                assert value == REL
            elif name == "align":
                assert value in ("left", "center", "right")
            elif name == "class":
                assert value == HOST_CLASS
            else:
                assert name == "start" and value.isdigit()
        if tag == "a":
            assert dict(attrs).get("rel") == REL

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError("comment")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError("declaration")

    def handle_pi(self, data: str) -> None:
        raise AssertionError("instruction")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError("section")


def read(source: str) -> Reader:
    reader = Reader()
    reader.feed(render(source))
    reader.close()
    assert not reader.open
    return reader


@pytest.mark.parametrize(("group", "at"), CORPUS)
def test_the_hostile_corpus(group: str, at: int) -> None:
    source = VECTORS[group][at]
    began = time.process_time()
    reader = read(source)
    assert time.process_time() - began < 2, "a post must not keep the box busy"
    if group == "scripts":
        assert not set(reader.tags) - {"p", "code", "pre"} and not reader.links
    if group == "images":
        assert "img" not in reader.tags


@pytest.mark.parametrize("case", VECTORS["kept"], ids=lambda case: case["source"][:20])
def test_what_is_meant_is_kept(case: dict) -> None:
    reader = read(case["source"])
    assert set(case["tags"]) <= set(reader.tags)
    assert reader.links == case.get("links", [])


def test_the_largest_post_takes_no_longer_than_it_may() -> None:
    for unit in ("[a](http://x) ", "> ", "*a* ", "<b>", "| a |\n", "![x](", "&amp;", "- x\n"):
        source = (unit * (65_536 // len(unit)))[:65_536]
        began = time.process_time()
        read(source)
        assert time.process_time() - began < 10, unit


def test_a_link_says_where_it_leads() -> None:
    assert "(evil.example)" in render("[http://good.example](http://evil.example/x)")
    assert "(example.org)" in render("[here](https://example.org/x)")
    assert "(example.org)" not in render("<https://example.org/x>")
    assert host_of("http://good.example@evil.example/") == "evil.example"
    assert host_of("http://[bad") == ""


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("http://x", True),
        ("HTTPS://x", True),
        ("mailto:x@y", True),
        ("#/boards", True),
        ("#x", False),
        ("/v1/session", False),
        ("//evil.example", False),
        ("javascript:alert(1)", False),
        ("http", False),
        ("", False),
    ],
)
def test_where_links_may_lead(address: str, may: bool) -> None:
    assert may_link(address) == may


PIECES = st.one_of(
    st.sampled_from(
        ["<", ">", "[", "]", "(", ")", "`", "*", "_", "~~", "|", "\n", "\n\n", "    ", "!", "</"]
    ),
    st.sampled_from(["javascript:", "http://x", "<script>", "onclick=", '"', "'", "&", "&#x3a;", "\\", "#/"]),
    st.sampled_from(["- ", "> ", "a", " ", "\x00", "水", "|-|"]),
)


@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=80))
def test_whatever_is_typed(source: str) -> None:
    read(source)
