"""Linking a second device: once, five minutes, few at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from appliance.errors import Refusal
from appliance.protocol.account import ChangeMember, PutLink, TakeLink
from appliance.service import linking
from appliance.service.caller import OPERATOR
from appliance.service.linking import LINK_SECONDS, MAX_LINKS
from tests.households import HOME, home
from tests.services import refused


def link() -> PutLink:
    return PutLink(os.urandom(16), os.urandom(100))


async def test_a_link_signs_the_new_device_in_once(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, first = await h.claim()
        left = link()
        h.people.linking.put(h.caller(first), left)
        h.people.linking.put(h.caller(first), left)  # asked again after a lost answer
        linked, issued = await h.people.linking.take(TakeLink(left.id, "phone"))
        assert (linked.packet, linked.session.account) == (left.packet, ann.account)
        labels = {row.label for row in h.people.sign_in.page(h.caller(issued)).sessions}
        assert labels == {"laptop", "phone"}
        with refused("no_link"):
            await h.people.linking.take(TakeLink(left.id, "thief"))


async def test_a_link_taken_by_two_at_once_is_taken_once(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        _, first = await h.claim()
        left = link()
        h.people.linking.put(h.caller(first), left)
        outcomes: list[str] = []

        async def take() -> None:
            try:
                await h.people.linking.take(TakeLink(left.id, "phone"))
                outcomes.append("in")
            except Refusal as refusal:
                outcomes.append(refusal.code)

        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(take)
        assert sorted(outcomes) == ["in", "no_link", "no_link", "no_link"]


async def test_a_link_ends(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        _, first = await h.claim()
        left = link()
        h.people.linking.put(h.caller(first), left)
        h.clock.now += LINK_SECONDS
        with refused("no_link"):
            await h.people.linking.take(TakeLink(left.id, "phone"))


async def test_links_are_bounded_and_nobody_replaces_another_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with home(tmp_path) as h:
        _, anns = await h.claim()
        _, bobs = await h.join()
        links = [link() for _ in range(MAX_LINKS + 1)]
        for one in links:
            h.people.linking.put(h.caller(anns), one)
        with refused("wrong_state"):
            h.people.linking.put(h.caller(bobs), PutLink(links[1].id, links[1].packet))
        with refused("wrong_state"):
            h.people.linking.put(h.caller(anns), PutLink(links[1].id, b"other"))
        with refused("no_link"):
            await h.people.linking.take(TakeLink(links[0].id, "phone"))
        await h.people.linking.take(TakeLink(links[1].id, "phone"))
        monkeypatch.setattr(linking, "MAX_IN_ALL", 2)
        with refused("busy"):
            h.people.linking.put(h.caller(bobs), link())


async def test_a_link_of_who_was_suspended_or_deleted_opens_nothing(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        bob, bobs = await h.join()
        left = [link(), link()]
        for one in left:
            h.people.linking.put(h.caller(bobs), one)
        await h.people.members.change(OPERATOR, bob.account, ChangeMember(suspended=True))
        with refused("suspended"):
            await h.people.linking.take(TakeLink(left[0].id, "phone"))
        await h.people.members.remove(OPERATOR, bob.account)
        with refused("no_link"):
            await h.people.linking.take(TakeLink(left[1].id, "phone"))


async def test_who_is_signed_out_leaves_no_way_back_in_behind(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, first = await h.claim()
        thief = await h.people.sign_in.sign_in(ann.sign_in(), HOME)
        left = link()
        h.people.linking.put(h.caller(thief), left)
        await h.people.sign_in.end(h.caller(first), thief.session.session)
        with refused("no_link"):
            await h.people.linking.take(TakeLink(left.id, "again"))
