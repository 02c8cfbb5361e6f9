"""Reports: who sees which, what becomes of them, how many one may make, and how long they are kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.errors import Refusal
from appliance.protocol.account import ChangeMember
from appliance.protocol.moderation import CloseReport, NewReport, OwnReport, Report, Thank
from appliance.service.board_rules import HELD
from appliance.service.caller import OPERATOR, Caller
from appliance.store import reports as store_reports
from appliance.store.engine import DATA_FILE
from tests.desks import BOARD_LOG, ROOM_LOG, Desk, desk
from tests.services import refused


async def report(d: Desk, who: str, **fields: object) -> OwnReport:
    body = NewReport(**{"id": os.urandom(16), "why": "abuse", **fields})  # type: ignore[arg-type]
    return await d.moderation.reports.make(d.callers[who], body)


async def queue(d: Desk, caller: Caller, *, closed: bool = False) -> list[Report]:
    return (await d.moderation.reports.page(caller, closed, None, 50)).reports


async def test_from_the_report_to_its_outcome(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.join("bob")
        await d.join("carol")
        mod = await d.join("mod", "moderator")
        moderators, reporter = d.hear("mod"), d.hear("bob")
        entry, id = await d.write("carol"), os.urandom(16)
        made = await report(d, "bob", id=id, log=BOARD_LOG, entry=entry, words="look at this")
        again = await report(d, "bob", id=id, log=BOARD_LOG, entry=entry, words="look at this")
        assert made == again and (made.about, made.phase) == ("carol", "open")
        assert [one.event.kind for one in moderators.after(1)] == ["desk"]
        (row,) = await queue(d, mod)
        assert (row.about, row.reporter, row.words, row.trusted) == ("carol", "bob", "look at this", True)
        assert (row.area, row.log, row.entry, row.account) == (
            "boards",
            BOARD_LOG,
            entry,
            d.callers["carol"].account,
        )
        taken = await d.moderation.reports.take(mod, id)
        assert (taken.phase, taken.taken_by) == ("taken", "mod")
        closing = CloseReport("done", ["removed", "warned"], answer="Thank you.", note="second time")
        done = await d.moderation.reports.close(mod, id, closing)
        assert (done.phase, done.did, done.note) == ("done", ["removed", "warned"], "second time")
        told = [one.event for one in reporter.after(1)]
        assert [(one.kind, one.report) for one in told] == [("report", id)] * 2
        (own,) = d.moderation.reports.own(d.callers["bob"]).reports
        assert (own.phase, own.answer, own.id) == ("done", "Thank you.", id)
        assert await queue(d, mod) == [] and (await queue(d, mod, closed=True)) == [done]
        with refused("wrong_state"):
            await d.moderation.reports.close(mod, id, CloseReport("refused"))
        assert [action for _, action, _ in await d.said()][-2:] == ["report.take", "report.done"]


async def test_reports_about_those_above_go_further_up(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.join("bob")
        for name, role in (
            ("mod", "moderator"),
            ("mod2", "moderator"),
            ("boss", "admin"),
            ("boss2", "admin"),
        ):
            await d.join(name, role)
        ids = {name: (await report(d, "bob", person=name)).id for name in ("mod", "boss", "ann")}
        seen = {
            name: {row.about for row in await queue(d, d.callers[name])}
            for name in ("mod", "mod2", "boss", "boss2", "ann")
        }
        assert seen == {
            "mod": set(),
            "mod2": set(),
            "boss": {"mod", "ann"},
            "boss2": {"mod", "ann"},
            "ann": {"mod", "boss"},
        }
        assert {row.about for row in await queue(d, OPERATOR)} == {"mod", "boss", "ann"}
        for name, about in (
            ("mod", "mod"),
            ("mod2", "mod"),
            ("boss", "boss"),
            ("boss2", "boss"),
            ("ann", "ann"),
        ):
            for attempt in (
                d.moderation.reports.take(d.callers[name], ids[about]),
                d.moderation.reports.close(d.callers[name], ids[about], CloseReport("refused")),
            ):
                with refused("no_item"):
                    await attempt
        await d.home.people.members.change(OPERATOR, d.callers["mod"].account, ChangeMember(role="member"))
        assert {row.about for row in await queue(d, d.callers["mod2"])} == {"mod"}


async def test_what_the_box_cannot_read_is_the_reporters_word(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        bob, carol = await d.join("bob"), await d.join("carol")
        entry = await d.write("carol", ROOM_LOG)
        with refused("no_log"):
            await report(d, "bob", log=ROOM_LOG, entry=entry)
        d.room |= {bob.account, carol.account}
        await report(d, "bob", log=ROOM_LOG, entry=entry, evidence="carol: you are a fool")
        (row,) = await queue(d, OPERATOR)
        assert (row.area, row.about, row.trusted, row.evidence) == (
            "channels",
            "carol",
            True,
            "carol: you are a fool",
        )
        file = (d.home.house.config.data / DATA_FILE).read_bytes()
        assert b"you are a fool" not in file, "sealed on the disk"


async def test_what_is_no_report(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.join("bob")
        own = await d.write("bob")
        for code, fields in (
            ("malformed", {}),
            ("malformed", {"log": BOARD_LOG}),
            ("no_account", {"person": "nobody"}),
            ("yourself", {"person": "bob"}),
            ("yourself", {"log": BOARD_LOG, "entry": own}),
            ("no_item", {"log": BOARD_LOG, "entry": bytes(16)}),
            ("no_log", {"log": bytes(16), "entry": own}),
        ):
            with refused(code):
                await report(d, "bob", **fields)
        await d.join("bot", "agent")
        with refused("role"):
            await report(d, "bot", person="bob")
        with refused("role"):
            await d.moderation.reports.page(d.callers["bob"], False, None, 10)
        id = (await report(d, "bob", person="ann")).id
        with refused("wrong_state"):
            await report(d, "ann", person="bob", id=id)


async def test_what_is_held_back_is_not_there_for_others(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        bob = await d.join("bob")
        await d.join("carol")
        held = await d.write("carol", kind=HELD)
        for hidden in (held, os.urandom(16)):
            with refused("no_item"):
                await report(d, "bob", log=BOARD_LOG, entry=hidden)
            with refused("no_item"):
                await d.moderation.thanking.give(bob, Thank(BOARD_LOG, hidden))


async def test_nobody_floods_the_queue(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        for name in ("bob", "carol", "dan"):
            await d.join(name)
        await d.set(reports_open=3, reports_day=4, reports_most=5)
        ids = [(await report(d, "bob", person="ann")).id for _ in range(3)]
        with refused("too_fast"):
            await report(d, "bob", person="ann")
        await d.moderation.reports.close(OPERATOR, ids[0], CloseReport("refused"))
        await report(d, "bob", person="ann")
        await d.moderation.reports.close(OPERATOR, ids[1], CloseReport("refused"))
        with refused("too_fast"):
            await report(d, "bob", person="ann")
        d.clock.pass_hours(25)
        await report(d, "bob", person="ann")
        for _ in range(2):
            await report(d, "carol", person="bob")
        with refused("busy"):
            await report(d, "dan", person="bob")


async def test_two_moderators_do_not_do_the_same(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.join("bob")
        one, two = await d.join("one", "moderator"), await d.join("two", "moderator")
        boss = await d.join("boss", "admin")
        await d.join("carol")
        id = (await report(d, "bob", person="carol")).id
        take, close = d.moderation.reports.take, d.moderation.reports.close
        await take(one, id)
        for attempt in (take(two, id), take(two, id, release=True), close(two, id, CloseReport("done"))):
            with refused("wrong_state"):
                await attempt
        assert (await take(one, id, release=True)).phase == "open"
        await take(two, id)
        assert (await close(boss, id, CloseReport("done"))).taken_by == "boss"


async def test_pages_and_retention(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.join("bob")
        ids = []
        for _ in range(7):
            ids.append((await report(d, "bob", person="ann")).id)
            d.clock.now += 60
        page = d.moderation.reports.page
        first = await page(OPERATOR, False, None, 4)
        rest = await page(OPERATOR, False, first.next, 4)
        assert [row.id for row in first.reports + rest.reports] == ids
        assert (first.next, rest.next, first.open) == (ids[3], None, 7)
        for id in ids[:5]:
            await d.moderation.reports.close(OPERATOR, id, CloseReport("done"))
            d.clock.now += 60
        first = await page(OPERATOR, True, None, 3)
        rest = await page(OPERATOR, True, first.next, 3)
        assert [row.id for row in first.reports + rest.reports] == ids[4::-1] and rest.next is None
        d.clock.pass_hours(24 * 90)
        await d.moderation.reports.forget_over()
        assert await queue(d, OPERATOR, closed=True) == []
        assert [row.id for row in await queue(d, OPERATOR)] == ids[5:], "open ones wait for somebody"
        assert len(d.moderation.reports.own(d.callers["bob"]).reports) == 2
        store, sealer = d.home.house.store, d.home.house.ring.require()
        assert store.read(lambda txn: store_reports.find(txn, sealer, ids[0])) is None


async def test_a_reporter_who_is_gone(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        bob, carol = await d.join("bob"), await d.join("carol")
        id = (await report(d, "bob", person="carol")).id
        await d.home.people.members.remove(OPERATOR, bob.account)
        await d.home.people.members.remove(OPERATOR, carol.account)
        (row,) = await queue(d, OPERATOR)
        assert (row.reporter, row.about, row.account) == ("", "carol", None)
        await d.moderation.reports.close(OPERATOR, id, CloseReport("done"))


async def test_a_locked_box_takes_no_reports(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.join("bob")
        d.home.house.ring.sealer = None
        with pytest.raises(Refusal, match="locked"):
            await report(d, "bob", person="ann")
