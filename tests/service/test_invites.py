"""Invites: told once, with a reader's key where it is wanted, and taken back with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from appliance.protocol.account import InviteCheck, NewInvite
from appliance.service.caller import OPERATOR
from tests.households import HOME, Person, home
from tests.services import refused


async def test_an_invite_is_told_once(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        made = await h.people.invites.create(OPERATOR, NewInvite(uses=3, hours=2, note="for the choir"))
        assert made.link == f"http://{h.house.host}/#/invite/{made.code}" and made.reader_key is None
        (row,) = h.people.invites.page().invites
        assert (row.id, row.uses, row.left, row.note) == (made.id, 3, 3, "for the choir")
        assert (row.code, row.link, row.expires) == (None, None, int(h.clock()) + 7200)
        await h.people.door.register(Person("bob").register(made.code or ""), HOME)
        assert h.people.invites.page().invites[0].left == 2
        h.clock.pass_hours(2)
        assert h.people.invites.page().invites == []


async def test_an_invite_that_is_taken_back_lets_nobody_in(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        made = await h.people.invites.create(OPERATOR, NewInvite())
        await h.people.invites.revoke(OPERATOR, made.id)
        with refused("invite"):
            h.people.door.check(InviteCheck(made.code or ""), HOME)
        with refused("no_item"):
            await h.people.invites.revoke(OPERATOR, made.id)


async def test_a_key_to_the_closed_onion_goes_with_an_unused_invite(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        unused = await h.people.invites.create(OPERATOR, NewInvite(reader=True))
        used = await h.people.invites.create(OPERATOR, NewInvite(reader=True, uses=2))
        late = await h.people.invites.create(OPERATOR, NewInvite(reader=True, hours=1))
        assert unused.reader_key == "private" and len(h.tor.readers) == 3
        await h.people.door.register(Person("bob").register(used.code or ""), HOME)
        for made in (unused, used):
            await h.people.invites.revoke(OPERATOR, made.id)
        assert sorted(h.tor.readers) == sorted(f"invite {made.id.hex()[:8]}" for made in (used, late))
        h.clock.pass_hours(1)
        await h.people.invites.create(OPERATOR, NewInvite())
        assert list(h.tor.readers) == [f"invite {used.id.hex()[:8]}"], "who came by it keeps the key"


async def test_its_key_goes_though_who_took_it_back_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        made = await h.people.invites.create(OPERATOR, NewInvite(reader=True))
        remove = h.tor.remove_reader
        with trio.CancelScope() as scope:

            async def remove_and_cut(name: str) -> None:
                scope.cancel()
                await trio.lowlevel.checkpoint()
                await remove(name)

            monkeypatch.setattr(h.tor, "remove_reader", remove_and_cut)
            await h.people.invites.revoke(OPERATOR, made.id)
        assert not h.tor.readers


async def test_an_invite_without_its_key_is_no_invite(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        h.tor.broken = True
        with refused("tor_off"):
            await h.people.invites.create(OPERATOR, NewInvite(reader=True))
        assert h.people.invites.page().invites == []


async def test_only_owners_invite_admins_and_give_keys(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        await h.claim()
        _, issued = await h.join("bob", "admin")
        admin = h.caller(issued)
        for body in (NewInvite(role="admin"), NewInvite(reader=True)):
            with refused("role"):
                await h.people.invites.create(admin, body)
        made = await h.people.invites.create(OPERATOR, NewInvite(role="admin"))
        with refused("role"):
            await h.people.invites.revoke(admin, made.id)
        await h.people.invites.revoke(admin, (await h.people.invites.create(admin, NewInvite())).id)
