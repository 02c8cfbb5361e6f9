"""What lies in the vault has the browser's names and fields, so that one account opens in both."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from appliance.client.person import records

ROOT = Path(__file__).resolve().parents[3]
SOURCE = (ROOT / "web/src/state/messenger/records.ts").read_text()

PAIRS = {
    "AccountRecord": records.Account,
    "SeatRow": records.SeatRow,
    "IndexRecord": records.Index,
    "LogsRecord": records.Logs,
    "HeadRecord": records.Head,
    "SessionMark": records.SessionMark,
    "KeysRecord": records.Keys,
    "PrekeysRecord": records.Prekeys,
    "SessionRecord": records.Session,
    "OutgoingRecord": records.Outgoing,
    "WantsRecord": records.Wants,
    "UploadEntry": records.UploadEntry,
    "UploadsRecord": records.Uploads,
    "TalkRecord": records.Talk,
    "LastLine": records.LastLine,
    "PersonRecord": records.Person,
    "PictureRecord": records.Picture,
    "ChannelRecord": records.Channel,
    "PostingRecord": records.Posting,
    "SegmentRecord": records.Segment,
}


def fields_of(interface: str) -> set[str]:
    body = re.search(rf"export interface {interface} {{\n(.*?)\n}}", SOURCE, re.DOTALL)
    assert body is not None, interface
    return set(re.findall(r"^  (\w+)\??:", body[1], re.MULTILINE))


@pytest.mark.parametrize("interface", PAIRS)
def test_records_have_the_same_fields(interface):
    named = {field.encode_name for field in msgspec.structs.fields(PAIRS[interface])}
    assert named == fields_of(interface)


@pytest.mark.parametrize(
    ("line", "kind"),
    [("settings", records.Preferences), ("entries", records.OutgoingEntry), ("replays", records.ReplayMark)],
)
def test_maps_within_records_have_the_same_fields(line, kind):
    body = re.search(rf"^  {line}: {{([^}}]*)}}", SOURCE, re.MULTILINE)
    assert body is not None
    assert {field.encode_name for field in msgspec.structs.fields(kind)} == set(
        re.findall(r"(\w+)\??:", body[1])
    )


def test_records_have_the_same_names():
    table = re.search(r"export const names = {\n(.*?)\n};", SOURCE, re.DOTALL)
    assert table is not None
    a, b = b"\xaa" * 16, b"\xbb" * 16
    ours = {
        "account": records.ACCOUNT,
        "index": records.INDEX,
        "logs": records.LOGS,
        "knock": records.KNOCK,
        "head": records.head(a),
        "keys": records.keys(a),
        "prekeys": records.prekeys(a),
        "wants": records.wants(a),
        "outgoing": records.outgoing(a),
        "session": records.session(a, b),
        "uploads": records.UPLOADS,
        "talk": records.talk("c"),
        "person": records.person("c"),
        "picture": records.picture("c"),
        "segment": records.segment(a, "c", 3),
        "channel": records.channel(b),
        "channelKeys": records.channel_keys(b, "n"),
        "posting": records.posting(b, a),
    }
    values = {"${device}": a.hex(), "${peer}": b.hex(), "${conversation}": "c", "${number}": "3"}
    values |= {"${id}": b.hex(), "${name}": "n"}
    theirs = {}
    for name, text in re.findall(r"^  (\w+):[^\"`]*[\"`]([^\"`]+)[\"`]", table[1], re.MULTILINE):
        for word, value in values.items():
            text = text.replace(word, value)
        theirs[name] = text
    assert theirs.pop("boards") == "boards"  # which posts were read: only pages show that
    assert theirs.pop("ignored") == "ignored"  # whose posts pages fold away
    assert theirs.pop("channels") == "channels"  # how far channels were read
    assert ours == theirs
