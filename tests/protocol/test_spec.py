"""SPEC.md says what the code does, where that can be checked."""

from __future__ import annotations

import re
from pathlib import Path

from appliance.errors import REFUSALS
from appliance.protocol import (
    attachment,
    board,
    certificate,
    channel_content,
    channel_info,
    channel_message,
    content,
    directory,
    envelope,
    first,
    group_cipher,
    log,
    membership,
    peer,
    picture,
    prekeys,
    ratchet,
    replays,
    room,
    roster,
    sender_key,
    session,
    stream,
)
from appliance.protocol.messages import MAX_BATCH

ROOT = Path(__file__).parents[2]
PROTOCOL = ROOT / "appliance" / "protocol"
SPEC = (PROTOCOL / "SPEC.md").read_text()


def test_the_table_of_refusals_is_current() -> None:
    table = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|$", SPEC, re.MULTILINE))
    missing = [
        f"| `{code}` | {row.status} |" for code, row in REFUSALS.items() if table.get(code) != str(row.status)
    ]
    assert not missing, "add to SPEC.md, section 15:\n" + "\n".join(missing)
    assert table.keys() <= REFUSALS.keys()


def test_every_signature_context_is_in_the_spec() -> None:
    contexts = set()
    for path in PROTOCOL.glob("*.py"):
        contexts |= set(re.findall(r'^_\w*CONTEXT: Final = "(\w+)"$', path.read_text(), re.MULTILINE))
    assert contexts == set(
        re.findall(r"^\| `(\w+)` \| (?:box|sender|fetch|account|device)", SPEC, re.MULTILINE)
    )


def test_the_figures_are_current() -> None:
    figures = [*envelope.SIZES]
    figures += [session.OVERHEAD, *(session.room(size) for size in envelope.SIZES), *first.ROOM.values()]
    figures += [content.MAX_OCTETS, content.MAX_TEXT, content.MAX_LISTED, ratchet.MAX_SKIP, ratchet.MAX_KEPT]
    figures += [ratchet.KEEP_HOURS, replays.MAX_MARKS, peer.KEPT_IN_OLDER, certificate.LIFE_HOURS]
    figures += [attachment.PIECE, attachment.IDS, attachment.MAX_CHUNKS, 1984 * attachment.PIECE]
    figures += [log.MAX_BODY, log.MAX_PAGE, picture.MAX_OCTETS, picture.MAX_SIDE]
    figures += [membership.MAX_MEMBERS, membership.TRAIL, roster.MAX_ENTRY_OCTETS, roster.MAX_TOPIC]
    figures += [channel_message.OVERHEAD, channel_message.MAX_PAYLOAD, channel_content.MAX_TEXT]
    figures += [sender_key.MAX_AGE_HOURS, group_cipher.MAX_CHAINS, group_cipher.MAX_DEVICES]
    figures += [content.MAX_ITERATIONS, group_cipher.MAX_RETIRED, channel_info.SMALLEST]
    figures += [board.MAX_POST_OCTETS, board.MAX_SIGNED, board.MAX_SUBJECT, board.MAX_PEERS, room.MAX_ENTRIES]
    for figure in figures:
        assert f"{figure:,}" in SPEC or str(figure) in SPEC
    assert stream.MAX_ID == 2**53 - 1 and MAX_BATCH == 1024
    assert (prekeys.ROTATE_HOURS, prekeys.KEEP_HOURS, replays.KEEP_HOURS) == (7 * 24, 30 * 24, 38 * 24)
    assert directory.MAX_ROUTES == 8 and stream.PREFIX_SIZE == 24


def test_links_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w -]", "", line.lstrip("# ")).strip().lower().replace(" ", "-")
        for line in SPEC.splitlines()
        if line.startswith("## ")
    }
    assert set(re.findall(r"\(#([\w-]+)\)", SPEC)) <= anchors
