"""Members as owners and admins see them: roles, suspension, and who has power over whom."""

from __future__ import annotations

from pathlib import Path

from appliance.protocol.account import ChangeMember, Member
from appliance.service.caller import OPERATOR
from tests.households import HOME, Home, home
from tests.services import refused


async def rows(h: Home) -> dict[str, Member]:
    return {member.name: member for member in (await h.people.members.page()).members}


async def test_the_list_tells_names_roles_and_sums(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, _ = await h.claim()
        bob, _ = await h.join()
        h.people.hooks.octets.extend(
            [
                lambda txn, account: 100,
                lambda txn, account: 20 * (account == bob.account),
            ]
        )
        h.clock.pass_hours(2)
        await h.people.sign_in.sign_in(bob.sign_in(), HOME)
        found = await rows(h)
        assert [(m.name, m.role, m.sessions, m.octets) for m in found.values()] == [
            ("ann", "owner", 1, 100),
            ("bob", "member", 2, 120),
        ]
        assert (found["bob"].created_hour, found["bob"].used_hour) == (h.clock.hour - 2, h.clock.hour)
        assert found["ann"].account == ann.account


async def test_a_suspended_member_is_out_at_once_and_comes_back_by_passphrase(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        bob, issued = await h.join()
        changed = await h.people.members.change(OPERATOR, bob.account, ChangeMember(suspended=True))
        assert changed.suspended and (changed.sessions, changed.role) == (0, "member")
        assert not h.live(issued) and h.ended == [issued.session.session]
        with refused("session_ended"):
            await h.people.sign_in.refresh(issued.refresh)
        with refused("suspended"):
            await h.people.sign_in.sign_in(bob.sign_in(), HOME)
        with refused("wrong_sign_in"):
            await h.people.sign_in.sign_in(bob.sign_in(key=bytes(32)), HOME)
        await h.people.members.change(OPERATOR, bob.account, ChangeMember(suspended=False))
        await h.people.sign_in.sign_in(bob.sign_in(), HOME)


async def test_a_new_role_holds_from_the_next_access_token_on(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        bob, issued = await h.join()
        await h.people.members.change(OPERATOR, bob.account, ChangeMember(role="admin"))
        assert not h.live(issued) and h.ended == [issued.session.session], "its readers begin anew"
        again = await h.people.sign_in.refresh(issued.refresh)
        assert h.caller(again).role == again.session.role == "admin"


async def test_an_admin_has_power_over_members_and_agents_only(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        people = {"owner": (await h.claim())[0]}
        callers = {}
        for role in ("admin", "member", "agent"):
            people[role], issued = await h.join(role, role)
            callers[role] = h.caller(issued)
        other, _ = await h.join("other", "admin")
        boss, change = callers["admin"], h.people.members.change
        for target in (people["owner"], other):
            for body in (ChangeMember(role="member"), ChangeMember(suspended=True)):
                with refused("role"):
                    await change(boss, target.account, body)
            with refused("role"):
                await h.people.members.remove(boss, target.account)
        for role in ("owner", "admin"):
            with refused("role"):
                await change(boss, people["member"].account, ChangeMember(role=role))
        await change(boss, people["member"].account, ChangeMember(role="agent"))
        await change(boss, people["agent"].account, ChangeMember(suspended=True))
        await h.people.members.remove(boss, people["agent"].account)
        for weak in ("member", "agent"):
            with refused("role"):
                await change(callers[weak], people["member"].account, ChangeMember(role="owner"))
        assert {name: member.role for name, member in (await rows(h)).items()} == {
            "ann": "owner",
            "admin": "admin",
            "other": "admin",
            "member": "agent",
        }


async def test_a_moderator_is_made_by_an_admin_and_sees_the_list_only(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        _, boss = await h.join("boss", "admin")
        bob, issued = await h.join()
        carol, _ = await h.join("carol")
        change, remove = h.people.members.change, h.people.members.remove
        assert (await change(h.caller(boss), bob.account, ChangeMember(role="moderator"))).role == "moderator"
        moderator = h.caller(await h.people.sign_in.refresh(issued.refresh))
        for body in (ChangeMember(role="agent"), ChangeMember(suspended=True)):
            with refused("role"):
                await change(moderator, carol.account, body)
        with refused("role"):
            await remove(moderator, carol.account)
        await h.join("dan", "moderator")


async def test_nobody_demotes_suspends_or_deletes_himself(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, issued = await h.claim()
        bob, _ = await h.join()
        await h.people.members.change(OPERATOR, bob.account, ChangeMember(role="owner"))
        owner = h.caller(issued)
        for body in (ChangeMember(role="member"), ChangeMember(suspended=True)):
            with refused("yourself"):
                await h.people.members.change(owner, ann.account, body)
        with refused("yourself"):
            await h.people.members.remove(owner, ann.account)
        await h.people.members.change(owner, bob.account, ChangeMember(role="member"))


async def test_an_owner_is_always_left(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, _ = await h.claim()
        bob, _ = await h.join()
        for body in (ChangeMember(role="member"), ChangeMember(suspended=True)):
            with refused("last_owner"):
                await h.people.members.change(OPERATOR, ann.account, body)
        with refused("last_owner"):
            await h.people.members.remove(OPERATOR, ann.account)
        await h.people.members.change(OPERATOR, bob.account, ChangeMember(role="owner"))
        await h.people.members.change(OPERATOR, ann.account, ChangeMember(role="member"))
        assert h.people.nameplate.first_owner == "bob"


async def test_nobody_is_not_found(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        for attempt in (
            h.people.members.change(OPERATOR, bytes(16), ChangeMember()),
            h.people.members.remove(OPERATOR, bytes(16)),
        ):
            with refused("no_account"):
                await attempt
