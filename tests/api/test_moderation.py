"""The desk's rows over real sockets: who may ask what, from the report to the audit log."""

from __future__ import annotations

import os
import time

import pytest

from appliance.client.http import Http
from appliance.client.moderation import Moderation
from appliance.errors import Refusal
from appliance.protocol.account import ChangeBan, ChangeMember, Door, Invite, Member, NewInvite, Session
from appliance.protocol.codec import to_text
from appliance.protocol.desk import ChangeBranding, NewGrant
from appliance.protocol.moderation import CloseReport, NewReport
from tests.api.test_accounts import stranger
from tests.boxes import Net, Running, running
from tests.households import Person


async def join(http: Http, box: Running, name: str, role: str) -> Person:
    made = await box.desk.http.call("POST", "/v1/invites", Invite, NewInvite(role=role))
    person = Person(name)
    await http.call("POST", "/v1/accounts", Session, person.register(made.code or ""))
    return person


def refused(code: str):
    return pytest.raises(Refusal, match=f"^{code}$")


async def test_from_the_onion_by_role(tmp_path):
    net = Net()
    async with (
        running(net, tmp_path / "box") as box,
        stranger(net, box) as near,
        stranger(net, box) as ann,
        stranger(net, box) as bob,
        stranger(net, box) as mod,
    ):
        door = await near.call("GET", "/v1/door", Door)
        shown = await Moderation(near).branding()
        assert (shown.box_name, shown.revision) == ("box", door.branding)
        boss, bobby = await join(ann, box, "ann", "admin"), await join(bob, box, "bob", "member")
        await join(mod, box, "mod", "moderator")

        await Moderation(ann).change_branding(ChangeBranding(welcome="Come in", accent="plum"))
        assert (await Moderation(near).branding()).accent == "plum"
        assert (await near.call("GET", "/v1/door", Door)).branding != door.branding
        for who in (near, bob, mod):
            with pytest.raises(Refusal, match=r"^(role|sign_in)$"):
                await Moderation(who).change_branding(ChangeBranding(accent="clay"))

        made = await Moderation(bob).report(NewReport(os.urandom(16), "spam", "x", person="ann"))
        assert await Moderation(mod).reports() == [], "about somebody above"
        with refused("role"):
            await Moderation(bob).reports()
        (row,) = await box.desk.moderation.reports()
        await box.desk.moderation.close(row.id, CloseReport("refused", answer="No."))
        (own,) = await Moderation(bob).own_reports()
        assert (own.id, own.phase, own.answer) == (made.id, "refused", "No.")

        path = f"/v1/members/{to_text(bobby.account)}"
        day = int(time.time() + 86_400)
        banned = await Moderation(mod).ban(bobby.account, ChangeBan("boards", until=day))
        assert banned.bans[0].area == "boards"
        with refused("role"):
            await mod.call("PATCH", path, Member, ChangeMember(suspended=True))
        assert (await mod.call("PATCH", path, Member, ChangeMember(suspended=True, until=day))).suspended
        with refused("session_ended"):
            await Moderation(bob).own_reports()
        with refused("yourself"):
            await Moderation(ann).ban(boss.account, ChangeBan("boards"))
        with refused("no_log"):
            await Moderation(mod).thank(bytes(16), bytes(16))
        with refused("sign_in"):
            await Moderation(near).thank(bytes(16), bytes(16))

        acts = [one async for one in Moderation(ann).acts()]
        assert [(one.name, one.action) for one in acts][:3] == [
            ("mod", "member.suspend"),
            ("mod", "member.ban"),
            ("box", "report.refuse"),
        ]
        assert [one async for one in Moderation(ann).acts(2)] == acts[:2]
        with refused("role"):
            assert [one async for one in Moderation(mod).acts()]
        health = await box.desk.health()
        times = {one.route: one for one in health.endpoints}
        assert times["GET /v1/branding"].requests == 2 and times["PATCH /v1/branding"].refused >= 3
        assert 0 < times["GET /v1/branding"].p50_us <= times["GET /v1/branding"].p99_us
        assert "GET /v1/state" not in times
        assert {row.name: row.state for row in health.rows}["Minimising"] == "off"
        done = await box.desk.minimise()
        assert done.blanked and (await box.desk.minimised()) == done
        assert {row.name: row.state for row in (await box.desk.health()).rows}["Minimising"] == "good"
        with refused("not_found"):
            await Moderation(ann).wipe_audit()  # an owner's affair, on the box itself


async def test_two_pairs_of_eyes_over_the_wire(tmp_path):
    net = Net()
    async with running(net, tmp_path / "box") as box, stranger(net, box) as ann, stranger(net, box) as bob:
        await join(ann, box, "ann", "admin")
        person = await join(bob, box, "bob", "member")
        grant = await box.desk.grant(NewGrant(label="Carol"))
        await box.desk.revoke(grant.id)
        await box.desk.change_settings({"four_eyes": True})
        acts = [(one.action, one.target) async for one in Moderation(ann).acts(3)]
        assert acts == [
            ("box.settings", "four_eyes = True"),
            ("grant.revoke", ""),
            ("grant.make", "Carol"),
        ]
        with pytest.raises(Refusal) as caught:
            await ann.exchange("DELETE", f"/v1/members/{to_text(person.account)}")
        assert caught.value.code == "second_eyes" and caught.value.details["until"] > time.time()
        (row,) = await box.desk.moderation.approvals()
        assert (row.asked_by, row.target, row.mine) == ("ann", "bob", False)
        with refused("second_eyes"):
            await box.desk.change_settings({"four_eyes": False, "posts_minute": 5})
        assert {s.name: s.value for s in (await box.desk.settings()).settings}["four_eyes"] is True
        await box.desk.moderation.approve(row.id)
        with refused("session_ended"):
            await Moderation(bob).own_reports()
        (row,) = await Moderation(ann).approvals()
        await Moderation(ann).approve(row.id)
        assert {s.name: s.value for s in (await box.desk.settings()).settings}["four_eyes"] is False
        assert await Moderation(ann).approvals() == [] and (await box.desk.health()).faults == 0
