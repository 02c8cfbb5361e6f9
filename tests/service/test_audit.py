"""The audit log: every act with who did it, in order, for 90 days; nothing that it must not hold."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from appliance.protocol.account import ChangeBan, ChangeMember, NewInvite
from appliance.protocol.desk import ChangeBranding, ChangeSettings, Protection
from appliance.service.audit import AUDIT_LOG, Noted
from appliance.service.caller import OPERATOR
from appliance.store import logs
from appliance.store.engine import DATA_FILE
from tests.desks import Desk, desk
from tests.households import HOME
from tests.services import refused


async def act(d: Desk) -> None:
    """A little of everything."""
    members, ann = d.home.people.members, d.callers["ann"]
    bob = (await d.join("bob")).account
    await members.change(ann, bob, ChangeMember(role="moderator"))
    await members.change(ann, bob, ChangeMember(suspended=True, reason="shouting"))
    await members.change(OPERATOR, bob, ChangeMember(suspended=False))
    await members.ban(ann, bob, ChangeBan("boards"))
    await members.change(ann, bob, ChangeMember(can_post="no"))
    await d.home.people.nameplate.rename(ann, "Our box")
    await d.settings.change(
        ann, ChangeSettings(values={"posts_minute": 7, "bridges": "192.0.2.7:9001 A", "welcome": "hello you"})
    )
    await d.branding.change(ann, ChangeBranding(accent="plum"))
    await members.remove(ann, bob)


async def test_every_act_is_there_with_who_did_it(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await act(d)
        assert await d.said() == [
            ("ann", "account.claim", "ann"),
            ("", "invite.make", ""),
            ("ann", "member.role", "bob"),
            ("ann", "member.suspend", "bob"),
            ("", "member.restore", "bob"),
            ("ann", "member.ban", "bob"),
            ("ann", "member.limits", "bob"),
            ("ann", "box.rename", "Our box"),
            ("ann", "box.settings", "posts_minute = 7, bridges, welcome"),
            ("ann", "box.brand", "accent = plum"),
            ("ann", "member.remove", "bob"),
        ]
        acts = {one.action: one for one in await d.acts()}
        assert acts["member.role"].details == {"old": "member", "new": "moderator"}
        assert acts["member.suspend"].details == {"until": 0, "reason": "shouting"}
        assert acts["member.limits"].details == {"can_post": "no"}
        assert (
            acts["member.restore"].account is None and acts["member.role"].account == d.people["ann"].account
        )
        assert acts["member.role"].subject == acts["member.remove"].subject
        assert acts["member.role"].second == int(d.clock())


async def test_an_act_is_there_though_whoever_did_it_hung_up(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        with trio.CancelScope() as request:
            request.cancel()
            await d.home.people.audit.record(d.callers["ann"], "relay.use")
        assert ("ann", "relay.use", "") in await d.said()


async def test_what_failed_is_not_there(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        members, ann = d.home.people.members, d.callers["ann"]
        with refused("yourself"):
            await members.change(ann, ann.account, ChangeMember(role="member"))
        with refused("last_owner"):
            await members.change(OPERATOR, ann.account, ChangeMember(role="member"))
        with refused("bad_setting"):
            await d.settings.change(ann, ChangeSettings(values={"boards": False, "accent": "pink"}))
        assert await d.said() == [("ann", "account.claim", "ann")]


async def test_it_is_read_page_by_page_by_owners_and_admins(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        admin, moderator = await d.join("boss", "admin"), await d.join("mod", "moderator")
        for _ in range(5):
            await d.home.people.invites.create(admin, NewInvite(note="x"))
        audit = d.home.people.audit
        found, before = [], None
        while True:
            page = await audit.page(admin, before, 3)
            found += [one.number for one in page.acts]
            before = found[-1]
            if not page.more:
                break
        assert found == list(range(8, 0, -1)) and page.days == 90
        with refused("role"):
            await audit.page(moderator, None, 3)
        with refused("malformed"):
            await audit.page(admin, None, 201)


async def test_acts_end_after_ninety_days(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        d.clock.pass_hours(24 * 60)
        await d.join("bob")
        d.clock.pass_hours(24 * 30)
        while await d.logs.sweep():
            pass
        assert [one.action for one in await d.acts()] == ["invite.make"]
        await d.set(audit_days=7)
        await d.home.people.audit.settle()
        while await d.logs.sweep():
            pass
        assert [one.action for one in await d.acts()] == ["box.settings"]


async def test_acts_of_a_locked_box_wait_until_it_is_open(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        bob = (await d.join("bob")).account
        ann, people = d.people["ann"], d.home.people
        await people.accounts.protect(d.callers["ann"], Protection(ann.key, True), HOME)
        sealer, d.home.house.ring.sealer = d.home.house.ring.sealer, None
        await people.members.change(OPERATOR, bob, ChangeMember(suspended=True))
        await people.members.change(OPERATOR, bob, ChangeMember(suspended=False))
        with refused("locked"):
            await people.audit.page(OPERATOR, None, 10)
        d.home.house.ring.sealer = sealer
        assert len(await d.acts()) == 3
        await people.audit.settle()
        assert [one.action for one in await d.acts()][:3] == [
            "member.restore",
            "member.suspend",
            "box.protect",
        ]
        await people.audit.settle()
        assert len(await d.acts()) == 5, "once"


async def test_a_wipe_leaves_that_it_was_done(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        for number in range(12):
            await d.set(posts_minute=number + 1)
        admin = await d.join("boss", "admin")
        with refused("role"):
            await d.home.people.audit.wipe(admin)
        await d.home.people.audit.wipe(d.callers["ann"])
        assert await d.said() == [("ann", "audit.wipe", "")]


async def test_no_address_passphrase_or_open_text_is_in_it(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await act(d)
        store, sealer = d.home.house.store, d.home.house.ring.sealer
        span = store.read(lambda txn: logs.read(txn, sealer, AUDIT_LOG, limit=100, octets=1 << 20))
        whole = b"".join(entry.body or b"" for entry in span.entries)
        for never in (b"192.0.2.7", b"hello you", d.people["ann"].key, d.people["bob"].wrapped):
            assert never not in whole
        file = (d.home.house.config.data / DATA_FILE).read_bytes()
        assert b"member.suspend" not in file and b"shouting" not in file, "sealed on the disk"


async def test_an_unknown_action_is_a_bug(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        with pytest.raises(ValueError, match="no such"):
            await d.home.house.store.write(
                lambda txn: d.home.people.audit.note(txn, OPERATOR, "no such")  # type: ignore[arg-type]
            )
    assert repr(Noted(1, b"", "ann", "owner", "x")) == "<Noted>"
