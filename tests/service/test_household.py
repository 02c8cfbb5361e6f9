"""The household forgets what is over."""

from __future__ import annotations

from pathlib import Path

import trio

from appliance.protocol.account import NewInvite
from appliance.service.caller import OPERATOR
from appliance.service.sign_in import REFRESH_SECONDS
from appliance.store.schema import ACCOUNT_SESSIONS, INVITES, SESSIONS
from tests.households import HOME, Home, home


def counts(h: Home) -> list[int]:
    return h.house.store.read(lambda txn: [txn.count(t) for t in (SESSIONS, ACCOUNT_SESSIONS, INVITES)])


async def test_sign_ins_and_invites_that_are_over_are_forgotten(tmp_path: Path) -> None:
    async with home(tmp_path) as h:
        ann, old = await h.claim()
        await h.people.invites.create(OPERATOR, NewInvite(hours=1, reader=True))
        await h.people.invites.create(OPERATOR, NewInvite(hours=24 * 30))
        h.clock.now += REFRESH_SECONDS - 10
        fresh = await h.people.sign_in.sign_in(ann.sign_in(), HOME)
        h.clock.now += 10
        assert counts(h) == [2, 2, 2]
        await h.people.sign_in.forget_over()
        await h.people.invites.forget_over()
        assert counts(h) == [1, 1, 1] and h.ended == [old.session.session] and not h.tor.readers
        assert h.live(await h.people.sign_in.refresh(fresh.refresh))


async def test_the_sweep_begins_at_once(tmp_path: Path) -> None:
    async with home(tmp_path) as h, trio.open_nursery() as nursery:
        await h.claim()
        h.clock.now += REFRESH_SECONDS
        nursery.start_soon(h.people.run)
        with trio.fail_after(5):
            while counts(h) != [0, 0, 0]:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
