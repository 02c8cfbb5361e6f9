"""What disappears is gone from the vault and from the box, read or not read from the log."""

from __future__ import annotations

import time
from dataclasses import replace

from appliance.client.person import expiry, records
from tests.boxes import Net, running
from tests.clients import QUICK, befriend, coming_back, hear, joining, once, texts


def said(id: bytes, by: int, at: int, timer: int | None, kind: str = "text") -> dict:
    return {"k": "m", "by": by, "at": at, "c": {"kind": kind, "id": id, "timer": timer}}


def test_a_talk_knows_the_next_second_and_where_to_look():
    talk = records.new_talk("contact")
    assert expiry.noted(talk, "d", 3, [said(b"1", 0, 100, None), {"k": "n", "at": 1}]) is talk
    assert expiry.noted(talk, "d", 3, [said(b"1", 0, 100, 60, "timer")]) is talk
    # Theirs run once they are read.
    talk = expiry.noted(talk, "d", 3, [said(b"2", 1, 100, 60)])
    assert (talk.expires, talk.timed) == (0, {"d": 3})
    talk = expiry.noted(talk, "d", 4, [said(b"3", 0, 100, 60), said(b"4", 0, 50, 60)])
    assert (talk.expires, talk.timed) == (110, {"d": 3})
    talk = expiry.started(expiry.started(talk, [60, 30, 0], 70), [5], 100)
    assert (talk.expires, expiry.started(talk, [0], 0)) == (100, talk)


async def test_what_disappeared_is_in_no_vault_and_its_chunks_at_no_box(tmp_path):
    ahead = 0
    later = replace(QUICK, now=lambda: time.time() + ahead)
    async with (
        running(Net(), tmp_path / "box", registration="open") as box,
        joining(box, "bob", options=later) as bob,
    ):
        async with joining(box, "ada", options=later) as ada:
            await befriend(ada, bob)
            await ada.set_timer(bob.address, 600)
            await ada.send(bob.address, "gone soon")
            await ada.send_bytes(bob.address, b"x" * 50_000, "plan.txt")
            heard = await hear(bob, 2)
            assert await bob.fetch(ada.address, heard[1].id)
            await ada.set_timer(bob.address, 0)
            await ada.send(bob.address, "to stay")
            await hear(bob)
            await ada.settled()
            chat = ada._core.chats.at(bob.address)
            (file,) = [e for e in chat.timeline.entries.values() if (e.content or {}).get("chunks")]
            chunks = list(file.content["chunks"])
        assert None not in await bob._core.member.read_kept(chunks)
        ahead = 300
        await bob._core.scrub.sweep()
        assert "gone soon" in await texts(bob, ada.address)
        ahead = 700
        await bob._core.scrub.sweep()
        assert await empty(bob, ada.address)
        assert await bob._core.member.read_kept(chunks) == [None] * len(chunks)
        # Somebody who comes back finds it out without reading what was said.
        async with coming_back(box, "ada", options=later) as ada:
            await once(ada, lambda: empty(ada, bob.address))
            assert await ada._core.member.read_kept(chunks) == [None] * len(chunks)
            for one, other in ((ada, bob), (bob, ada)):
                assert await texts(one, other.address) == ["may I?", "to stay"]


async def empty(me, address: str) -> bool:
    """Whether nothing in the vault disappears any more."""
    core, chat = me._core, me._core.chats.at(address)
    values = await core.vault.read(*chat.stretches())
    left = [event for value in values if value for event in value["events"] if expiry.life_of(event)]
    return not left and (chat.talk.expires, chat.talk.timed) == (0, {})
