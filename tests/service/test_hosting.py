"""The relay as its host sees it: invitations, what is held, when it goes."""

from __future__ import annotations

import pytest

from appliance.errors import Refusal
from appliance.protocol.desk import NewGrant
from appliance.service.hosting import Hosting
from appliance.service.invitation import read_invitation
from tests.services import Holder, House, Time, envelope, refused, states


@pytest.fixture
def hosting(house: House) -> Hosting:
    return Hosting(house.store, house.config, house.clock, house.ring, house.host)


async def invited(house: House, hosting: Hosting, **fields: object) -> tuple[Holder, str]:
    code = await hosting.grant(NewGrant(label="Bob", **fields))
    holder = Holder(house.relay())
    await holder.create(read_invitation(code.code)[1])
    return holder, code.id


async def test_an_invitation_lets_somebody_in_and_shows_what_they_use(house: House, hosting: Hosting) -> None:
    holder, id = await invited(house, hosting, mailboxes=3, octets=70_000, days=10)
    await holder.deposit(envelope(), envelope(1984))
    (row,) = (await hosting.load()).grants
    assert (row.id, row.label, row.origin) == (id, "Bob", "owner")
    assert (row.mailboxes, row.mailboxes_limit, row.octets, row.octets_limit) == (1, 3, 2944, 70_000)
    assert row.expires - row.created == 10 * 24 * 3600


async def test_the_load_is_told_by_day(house: House, hosting: Hosting, clock: Time) -> None:
    holder, _ = await invited(house, hosting)
    await holder.deposit(envelope(), hours=1)
    await holder.deposit(envelope(), envelope(), hours=49)
    load = await hosting.load()
    assert (load.held, load.octets, load.mailboxes) == (3, 3 * 960, 1)
    assert [day.envelopes for day in load.days] == [1, 2] and load.days[0].day < load.days[1].day
    brief = hosting.brief()
    assert (brief.held, brief.octets, brief.policy) == (3, 3 * 960, "invite")
    clock.pass_hours(3)
    while await holder.relay.sweep():
        pass
    assert [day.envelopes for day in (await hosting.load()).days] == [2]


async def test_a_revoked_invitation_ends_at_once_with_all_it_kept(house: House, hosting: Hosting) -> None:
    holder, id = await invited(house, hosting)
    await holder.deposit(envelope())
    await hosting.revoke(id)
    assert states(await holder.deposit(envelope())) == ["grant"]
    while await holder.relay.sweep():
        pass
    assert (await hosting.load()).held == 0 and not (await hosting.load()).grants
    with refused("no_mailbox"):
        await holder.fetch()
    with refused("no_item"):
        await hosting.revoke(id)


@pytest.mark.parametrize("id", ["AAAA", "A" * 22, "A" * 1000, "ü", "!"])
async def test_a_made_up_id_revokes_nothing(hosting: Hosting, id: str) -> None:
    with pytest.raises(Refusal) as caught:
        await hosting.revoke(id)
    assert caught.value.code in ("no_item", "malformed")


async def test_invitations_do_not_open_each_other(house: House, hosting: Hosting) -> None:
    _, first = await invited(house, hosting)
    holder, _ = await invited(house, hosting)
    await hosting.revoke(first)
    assert states(await holder.deposit(envelope())) == ["held"]
