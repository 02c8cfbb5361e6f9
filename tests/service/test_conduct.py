"""Conduct: bans, suspensions, allowances, karma, word filter, posts a minute and slow mode, also in races."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio
import trio.testing

from appliance.errors import Refusal
from appliance.protocol.account import ChangeBan, ChangeMember
from appliance.protocol.moderation import Thank
from appliance.service.caller import OPERATOR, Caller
from appliance.service.conduct import Step
from appliance.service.word_filter import WordFilter
from appliance.store import thanks
from appliance.store.logs import Draft
from tests.desks import BOARD_LOG, ROOM_LOG, Desk, desk
from tests.services import refused


def step(**fields: object) -> Step:
    return Step(**{"act": "post", "area": "boards", "place": BOARD_LOG, **fields})  # type: ignore[arg-type]


async def post(d: Desk, caller: Caller, wanted: Step | None = None) -> bool:
    """What a board does for a post; whether the post was held back."""
    with d.moderation.conduct.enter(caller, wanted or step()) as leave:
        draft = Draft(os.urandom(16), 1, b"words", author=d.logs.author(BOARD_LOG, caller.account))
        await d.logs.append(BOARD_LOG, draft, check=lambda txn, head: leave.check(txn))
        return leave.held


async def test_bans_reach_an_area_or_one_place_and_end_by_themselves(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        bob, ban = await d.join("bob"), d.home.people.members.ban
        await post(d, bob)
        until = int(d.clock()) + 3600
        row = await ban(OPERATOR, bob.account, ChangeBan("boards", until=until))
        assert [(one.area, one.place, one.until) for one in row.bans] == [("boards", None, until)]
        with pytest.raises(Refusal) as caught:
            await post(d, bob)
        assert (caught.value.code, caught.value.details) == ("banned", {"until": until})
        await post(d, bob, step(area="channels", place=ROOM_LOG))
        d.clock.pass_hours(1)
        await post(d, bob)
        await ban(OPERATOR, bob.account, ChangeBan("boards", place=BOARD_LOG))
        await post(d, bob, step(place=b"other board 16 o"))
        with refused("banned"):
            await post(d, bob)
        assert (await ban(OPERATOR, bob.account, ChangeBan("boards", place=BOARD_LOG, lift=True))).bans == []
        await post(d, bob)


async def test_a_post_is_before_the_ban_or_refused(tmp_path: Path) -> None:
    """Whatever shares a commit with the ban, and in whichever order: nothing is written after it."""
    async with desk(tmp_path) as d:
        bob, members = await d.join("bob"), d.home.people.members
        await d.set(posts_minute=600)
        posted: list[bool] = []

        async def write() -> None:
            try:
                await post(d, bob)
                posted.append(True)
            except Refusal as refusal:
                assert refusal.code in ("banned", "suspended")
                posted.append(False)

        for change in ("ban", "suspend"):
            posted.clear()
            async with trio.open_nursery() as nursery:
                for number in range(41):
                    if number != 20:
                        nursery.start_soon(write)
                    elif change == "ban":
                        nursery.start_soon(members.ban, OPERATOR, bob.account, ChangeBan("boards"))
                    else:
                        nursery.start_soon(
                            members.change, OPERATOR, bob.account, ChangeMember(suspended=True)
                        )
                await trio.lowlevel.checkpoint()
            assert len(posted) == 40
            last = (await d.logs.page(BOARD_LOG, limit=200)).last
            with refused("banned" if change == "ban" else "suspended"):
                await post(d, bob)
            assert (await d.logs.page(BOARD_LOG, limit=200)).last == last
            if change == "ban":
                await members.ban(OPERATOR, bob.account, ChangeBan("boards", lift=True))


async def test_a_suspension_ends_sign_ins_sockets_and_long_polls_at_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        bob = await d.join("bob")
        feed = d.hear("bob")
        heard: list[str] = []

        async def poll() -> None:
            events = await d.events.wait(feed.caller, feed.stream, feed.last)
            heard.extend(event.kind for event in events.events)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll)
            await trio.testing.wait_all_tasks_blocked(0.05)
            until = int(d.clock()) + 7200
            body = ChangeMember(suspended=True, until=until, reason="cool down")
            row = await d.home.people.members.change(OPERATOR, bob.account, body)
        assert heard == ["session"] and feed.ended
        assert (row.suspended, row.suspended_until, row.reason, row.sessions) == (True, until, "cool down", 0)
        from tests.households import HOME

        with pytest.raises(Refusal) as caught:
            await d.home.people.sign_in.sign_in(d.people["bob"].sign_in(), HOME)
        assert (caught.value.code, caught.value.details) == (
            "suspended",
            {"until": until, "words": "cool down"},
        )
        d.clock.pass_hours(2)
        await d.home.people.sign_in.sign_in(d.people["bob"].sign_in(), HOME)
        await d.home.people.members.lift_over()
        (row,) = [one for one in (await d.home.people.members.page()).members if one.name == "bob"]
        assert (row.suspended, row.suspended_until, row.reason) == (False, 0, "")


async def test_what_a_moderator_may_do_to_whom_and_for_how_long(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        mod, bob = await d.join("mod", "moderator"), await d.join("bob")
        other, boss = await d.join("other", "moderator"), await d.join("boss", "admin")
        members, now = d.home.people.members, int(d.clock())
        month, day = 30 * 24 * 3600, 24 * 3600
        change, ban = members.change, members.ban
        await change(mod, bob.account, ChangeMember(suspended=True, until=now + month))
        await change(mod, bob.account, ChangeMember(suspended=False))
        await ban(mod, bob.account, ChangeBan("boards", until=now + day))
        for until in (None, now + month + 1):
            with refused("role"):
                await change(mod, bob.account, ChangeMember(suspended=True, until=until))
            with refused("role"):
                await ban(mod, bob.account, ChangeBan("boards", until=until))
        with refused("malformed"):
            await change(mod, bob.account, ChangeMember(suspended=True, until=now))
        with refused("role"):
            await change(mod, bob.account, ChangeMember(can_post="no"))
        for above in (other, boss, d.callers["ann"]):
            with refused("role"):
                await change(mod, above.account, ChangeMember(suspended=True, until=now + day))
            with refused("role"):
                await ban(mod, above.account, ChangeBan("boards", until=now + day))
        with refused("yourself"):
            await ban(mod, mod.account, ChangeBan("boards", until=now + day))
        await change(boss, bob.account, ChangeMember(suspended=True))
        with refused("role"):
            await change(mod, bob.account, ChangeMember(suspended=False))
        await change(boss, bob.account, ChangeMember(suspended=False))


async def test_allowances_and_karma(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        bob, carol = await d.join("bob"), await d.join("carol")
        change = d.home.people.members.change
        await change(OPERATOR, bob.account, ChangeMember(can_post="no"))
        with refused("withheld"):
            await post(d, bob)
        await post(d, bob, step(act="upload"))
        await change(OPERATOR, bob.account, ChangeMember(can_post="by karma", can_upload="no"))
        with refused("withheld"):
            await post(d, bob, step(act="upload"))
        await d.set(karma_post=1)
        with pytest.raises(Refusal) as caught:
            await post(d, bob)
        assert (caught.value.code, caught.value.details) == ("karma", {"needed": 1, "have": 0})
        await change(OPERATOR, bob.account, ChangeMember(can_post="yes"))
        await post(d, bob)
        await change(OPERATOR, bob.account, ChangeMember(can_post="by karma"))
        await d.moderation.thanking.give(carol, Thank(BOARD_LOG, await d.write("bob")))
        await post(d, bob)
        with refused("karma"):
            await post(d, bob, step(karma=2))
        with refused("karma"):
            await post(d, carol)
        await post(d, await d.join("mod", "moderator"), step(karma=9))


async def test_thanks_are_one_a_member_and_post_and_never_for_oneself(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        bob, carol = await d.join("bob"), await d.join("carol")
        give, back = d.moderation.thanking.give, d.moderation.thanking.take_back
        entry, secret = await d.write("bob"), await d.write("bob", ROOM_LOG)
        thank = Thank(BOARD_LOG, entry)

        def karma() -> int:
            return d.home.house.store.read(lambda txn: thanks.karma(txn, bob.account))

        with refused("yourself"):
            await give(bob, thank)
        for _ in range(2):
            assert (await give(carol, thank)).thanks == 1
        assert (await give(d.callers["ann"], thank)).thanks == 2 and karma() == 2
        for _ in range(2):
            assert (await back(carol, thank)).thanks == 1
        assert (await back(bob, thank)).thanks == 1 and karma() == 1
        for unknown in (Thank(BOARD_LOG, bytes(16)), Thank(b"?" * 16, entry)):
            with pytest.raises(Refusal, match=r"no_item|no_log"):
                await give(carol, unknown)
        with refused("no_log"):
            await give(carol, Thank(ROOM_LOG, secret))
        d.room.add(carol.account)
        await give(carol, Thank(ROOM_LOG, secret))
        assert karma() == 2
        with refused("role"):
            await give(await d.join("bot", "agent"), thank)
        await d.home.people.members.remove(OPERATOR, bob.account)
        assert karma() == 0


async def test_posts_a_minute_and_slow_mode(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        bob, mod = await d.join("bob"), await d.join("mod", "moderator")
        await d.set(posts_minute=3)
        slow = step(slow_seconds=30)
        await post(d, bob, slow)
        with pytest.raises(Refusal) as caught:
            await post(d, bob, slow)
        assert (caught.value.code, caught.value.details) == ("slow_mode", {"seconds": 30})
        await post(d, bob, step(place=b"other board 16 o", slow_seconds=30))
        await post(d, bob)
        with pytest.raises(Refusal) as caught:
            await post(d, bob)
        assert (caught.value.code, caught.value.details) == ("too_fast", {"seconds": 60})
        d.clock.now += 30
        with refused("too_fast"):
            await post(d, bob, slow)
        d.clock.now += 30
        await post(d, bob, slow)
        for _ in range(3):
            await post(d, mod, slow)
        with refused("too_fast"):
            await post(d, mod, slow)


async def test_what_was_not_written_is_not_counted(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        bob, members = await d.join("bob"), d.home.people.members
        await d.set(posts_minute=1)
        await members.ban(OPERATOR, bob.account, ChangeBan("boards"))
        for _ in range(3):
            with refused("banned"):
                await post(d, bob, step(slow_seconds=60))
        await members.ban(OPERATOR, bob.account, ChangeBan("boards", lift=True))
        await post(d, bob, step(slow_seconds=60))


async def test_words_that_are_not_wanted(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        bob, mod = await d.join("bob"), await d.join("mod", "moderator")
        await d.set(filter_words="spam*\nbuy now", filter_action="refuse")
        bad, good = step(words=("Hello", "This is SPAMMY stuff")), step(words=("we buy", "nowhere"))
        with refused("word_filter"):
            await post(d, bob, bad)
        assert not await post(d, bob, good) and not await post(d, mod, bad)
        await d.set(filter_action="hold")
        assert await post(d, bob, bad)


@pytest.mark.parametrize(
    ("entry", "text", "found"),
    [
        ("bad", "a bad word", True),
        ("bad", "a badge", False),
        ("bad", "BÄD!", True),
        ("bád", "bad", True),
        ("bad*", "badge", True),
        ("*bad", "embad", True),
        ("*bad", "badge", False),
        ("*a*", "xax", True),
        ("two words", "these two\n words", True),
        ("two words", "two, or words", False),
        ("b.d", "bad", False),
        ("", "anything", False),
        ("***", "anything", False),
        ("straße", "STRASSE", True),
        ("сайт", "Наш САЙТ!", True),
    ],
)
def test_the_filter(entry: str, text: str, found: bool) -> None:
    assert WordFilter([entry]).finds([text]) is found


def test_the_filter_is_quick_with_what_a_stranger_can_send() -> None:
    """500 entries and 64 KiB of text: linear, whatever the text."""
    import time

    matcher = WordFilter([f"word{n}*" for n in range(500)])
    began = time.process_time()
    assert not matcher.finds(["wor " * 16_384, "a" * 65_536])
    assert time.process_time() - began < 1.0
